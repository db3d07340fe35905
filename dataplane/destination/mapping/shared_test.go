package mapping_test

import "testing"

// TestCallsShareRequests: parts of different calls stand in one request when nothing but
// the parts differs; what differs makes another, which later events do not go before.
func TestCallsShareRequests(t *testing.T) {
	t.Parallel()
	d := open(t, `
calls:
  - on: { type: [track] }
    path: /batch
    query: { strict: 1 }
    headers: { X-Version: { constant: "2" } }
    batch: { wrap: { dry: { constant: false }, batch: "{items}" } }
    body: { t: event }
  - on: { type: [identify] }
    path: /batch
    query: { strict: 1 }
    headers: { X-Version: { constant: "2" } }
    batch: { wrap: { dry: { constant: false }, batch: "{items}" } }
    body: { u: userId }
  - on: { type: [page] }
    path: /batch
    query: { strict: 1 }
    headers: { X-Version: { constant: "2" } }
    batch: { wrap: { dry: { constant: false }, batch: "{items}" }, max: 9 }
    body: { p: name }
  - on: { type: [screen] }
    path: /batch
    query: { strict: 1 }
    headers: { X-Version: { constant: "3" } }
    batch: { wrap: { dry: { constant: false }, batch: "{items}" } }
    body: { s: name }
`, `{}`)
	got := lines(d.Build(batchOf(
		`{"type":"track","userId":"ada","event":"A"}`, `{"type":"identify","userId":"ada"}`, `{"type":"page","userId":"bob","name":"P"}`,
		`{"type":"screen","userId":"ada","name":"S"}`, `{"type":"track","userId":"bob","event":"B"}`, `{"type":"track","userId":"eve","event":"E"}`)))
	const want = `POST /batch?strict=1 [0 1] {"dry":false,"batch":[{"t":"A"},{"u":"ada"}]}
POST /batch?strict=1 [2] {"dry":false,"batch":[{"p":"P"}]}
POST /batch?strict=1 [3] {"dry":false,"batch":[{"s":"S"}]}
POST /batch?strict=1 [4 5] {"dry":false,"batch":[{"t":"B"},{"t":"E"}]}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

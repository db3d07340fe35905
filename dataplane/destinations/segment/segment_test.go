package segment_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
	"weir/dataplane/event"
	"weir/shared/id"
	"weir/shared/secret"
)

//go:embed spec.yaml
var spec []byte

const key = "made-up-segment-key"

// standIn is Segment as its pages describe it: it refuses what Segment refuses.
type standIn struct {
	url   string
	most  int // parts a request may have here
	mu    sync.Mutex
	taken []string // what was kept, in order
	codes []string // path and status of answers
}

func newStandIn(t *testing.T, most int) *standIn {
	s := &standIn{most: most}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// ServeHTTP implements http.Handler.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, answer := s.answer(r)
	s.codes = append(s.codes, fmt.Sprint(strings.TrimSuffix(r.URL.Path, "/"), " ", status))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(answer)) // the client has gone
}

func (s *standIn) answer(r *http.Request) (int, string) {
	text, err := io.ReadAll(r.Body)
	type call struct {
		Type, MessageID, UserID, AnonymousID, PreviousID, GroupID, Event, Name, Category string
		SentAt                                                                           string
		Timestamp                                                                        time.Time
		Properties, Traits, Context, Integrations                                        map[string]any
	}
	var in struct {
		Batch []json.RawMessage `json:"batch"`
		call
	}
	user, word, basic := r.BasicAuth()
	switch bad := json.Unmarshal(text, &in); {
	case err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json":
		return 404, ""
	case !basic || user != key || word != "":
		return 401, `{"success":false}`
	case bad != nil || len(text) > 500_000:
		return 400, `{"success":false,"code":"invalid_request"}`
	case len(in.Batch) > s.most:
		return 413, ""
	case strings.Contains(string(text), "loud"):
		return 429, ""
	case strings.Contains(string(text), "down"):
		return 502, ""
	case strings.Contains(string(text), "spoiled"):
		return 200, `{"success":false}`
	case r.URL.Path == "/v1/alias":
		if in.PreviousID == "" || in.UserID == "" || in.Timestamp.IsZero() {
			return 400, `{"success":false}`
		}
		s.taken = append(s.taken, "alias "+in.MessageID)
		return 200, `{"success":true}`
	case r.URL.Path != "/v1/batch" || len(in.Batch) == 0:
		return 404, ""
	}
	var rejected []string
	for i, raw := range in.Batch {
		var c call
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		dec.DisallowUnknownFields()
		switch bad := dec.Decode(&c); {
		case len(raw) > 32_000:
			return 400, `{"success":false}`
		case bad != nil || !slices.Contains([]string{"identify", "track", "page", "screen", "group"}, c.Type) || c.UserID+c.AnonymousID == "" || c.SentAt != "" || c.Timestamp.IsZero() || c.Properties["bad"] != nil:
			rejected = append(rejected, fmt.Sprintf(`{"index":%d,"code":"no_id","message":"no"}`, i))
		default:
			s.taken = append(s.taken, c.Type+" "+c.MessageID)
		}
	}
	if rejected != nil { // as Weir answers
		return 200, `{"success":true,"rejected":[` + strings.Join(rejected, ",") + `]}`
	}
	return 200, `{"success":true}`
}

func TestAnswersOfSegment(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	track := func(n int, more string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":"E","sentAt":"2020-01-01T00:00:00Z","properties":{"n":%d%s}}`, n, n, more)
	}
	for name, tc := range map[string]struct {
		settings string // further ones
		key      string
		most     int
		events   []string
		want     []string
		taken    []string
		codes    []string
	}{
		"all are taken, in order": {"", key, 9, []string{track(1, ""), `{"messageId":"m2","type":"identify","userId":"ada"}`, `{"messageId":"m3","type":"group","userId":"ada","groupId":"g"}`, `{"messageId":"m4","type":"page","anonymousId":"a"}`},
			[]string{"delivered", "delivered", "delivered", "delivered"}, []string{"track m1", "identify m2", "group m3", "page m4"}, []string{"/v1/batch 200"}},
		"an alias is alone":            {"", key, 9, []string{track(1, ""), `{"messageId":"m2","type":"alias","userId":"ada","previousId":"x"}`}, []string{"delivered", "delivered"}, []string{"track m1", "alias m2"}, []string{"/v1/batch 200", "/v1/alias 200"}},
		"what Weir rejects in a 200":   {"", key, 9, []string{track(1, ""), track(2, `,"bad":1`), track(3, "")}, []string{"delivered", "dead segment_refused", "delivered"}, []string{"track m1", "track m3"}, []string{"/v1/batch 200"}},
		"a 200 without success":        {"", key, 9, []string{track(1, ""), track(2, `,"x":"spoiled"`)}, []string{"delivered", "dead segment_refused"}, []string{"track m1"}, []string{"/v1/batch 200", "/v1/batch 200", "/v1/batch 200"}},
		"a wrong key":                  {"", "another-key", 9, []string{track(1, "")}, []string{"dead rejected_401"}, nil, []string{"/v1/batch 401"}},
		"too large a batch is split":   {"", key, 2, []string{track(1, ""), track(2, ""), track(3, "")}, []string{"delivered", "delivered", "delivered"}, []string{"track m1", "track m2", "track m3"}, []string{"/v1/batch 413", "/v1/batch 200", "/v1/batch 200"}},
		"an event that is too large":   {"", key, 9, []string{track(1, ""), track(2, `,"x":"`+strings.Repeat("x", 33_000)+`"`)}, []string{"delivered", "dead rejected_400"}, []string{"track m1", "track m1"}, []string{"/v1/batch 400", "/v1/batch 200", "/v1/batch 400"}},
		"who sends too much":           {"", key, 9, []string{track(1, `,"x":"loud"`)}, []string{"retry busy"}, nil, []string{"/v1/batch 429"}},
		"Segment has a rest":           {"", key, 9, []string{track(1, `,"x":"down"`)}, []string{"retry server_error"}, nil, []string{"/v1/batch 502"}},
		"what is no event for Segment": {"", key, 9, []string{`{"messageId":"m1","type":"merge","userId":"ada"}`, track(2, "")}, []string{"dropped unsupported_event", "delivered"}, []string{"track m2"}, []string{"/v1/batch 200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t, tc.most)
			got := destinationtest.Send(t, kind, `{"baseUrl":"`+s.url+`"`+tc.settings+`}`, map[string]string{"writeKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.taken) + cmp.Diff(tc.codes, s.codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	o, err := mapping.Define(spec)().Open([]byte(`{}`), map[string]secret.String{"writeKey": secret.NewString(key)})
	if err != nil {
		b.Fatal(err)
	}
	const size = 100
	text := `{"messageId":"m1","type":"track","userId":"ada","anonymousId":"a1","event":"Order Completed","timestamp":"2026-01-02T03:04:05.000Z","context":{"ip":"192.0.2.1","locale":"en","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","app":{"version":"1"},"os":{"name":"iOS","version":"19"},"page":{"url":"https://shop.example/checkout","title":"Checkout"},"traits":{"email":"ada@example.com"}},"properties":{"order_id":"o1","revenue":25.5,"currency":"EUR","products":[{"product_id":"p1","price":12.75,"quantity":2},{"product_id":"p2","price":1,"quantity":1}]}}`
	batch := destination.Batch{Now: time.Now()}
	for b.Loop() {
		batch.Items = batch.Items[:0]
		for i := range size {
			batch.Items = append(batch.Items, destination.Item{Event: event.Event{MessageID: id.Event(fmt.Sprint(i)), Type: "track", User: "ada", JSON: []byte(text)}, Attempt: 1})
		}
		if reqs, _ := o.HTTP.Build(batch); len(reqs) == 0 {
			b.Fatal(len(reqs))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/event")
}

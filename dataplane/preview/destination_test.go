package preview_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destinations/webhook"
	"weir/dataplane/layout"
	"weir/dataplane/preview"
	"weir/shared/fault"
	"weir/shared/secret"
)

func TestPreviewShowsWhatWouldBeSent(t *testing.T) {
	t.Parallel()
	kinds := []destination.Kind{webhook.Kind}
	show, err := preview.OpenDestination(kinds, "webhook", []byte(`{"url":"http://127.0.0.1:1/x"}`), map[string]secret.String{"headers": secret.NewString(`{"x-key":"v"}`)},
		time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	line := func(event string) string {
		text, err := json.Marshal(show([]byte(event)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := line(`{"type":"track","messageId":"m1","userId":"u","big":12345678901234567890}`); !strings.HasPrefix(got,
		`{"messageId":"m1","requests":[{"method":"POST","url":"http://127.0.0.1:1/x","headers":{"Content-Type":"application/json","Weir-Message-Id":"m1","X-Key":"v"}`) ||
		!strings.Contains(got, "12345678901234567890") || !strings.HasSuffix(got, `"dropped":null,"error":null}`) {
		t.Errorf("an event's line is %s", got)
	}
	if got := line("not json"); !strings.Contains(got, `"requests":[],"dropped":null,"error":"`) {
		t.Errorf("the line of what is no JSON is %s", got)
	}
	if _, err := preview.OpenDestination(kinds, "fax", nil, nil, time.Time{}); fault.KindOf(err) != fault.Missing {
		t.Errorf("an unknown type: %v, want Missing", err)
	}
}

func TestPreviewTellsWhatADestinationDoesNotTake(t *testing.T) {
	t.Parallel()
	show, err := preview.OpenDestination([]destination.Kind{webhook.Kind}, "webhook", []byte(`{"url":"http://127.0.0.1:1/x","events":{"allow":["A*","type:identify"],"deny":["AB"]}}`), nil, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for event, want := range map[string]bool{
		`{"type":"track","userId":"u","event":"A1"}`: true, `{"type":"track","userId":"u","event":"AB"}`: false,
		`{"type":"page","userId":"u","name":"B"}`: false, `{"type":"identify","userId":"u"}`: true,
	} {
		line := show([]byte(event))
		if filtered := line.Dropped != nil && *line.Dropped == "event_filtered"; filtered == want || len(line.Requests) > 0 != want {
			t.Errorf("%s: %+v, want sent %t", event, line, want)
		}
	}
}

// The first event has the name that the layout defines, the others names of their own.
func TestPreviewTellsEventsOfOneNameApart(t *testing.T) {
	t.Parallel()
	dialect, err := layout.Read(os.DirFS("../warehouses/postgres"))
	if err != nil {
		t.Fatal(err)
	}
	show, err := preview.OpenWarehouse([]*layout.Dialect{dialect}, "postgres", []byte(`{"skipTracksTable":true}`), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	table := func(event string) string {
		var line struct{ Rows []struct{ Table string } }
		if err := json.Unmarshal(show([]byte(`{"type":"Track","messageId":"m","event":"`+event+`"}`)), &line); err != nil || len(line.Rows) != 1 {
			t.Fatalf("%s: %v, %+v", event, err, line)
		}
		return line.Rows[0].Table
	}
	long := strings.Repeat("long_name_", 7)
	for range 2 {
		if first, second := table(long+"first"), table(long+"second"); first != long[:63] || second == first || len(second) > 63 {
			t.Errorf("two events with one beginning are in %s and %s", first, second)
		}
		if one, other := table("注文完了"), table("注文"); !strings.HasPrefix(one, "zhu_wen_wan_") || other == one {
			t.Errorf("two events in Japanese are in %s and %s", one, other)
		}
	}
}

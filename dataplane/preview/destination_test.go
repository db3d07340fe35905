package preview_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destinations/amqp"
	"weir/dataplane/destinations/kafka"
	"weir/dataplane/destinations/redis"
	"weir/dataplane/destinations/s3"
	"weir/dataplane/destinations/webhook"
	"weir/dataplane/layout"
	"weir/dataplane/preview"
	"weir/shared/fault"
	"weir/shared/secret"
)

func TestPreviewShowsWhatWouldBeSent(t *testing.T) {
	t.Parallel()
	kinds := []destination.Kind{webhook.Kind()}
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
	show, err := preview.OpenDestination([]destination.Kind{webhook.Kind()}, "webhook", []byte(`{"url":"http://127.0.0.1:1/x","events":{"allow":["A*","type:identify"],"deny":["AB"]}}`), nil, time.Time{})
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

// TestPreviewShowsWhatSinksWrite: in the words of their protocols, without a connection.
func TestPreviewShowsWhatSinksWrite(t *testing.T) {
	t.Parallel()
	const event = `{"type":"track","messageId":"m1","userId":"ada","event":"Signed Up"}`
	for typ, tc := range map[string]struct {
		kind     destination.Kind
		settings string
		secrets  map[string]secret.String
		want     string
		inside   bool // the body has the event in it
	}{
		"kafka": {kafka.Kind(), `{"brokers":"broker:9092","topic":"of-{event}","headers":{"source":"weir"},"sasl":"none"}`, nil, "PRODUCE kafka://of-Signed_Up map[key:ada source:weir]", true},
		"redis": {redis.Kind(), `{"address":"127.0.0.1:6379","mode":"list","key":"events"}`, nil, "RPUSH redis://127.0.0.1:6379/0 map[]", false},
		"amqp":  {amqp.Kind(), `{"address":"mq.example:5672","exchange":"x","routingKey":"k.{type}"}`, map[string]secret.String{"username": secret.NewString("u"), "password": secret.NewString("p")}, "PUBLISH amqp://x/k.track map[content-type:application/json delivery-mode:persistent message-id:m1 type:track]", true},
		"s3":    {s3.Kind(), `{"bucket":"lake","prefix":"e/{type}/","compression":"none"}`, map[string]secret.String{"accessKey": secret.NewString("a"), "secretKey": secret.NewString("s")}, "PUT s3://lake/e/track/preview.json map[]", true},
	} {
		show, err := preview.OpenDestination([]destination.Kind{tc.kind}, typ, []byte(tc.settings), tc.secrets, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
		if err != nil {
			t.Errorf("%s: %v %+v", typ, err, fault.ProblemsOf(err))
			continue
		}
		line := show([]byte(event))
		if len(line.Requests) != 1 || line.Dropped != nil || line.Error != nil {
			t.Errorf("%s: %+v", typ, line)
			continue
		}
		r := line.Requests[0]
		if got := fmt.Sprint(r.Method, " ", r.URL, " ", r.Headers); got != tc.want || !strings.Contains(r.Body, "Signed Up") || tc.inside && !strings.Contains(r.Body, `"event":"Signed Up"`) {
			t.Errorf("%s: %s %s, want %s", typ, got, r.Body, tc.want)
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

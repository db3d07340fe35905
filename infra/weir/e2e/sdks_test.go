package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sdkRun is one program with an SDK: it sends through a lossy proxy to a source
// of its own, from which its own webhook receives.
type sdkRun struct {
	name    string
	source  string
	browser bool
	burst   int
	calls   int
	skew    time.Duration
	hook    *sink
	proxy   *lossy
	began   time.Time
	told    map[int]map[string]any // what the program says it sent, by its number
}

// sdkConfig is a workspace with a source and a webhook for each run.
func sdkConfig(runs []*sdkRun) string {
	var sources, destinations, connections strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&sources, "  - { name: %s, type: http, writeKey: wk_%s }\n", r.source, r.source)
		fmt.Fprintf(&destinations, "  - { name: to-%s, type: webhook, settings: { url: %q } }\n", r.source, r.hook.URL)
		fmt.Fprintf(&connections, "  - { source: %s, destination: to-%s }\n", r.source, r.source)
	}
	return "workspace: acme\nregion: eu\nsources:\n" + sources.String() + "destinations:\n" + destinations.String() + "connections:\n" + connections.String()
}

// TestSDKs sends every call with unmodified SDKs that have wrong clocks and lose
// answers: each call arrives exactly once, as it was sent.
func TestSDKs(t *testing.T) {
	t.Parallel()
	const burst, fewer = 500, 60 // RudderStack's page keeps its whole queue in localStorage: each call costs as much as the queue is long
	runs := []*sdkRun{
		{name: "@segment/analytics-node", source: "segment-node", burst: burst, calls: burst + 12, skew: 3 * time.Hour},
		{name: "analytics-node", source: "segment-old", burst: burst, calls: burst + 12, skew: -26 * time.Hour},
		{name: "@rudderstack/rudder-sdk-node", source: "rudder-node", burst: burst, calls: burst + 12, skew: 5 * time.Hour},
		{name: "segment", source: "segment-browser", browser: true, burst: burst, calls: burst + 12, skew: -2 * time.Hour},
		{name: "rudder", source: "rudder-browser", browser: true, burst: fewer, calls: fewer + 10, skew: 7 * time.Hour},
		{name: "beacon", source: "rudder-beacon", browser: true, burst: fewer, calls: fewer + 10, skew: -4 * time.Hour},
	}
	for _, r := range runs {
		r.hook = newSink(t)
	}
	_, in := dev(t, t.TempDir(), sdkConfig(runs))
	t.Run("all", func(t *testing.T) {
		for _, r := range runs {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				lose := firsts(2)
				if r.name == "beacon" {
					lose = firsts(0) // a page never learns what became of a beacon
				}
				r.proxy, r.began = newLossy(t, in.Gateway, lose), time.Now()
				if r.browser {
					r.runPage(t)
				} else {
					r.runNode(t)
				}
				r.check(t, in)
			})
		}
	})
}

func (r *sdkRun) runNode(t *testing.T) {
	t.Helper()
	p := startCommand(t, exec.Command("node", "server.cjs", r.name, r.proxy.URL, "wk_"+r.source, strconv.Itoa(r.burst), strconv.FormatInt(r.skew.Milliseconds(), 10)))
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", p.name)
	}
	if p.err != nil {
		t.Fatalf("%s: %v", p.name, p.err)
	}
	r.tell(t, p.output())
}

// tell reads the lines in which a program says what it sent.
func (r *sdkRun) tell(t *testing.T, output string) {
	t.Helper()
	r.told = map[int]map[string]any{}
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, `{"n":`) {
			continue
		}
		var told struct {
			N     int
			Event map[string]any
		}
		decode(t, []byte(line), &told)
		r.told[told.N] = told.Event
	}
	if len(r.told) != r.calls {
		t.Fatalf("%s says it sent %d calls, want %d", r.name, len(r.told), r.calls)
	}
}

// decode reads JSON and keeps the digits of numbers.
func decode(t *testing.T, b []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%.300s: %v", b, err)
	}
}

// check compares what arrived with what passed the proxy and with what the
// program says it sent, and looks at the books.
func (r *sdkRun) check(t *testing.T, in installation) {
	t.Helper()
	until(t, fmt.Sprintf("%d events of %s at the webhook", r.calls, r.name), func() bool { return len(r.hook.ids()) >= r.calls })
	wire, sent, lost := r.passed(t)
	until(t, "a balanced book with every call delivered", func() bool {
		b := bookOf(t, in, r.source, "to-"+r.source)
		return b.Delivered == int64(r.calls) && b.Routed == b.Delivered && b.Accepted == int64(sent) &&
			b.Duplicate == int64(sent-r.calls) && b.Quarantined == 0 && b.InFlight == 0 && b.Balanced
	})
	t.Logf("%d calls in %d requests' events, %d answers lost", r.calls, sent, lost)
	if len(wire) != r.calls {
		t.Errorf("%d messageIds passed, want %d", len(wire), r.calls)
	}
	place, seen := map[string]int{}, map[int]bool{}
	for i, a := range r.hook.all() {
		var raw map[string]json.RawMessage
		var event map[string]any
		decode(t, a.Body, &raw)
		decode(t, a.Body, &event)
		mid, _ := event["messageId"].(string)
		if _, twice := place[mid]; twice || mid == "" || mid != a.Header.Get("Weir-Message-Id") {
			t.Errorf("messageId %q arrived twice, or is not the header's: %v", mid, a.Header)
		}
		place[mid] = i
		r.asPassed(t, raw, wire[mid])
		r.times(t, event, wire[mid])
		n := number(event)
		if seen[n] || r.told[n] == nil {
			t.Errorf("call %d arrived twice or was never made: %.300s", n, a.Body)
			continue
		}
		seen[n] = true
		r.asTold(t, n, event)
	}
	r.order(t, place)
}

// passed returns the events that went through the proxy by messageId, how many
// there were with repetitions, and how many answers were lost.
func (r *sdkRun) passed(t *testing.T) (wire map[string]map[string]json.RawMessage, sent, lost int) {
	t.Helper()
	wire = map[string]map[string]json.RawMessage{}
	for _, p := range r.proxy.all() {
		if p.status != 200 {
			t.Errorf("POST %s: %d", p.path, p.status)
		}
		if p.lost {
			lost++
		}
		for _, e := range p.events {
			sent++
			if mid := text(e["messageId"]); wire[mid] == nil { // a retry may say in _metadata that it is one
				wire[mid] = e
			}
		}
	}
	return wire, sent, lost
}

// asPassed compares every field byte by byte with what the SDK put on the wire.
func (r *sdkRun) asPassed(t *testing.T, got, want map[string]json.RawMessage) {
	t.Helper()
	for name, value := range want {
		switch name {
		case "timestamp", "originalTimestamp", "sentAt", "receivedAt", "request_ip", "writeKey":
		default:
			if !bytes.Equal(got[name], value) {
				t.Errorf("%s: %s arrived as %.300s, sent as %.300s", text(want["messageId"]), name, got[name], value)
			}
		}
	}
	if library := got["context"]; !bytes.Contains(library, []byte(`"library":{`)) {
		t.Errorf("no library in the context: %.300s", library)
	}
}

var milliseconds = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// times looks at the three times: the sender's clock is wrong by the skew.
func (r *sdkRun) times(t *testing.T, event map[string]any, sent map[string]json.RawMessage) {
	t.Helper()
	read := func(name string) time.Time {
		s, _ := event[name].(string)
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || !milliseconds.MatchString(s) {
			t.Errorf("%s is %q, want RFC 3339 with milliseconds in UTC", name, s)
		}
		return at
	}
	near := func(what string, at time.Time, shift time.Duration) {
		if early, late := r.began.Add(shift-time.Second), time.Now().Add(shift+time.Second); at.Before(early) || at.After(late) {
			t.Errorf("%s is %v, want between %v and %v", what, at, early, late)
		}
	}
	near("receivedAt", read("receivedAt"), 0)
	near("originalTimestamp", read("originalTimestamp"), r.skew)
	if sent["timestamp"] != nil && sent["originalTimestamp"] != nil {
		near("timestamp, which was given beside originalTimestamp,", read("timestamp"), r.skew)
	} else {
		near("timestamp", read("timestamp"), 0)
	}
	if event["request_ip"] != "127.0.0.1" {
		t.Errorf("request_ip is %v", event["request_ip"])
	}
}

// asTold compares an event with what its program says about it.
func (r *sdkRun) asTold(t *testing.T, n int, event map[string]any) {
	t.Helper()
	context, _ := event["context"].(map[string]any)
	if event["type"] == "identify" && event["traits"] == nil {
		event["traits"] = context["traits"] // where RudderStack's SDKs put them
	}
	if why := within(r.told[n], event, 3); why != "" {
		t.Errorf("call %d (%v): %s", n, event["type"], why)
	}
}

// within says where want is not in got. Objects may have more members in got for
// the first levels; deeper ones, lists and values must be equal.
func within(want, got any, levels int) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || levels <= 0 && len(g) != len(w) {
			return fmt.Sprintf("is %.200v, want %.200v", got, want)
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			if why := within(w[k], g[k], levels-1); why != "" {
				return k + "." + why
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("is %.200v, want %.200v", got, want)
		}
		for i := range w {
			if why := within(w[i], g[i], 0); why != "" {
				return fmt.Sprintf("%d.%s", i, why)
			}
		}
	default:
		if want != got {
			return fmt.Sprintf("is %.200v, want %.200v", got, want)
		}
	}
	return ""
}

// order checks that the events of a user arrive as they were accepted: members
// of a batch in its order, and a request's after those of one that was answered
// before it began.
func (r *sdkRun) order(t *testing.T, place map[string]int) {
	t.Helper()
	counted := map[string]bool{}
	newest := map[string]int{} // by user: the last place of what was answered
	passages := r.proxy.all()
	slices.SortStableFunc(passages, func(a, b passage) int { return a.from.Compare(b.from) })
	var open []passage
	for _, p := range passages {
		open = slices.DeleteFunc(open, func(o passage) bool {
			if o.to.After(p.from) {
				return false
			}
			for _, e := range o.events {
				newest[user(e)] = max(newest[user(e)], place[text(e["messageId"])])
			}
			return true
		})
		own := map[string]int{}
		for _, e := range p.events {
			mid, u := text(e["messageId"]), user(e)
			if counted[mid] {
				continue
			}
			counted[mid] = true
			if at := place[mid]; at < max(newest[u], own[u]) {
				t.Errorf("%s of user %s arrived at place %d, after what was accepted later (%d, %d)", mid, u, at, newest[u], own[u])
			} else {
				own[u] = at
			}
		}
		open = append(open, p)
	}
}

func user(e map[string]json.RawMessage) string {
	if u := text(e["userId"]); u != "" {
		return u
	}
	return text(e["anonymousId"])
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// number returns the number of the call that an event is, -1 when it has none.
func number(event map[string]any) int {
	context, _ := event["context"].(map[string]any)
	call, _ := context["call"].(map[string]any)
	n, err := strconv.Atoi(fmt.Sprint(call["n"]))
	if err != nil {
		return -1
	}
	return n
}

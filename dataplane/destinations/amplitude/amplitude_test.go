package amplitude_test

import (
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
	"weir/dataplane/destinations/amplitude"
	"weir/dataplane/event"
	"weir/shared/id"
	"weir/shared/secret"
)

const key = "made-up-amplitude-key"

// standIn is Amplitude as its pages describe it: it refuses what Amplitude refuses.
type standIn struct {
	url   string
	most  int // events a request may have
	mu    sync.Mutex
	taken []string // insert ids, in order
	codes []int    // of answers
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
	s.codes = append(s.codes, status)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(answer)) // the client has gone
}

func (s *standIn) answer(r *http.Request) (int, string) {
	body, err := io.ReadAll(r.Body)
	var in struct {
		Key    string `json:"api_key"`
		Events []struct {
			User   string          `json:"user_id"`
			Device string          `json:"device_id"`
			Type   string          `json:"event_type"`
			Insert string          `json:"insert_id"`
			Time   int64           `json:"time"`
			Ops    map[string]any  `json:"user_properties"`
			Groups map[string]any  `json:"groups"`
			Money  json.RawMessage `json:"revenue"`
			Event  map[string]any  `json:"event_properties"`
		} `json:"events"`
	}
	switch {
	case err != nil || r.Method != "POST" || r.URL.Path != "/2/httpapi" || r.Header.Get("Content-Type") != "application/json":
		return 404, `{"code":404}`
	case json.Unmarshal(body, &in) != nil:
		return 400, `{"code":400,"error":"Invalid JSON request body"}`
	case in.Key != key:
		return 400, `{"code":400,"error":"Invalid API key: ` + in.Key + `"}`
	case len(body) > 1<<20 || len(in.Events) > s.most:
		return 413, `{"code":413,"error":"Payload too large"}`
	}
	invalid, missing, throttled := []int{}, []int{}, []int{}
	for i, e := range in.Events {
		switch {
		case e.Type == "" || e.User == "" && e.Device == "":
			missing = append(missing, i)
		case e.Time < 1e12 || e.Event["bad"] != nil:
			invalid = append(invalid, i)
		case e.User == "loud":
			throttled = append(throttled, i)
		}
	}
	list := func(all []int) string {
		text, _ := json.Marshal(all)
		return string(text)
	}
	switch {
	case len(invalid)+len(missing) > 0:
		return 400, `{"code":400,"error":"Request missing required field","events_with_invalid_fields":{"time":` + list(invalid) + `},"events_with_missing_fields":{"event_type":` + list(missing) + `}}`
	case len(throttled) > 0:
		return 429, `{"code":429,"error":"Too many requests for some devices and users","eps_threshold":30,"throttled_events":` + list(throttled) + `}`
	}
	for _, e := range in.Events {
		s.taken = append(s.taken, e.Insert)
	}
	return 200, fmt.Sprintf(`{"code":200,"events_ingested":%d}`, len(in.Events))
}

func track(n int, user, more string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":%q,"event":"E","timestamp":"2026-01-02T03:04:05.000Z","properties":{"n":%d%s}}`, n, user, n, more)
}

func TestAnswersOfAmplitude(t *testing.T) {
	t.Parallel()
	group := `{"messageId":"m1","type":"group","userId":"ada","groupId":"g","traits":{"seats":3}}`
	for name, tc := range map[string]struct {
		key    string
		most   int
		events []string
		want   []string
		taken  []string
		codes  []int
	}{
		"all are taken":                   {key, 9, []string{track(1, "ada", ""), track(2, "bob", "")}, []string{"delivered", "delivered"}, []string{"m1", "m2"}, []int{200}},
		"what is refused is alone dead":   {key, 9, []string{group, track(2, "ada", `,"bad":1`), track(3, "ada", ""), track(4, "ada", "")}, []string{"delivered", "dead amplitude_refused", "delivered", "delivered"}, []string{"m1$identify", "m1$groupidentify", "m3", "m4"}, []int{400, 200, 200}},
		"who sends too much alone waits":  {key, 9, []string{track(1, "ada", ""), track(2, "bob", ""), track(3, "loud", "")}, []string{"untried", "untried", "retry busy"}, nil, []int{429}},
		"too large a batch is split":      {key, 2, []string{track(1, "ada", ""), track(2, "ada", ""), track(3, "ada", "")}, []string{"delivered", "delivered", "delivered"}, []string{"m1", "m2", "m3"}, []int{413, 200, 200}},
		"a wrong key is no event's fault": {"another-key", 9, []string{track(1, "ada", ""), track(2, "ada", "")}, []string{"dead rejected_400", "dead rejected_400"}, nil, []int{400}},
		"what is no event for Amplitude":  {key, 9, []string{`{"messageId":"m1","type":"alias","userId":"ada"}`, track(2, "ada", "")}, []string{"dropped unsupported_event", "delivered"}, []string{"m2"}, []int{200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t, tc.most)
			got := destinationtest.Send(t, amplitude.Kind(), `{"baseUrl":"`+s.url+`"}`, map[string]string{"apiKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.taken) + cmp.Diff(tc.codes, s.codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestAFullBatchIsTaken: a thousand events of ordinary size are one request.
func TestAFullBatchIsTaken(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, 2000)
	var events []string
	for i := range 1000 {
		events = append(events, track(i, "ada", `,"text":"`+strings.Repeat("x", 300)+`"`))
	}
	got := destinationtest.Send(t, amplitude.Kind(), `{"baseUrl":"`+s.url+`/"}`, map[string]string{"apiKey": key}, events...)
	if slices.ContainsFunc(got, func(line string) bool { return line != "delivered" }) || len(s.codes) != 1 {
		t.Errorf("%d answers, first line %s", len(s.codes), got[0])
	}
}

func BenchmarkBuild(b *testing.B) {
	o, err := amplitude.Kind().Open(nil, map[string]secret.String{"apiKey": secret.NewString(key)})
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
		if reqs, _ := o.HTTP.Build(batch); len(reqs) != 1 {
			b.Fatal(len(reqs))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/event")
}

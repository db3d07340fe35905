package http_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
	"weir/dataplane/ingest/ingesttest"
	"weir/dataplane/sources/http"
	"weir/shared/fault"
)

// memoryLog is an Append in memory.
type memoryLog struct {
	mu     sync.Mutex
	events []event.Event
	err    error // what Append answers
}

func (s *memoryLog) append(_ context.Context, events []event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.events = append(s.events, events...)
	return nil
}

// take returns what was appended since the last call.
func (s *memoryLog) take() []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.events
	s.events = nil
	return out
}

// gateway is a gateway with source web (key wk) and a disabled one (key off).
func gateway(t *testing.T) (*httptest.Server, *memoryLog, *ingest.Gateway) {
	t.Helper()
	s := new(memoryLog)
	g, err := ingest.New(ingest.Config{
		Kinds: []ingest.Kind{http.Kind()}, Append: s.append, Version: "1.2.3",
		Source: func(key string) (ingest.Entry, bool) {
			switch key {
			case "wk":
				return ingest.Entry{Workspace: "ws_a", Source: "src_web", Name: "web", Type: "http"}, true
			case "off":
				return ingest.Entry{Workspace: "ws_a", Source: "src_off", Name: "off", Type: "http", Disabled: true}, true
			}
			return ingest.Entry{}, false
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return server, s, g
}

// reply is an answer as clients see it.
type reply struct {
	Status   int
	Header   nethttp.Header `json:"-"`
	Success  bool
	Error    struct{ Code, Message string }
	Rejected []struct {
		Index         int
		Code, Message string
	}
}

// send sends one request; edit may change it.
func send(t *testing.T, method, url string, body []byte, edit func(*nethttp.Request)) reply {
	t.Helper()
	req, err := nethttp.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("wk", "")
	if edit != nil {
		edit(req)
	}
	res, err := nethttp.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{Status: res.StatusCode, Header: res.Header}
	if err := json.Unmarshal(text, &r); err != nil || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s: %d %q: %v", method, url, res.StatusCode, text, err)
	}
	return r
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func TestEveryPathTakesItsEvents(t *testing.T) {
	server, s, g := gateway(t)
	types := map[string]string{
		"identify": "identify", "track": "track", "page": "page", "screen": "screen", "group": "group", "alias": "alias", "merge": "merge",
		"i": "identify", "t": "track", "p": "page", "s": "screen", "g": "group", "a": "alias",
	}
	n := uint64(0)
	for path, want := range types {
		for _, slash := range []string{"", "/"} {
			r := send(t, "POST", server.URL+"/v1/"+path+slash, []byte(`{"userId":"u","type":"x"}`), nil)
			got := s.take()
			if r.Status != 200 || !r.Success || len(got) != 1 || got[0].Type != want || !bytes.Contains(got[0].JSON, []byte(`"type":"`+want+`"`)) {
				t.Errorf("%s%s: %d, %+v", path, slash, r.Status, got)
			}
			n++
		}
	}
	for _, path := range []string{"batch", "batch/", "b", "import"} {
		r := send(t, "POST", server.URL+"/v1/"+path, []byte(`{"batch":[{"userId":"u","type":"x"},{"userId":"v"}]}`), nil)
		if got := s.take(); r.Status != 200 || len(got) != 2 || got[0].Type != "x" || got[0].User != "u" || got[1].User != "v" {
			t.Errorf("%s: %d, %+v", path, r.Status, got)
		}
		n += 2
	}
	if r := send(t, "POST", server.URL+"/v1/m", []byte(`what{ever`), func(r *nethttp.Request) { r.Header.Del("Authorization") }); r.Status != 200 || len(s.take()) != 0 {
		t.Errorf("metrics: %+v", r)
	}
	if got := g.Counts(); len(got) != 1 || got[0].Source != "src_web" || got[0].Received != n || got[0].Accepted != n || len(got[0].Reasons) != 0 {
		t.Errorf("counts %+v, want %d accepted", got, n)
	}
}

func TestTheWriteKeyIsTheBasicUserElseInQueryOrBody(t *testing.T) {
	server, s, _ := gateway(t)
	basic := func(user string) func(*nethttp.Request) {
		return func(r *nethttp.Request) {
			r.Header.Del("Authorization")
			if user != "none" {
				r.SetBasicAuth(user, "ignored")
			}
		}
	}
	for name, tc := range map[string]struct {
		user, query, body, code string
		status                  int
	}{
		"Basic":                         {"wk", "", `{"userId":"u"}`, "", 200},
		"Basic counts before the rest":  {"bad", "?writeKey=wk", `{"userId":"u","writeKey":"wk"}`, "unknown_write_key", 401},
		"query":                         {"none", "?writeKey=wk", `{"userId":"u"}`, "", 200},
		"query with an empty user":      {"", "?writeKey=wk", `{"userId":"u"}`, "", 200},
		"query counts before body":      {"none", "?writeKey=bad", `{"userId":"u","writeKey":"wk"}`, "unknown_write_key", 401},
		"body":                          {"none", "", `{"userId":"u","writeKey":"wk"}`, "", 200},
		"body with escapes":             {"none", "", `{"userId":"u","write\u004bey":"w\u006b"}`, "", 200},
		"body, unknown":                 {"none", "", `{"userId":"u","writeKey":"bad"}`, "unknown_write_key", 401},
		"none":                          {"none", "", `{"userId":"u"}`, "no_write_key", 401},
		"none, nothing":                 {"none", "", ``, "no_write_key", 401},
		"a key that is no text":         {"none", "", `{"userId":"u","writeKey":["wk"]}`, "no_write_key", 401},
		"a key in a nested object":      {"none", "", `{"userId":"u","p":{"writeKey":"wk"}}`, "no_write_key", 401},
		"disabled":                      {"off", "", `{"userId":"u"}`, "source_disabled", 404},
		"disabled, by body":             {"none", "", `{"userId":"u","writeKey":"off"}`, "source_disabled", 404},
		"unknown with a body too large": {"bad", "", strings.Repeat(" ", ingest.MaxBody+1), "unknown_write_key", 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := send(t, "POST", server.URL+"/v1/track"+tc.query, []byte(tc.body), basic(tc.user))
			if r.Status != tc.status || r.Error.Code != tc.code || r.Success != (tc.status == 200) || (len(s.take()) == 1) != (tc.status == 200) {
				t.Errorf("got %d %q, want %d %q", r.Status, r.Error.Code, tc.status, tc.code)
			}
		})
	}
}

func TestBadSingleEventsAreRefusedAndNotKept(t *testing.T) {
	server, s, g := gateway(t)
	for name, tc := range map[string]struct {
		path, body, code string
		status           int
	}{
		"no JSON":                {"track", `{"userId":`, "invalid_json", 400},
		"nothing":                {"track", ``, "invalid_json", 400},
		"a list":                 {"track", `[]`, "not_an_object", 400},
		"no id":                  {"track", `{"event":"x"}`, "no_id", 400},
		"two values":             {"track", `{"userId":"u"}{"userId":"u"}`, "invalid_json", 400},
		"invalid UTF-8":          {"track", "{\"userId\":\"\xff\"}", "invalid_utf8", 400},
		"a key twice":            {"track", `{"userId":"u","userId":"v"}`, "duplicate_key", 400},
		"200,000 levels":         {"track", `{"userId":"u","a":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `}`, "too_deep", 400},
		"4 MiB of open lists":    {"track", strings.Repeat("[", ingest.MaxBody), "invalid_json", 400},
		"an event over 1 MiB":    {"track", `{"userId":"` + strings.Repeat("u", event.MaxBytes) + `"}`, "event_too_large", 413},
		"a request over 4 MiB":   {"track", strings.Repeat(" ", ingest.MaxBody+1), "request_too_large", 413},
		"an empty batch":         {"batch", `{"batch":[]}`, "empty_batch", 400},
		"no batch":               {"batch", `{"userId":"u"}`, "no_batch", 400},
		"a list as batch":        {"batch", `[{"userId":"u"}]`, "no_batch", 400},
		"a batch that is cut":    {"batch", `{"batch":[{"userId":"u"},{"us`, "invalid_json", 400},
		"a batch over 4 MiB":     {"batch", `{"batch":["` + strings.Repeat("u", ingest.MaxBody) + `"]}`, "request_too_large", 413},
		"too many members":       {"batch", `{"batch":[` + strings.Repeat("1,", event.MaxMembers) + `1]}`, "too_many_events", 413},
		"a context that expands": {"batch", `{"context":{"a":"` + strings.Repeat("x", 1<<19) + `"},"batch":[` + strings.Repeat(`{"userId":1},`, 1000) + `1]}`, "batch_too_large", 413},
	} {
		t.Run(name, func(t *testing.T) {
			before := g.Counts()
			r := send(t, "POST", server.URL+"/v1/"+tc.path, []byte(tc.body), nil)
			if r.Status != tc.status || r.Error.Code != tc.code || r.Error.Message == "" || len(s.take()) != 0 {
				t.Errorf("got %d %+v, want %d %s", r.Status, r.Error, tc.status, tc.code)
			}
			var refused uint64
			if len(before) > 0 {
				refused = before[0].Refused
			}
			if now := g.Counts(); tc.code != "request_too_large" && (len(now) != 1 || now[0].Refused != refused+1 || now[0].Accepted != 0) {
				t.Errorf("counts %+v, before %+v", now, before)
			}
		})
	}
}

func TestABatchKeepsItsGoodMembersAndQuarantinesTheBad(t *testing.T) {
	server, s, g := gateway(t)
	nested := strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)
	large := `{"userId":"` + strings.Repeat("u", event.MaxBytes) + `"}`
	bad := []string{`7`, `{"event":"no id"}`, nested, "{\"userId\":\"\xff\"}", `{"userId":"u","a":1,"a":2}`, `{"userId":nul}`, large, "{\"userId\":\"\x00\"}"}
	codes := []string{"not_an_object", "no_id", "too_deep", "invalid_utf8", "duplicate_key", "invalid_json", "event_too_large", "invalid_json"}
	good := `{"userId":"u","n":12345678901234567890,"s":"\ud800\u0000","d":{"a":1,"a":2}}`
	body := `{"batch":[` + good
	for _, b := range bad {
		body += "," + b + "," + good
	}
	r := send(t, "POST", server.URL+"/v1/batch", []byte(body+`]}`), nil)
	got := s.take()
	if r.Status != 200 || !r.Success || len(r.Rejected) != len(bad) || len(got) != 2*len(bad)+1 {
		t.Fatalf("%d, %d rejected, %d appended", r.Status, len(r.Rejected), len(got))
	}
	for i, x := range r.Rejected {
		if x.Index != 2*i+1 || x.Code != codes[i] || x.Message == "" {
			t.Errorf("rejected %d: %+v, want index %d and %s", i, x, 2*i+1, codes[i])
		}
	}
	for i, e := range got {
		if i <= len(bad) {
			if e.Quarantine != "" || !bytes.HasPrefix(e.JSON, []byte(good[:len(good)-1])) {
				t.Errorf("kept %d: %q %.200s", i, e.Quarantine, e.JSON)
			}
			continue
		}
		if j := i - len(bad) - 1; e.Quarantine != codes[j] || string(e.JSON) != bad[j] || e.MessageID == "" {
			t.Errorf("quarantined %d: %q %.80q", j, e.Quarantine, e.JSON)
		}
	}
	if c := g.Counts(); c[0].Received != 17 || c[0].Accepted != 17 {
		t.Errorf("counts %+v", c)
	}

	r = send(t, "POST", server.URL+"/v1/batch", []byte(`{"batch":[1,{"a":"b"}]}`), nil)
	if got := s.take(); r.Status != 400 || r.Success || r.Error.Code != "no_valid_event" || len(r.Rejected) != 2 || len(got) != 2 || got[1].Quarantine != "no_id" {
		t.Errorf("all bad: %+v, appended %+v", r, got)
	}
}

func TestNothingIsAcknowledgedUnlessAppendSucceeded(t *testing.T) {
	server, s, g := gateway(t)
	for _, tc := range []struct {
		err  error
		code string
	}{
		{fault.New(fault.Limited, "full"), "overloaded"},
		{fault.New(fault.Unavailable, "away"), "unavailable"},
		{fmt.Errorf("append: %w", &fault.Error{Kind: fault.Limited, Problems: []fault.Problem{{Code: "parked_full"}}}), "parked_full"},
		{context.DeadlineExceeded, "unavailable"},
	} {
		s.mu.Lock()
		s.err = tc.err
		s.mu.Unlock()
		for _, body := range []string{`{"batch":[{"userId":"u"},1]}`, `{"batch":[1,2]}`} {
			r := send(t, "POST", server.URL+"/v1/batch", []byte(body), nil)
			if r.Status != 503 || r.Success || r.Error.Code != tc.code || len(r.Header.Get("Retry-After")) != 1 || r.Header.Get("Retry-After") < "1" {
				t.Errorf("%v: %d %+v, Retry-After %q", tc.err, r.Status, r.Error, r.Header.Get("Retry-After"))
			}
		}
	}
	if c := g.Counts(); c[0].Refused != 16 || c[0].Received != 16 {
		t.Errorf("counts %+v", c)
	}
}

func TestBodiesMayBeZipped(t *testing.T) {
	server, s, _ := gateway(t)
	body := []byte(`{"batch":[{"userId":"u"}]}`)
	damaged := zipped(bytes.Repeat(body, 100))
	damaged[len(damaged)-6] ^= 0xFF // the checksum
	for name, tc := range map[string]struct {
		encoding string
		body     []byte
		status   int
		code     string
	}{
		"gzip":                    {"gzip", zipped(body), 200, ""},
		"GZIP":                    {"GZIP", zipped(body), 200, ""},
		"two gzip members":        {"gzip", append(zipped(body[:9]), zipped(body[9:])...), 200, ""},
		"identity":                {"identity", body, 200, ""},
		"plain as gzip":           {"gzip", body, 400, "bad_encoding"},
		"nothing as gzip":         {"gzip", nil, 400, "bad_encoding"},
		"cut off":                 {"gzip", zipped(body)[:20], 400, "bad_encoding"},
		"a wrong checksum":        {"gzip", damaged, 400, "bad_encoding"},
		"an encoding not known":   {"compress", body, 400, "unsupported_encoding"},
		"gzip without the header": {"", zipped(body), 400, "invalid_json"},
		"a bomb":                  {"gzip", zipped(make([]byte, 64<<20)), 413, "request_too_large"},
		"endless empty members":   {"gzip", bytes.Repeat(zipped(nil), ingest.MaxBody/23-10), 400, "invalid_json"},
		"exactly 4 MiB":           {"gzip", zipped(append(body, bytes.Repeat([]byte(" "), ingest.MaxBody-len(body))...)), 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := send(t, "POST", server.URL+"/v1/batch", tc.body, func(r *nethttp.Request) {
				r.Header.Set("Content-Encoding", tc.encoding)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			})
			if got := s.take(); r.Status != tc.status || r.Error.Code != tc.code || (len(got) == 1) != (tc.status == 200) {
				t.Errorf("got %d %+v, %d events, want %d %s", r.Status, r.Error, len(got), tc.status, tc.code)
			}
		})
	}
}

func TestHostileBodiesAreAnswered(t *testing.T) {
	server, s, _ := gateway(t)
	for name, body := range ingesttest.Hostile() {
		for _, path := range []string{"track", "batch"} {
			if r := send(t, "POST", server.URL+"/v1/"+path, body, nil); r.Status != 400 && r.Status != 413 {
				t.Errorf("%s to %s: %d", name, path, r.Status)
			}
		}
	}
	s.take()
	if r := send(t, "POST", server.URL+"/v1/track", []byte(`{"userId":"u"}`), nil); r.Status != 200 {
		t.Errorf("afterwards: %+v", r)
	}
}

func TestTenClientsAtOnceLoseNothing(t *testing.T) {
	server, s, g := gateway(t)
	const clients, requests, each = 10, 30, 20
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range requests {
				var members []string
				for j := range each {
					members = append(members, fmt.Sprintf(`{"userId":"u%d","messageId":"%d-%d-%d","type":"track","p":%q}`, c, c, i, j, strings.Repeat(fmt.Sprint(c), 500)))
				}
				body := []byte(`{"batch":[` + strings.Join(members, ",") + `]}`)
				edit := func(*nethttp.Request) {}
				if i%2 == 0 {
					body = zipped(body)
					edit = func(r *nethttp.Request) { r.Header.Set("Content-Encoding", "gzip") }
				}
				if r := send(t, "POST", server.URL+"/v1/batch", body, edit); r.Status != 200 {
					t.Errorf("client %d request %d: %d", c, i, r.Status)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	order := map[string][]string{}
	for _, e := range s.take() {
		id := string(e.MessageID)
		seen[id]++
		order[e.User] = append(order[e.User], id)
		c, _, _ := strings.Cut(id, "-")
		if e.User != "u"+c || !bytes.Contains(e.JSON, []byte(`"p":"`+strings.Repeat(c, 500)+`"`)) || !json.Valid(e.JSON) {
			t.Fatalf("event %s of user %s is mixed with another: %.300s", id, e.User, e.JSON)
		}
	}
	for c := range clients {
		var want []string
		for i := range requests {
			for j := range each {
				want = append(want, fmt.Sprintf("%d-%d-%d", c, i, j))
			}
		}
		if !slices.Equal(order[fmt.Sprintf("u%d", c)], want) {
			t.Errorf("client %d: %d events, or in another order, want %d", c, len(order[fmt.Sprintf("u%d", c)]), len(want))
		}
	}
	if n := uint64(clients * requests * each); len(seen) != int(n) || g.Counts()[0].Accepted != n {
		t.Errorf("%d events, counts %+v, want %d", len(seen), g.Counts(), n)
	}
}

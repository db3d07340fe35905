package http_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	nethttp "net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
	"weir/shared/fault"
)

// fields returns an event's fields but for those that differ each time, which it
// wants to be there.
func fields(t *testing.T, e event.Event) map[string]any {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(e.JSON, &got); err != nil {
		t.Fatalf("%v in %s", err, e.JSON)
	}
	for _, key := range []string{"messageId", "receivedAt", "sentAt", "originalTimestamp", "timestamp", "request_ip"} {
		if got[key] == "" || got[key] == nil && key != "sentAt" {
			t.Errorf("%s is missing in %s", key, e.JSON)
		}
		delete(got, key)
	}
	return got
}

func TestAPixelIsAnEvent(t *testing.T) {
	server, s, g := gateway(t)
	all := map[string]any{"All": true}
	accepted, refused := 0, 0
	for name, tc := range map[string]struct {
		path string
		full error // what Append answers
		want map[string]any
		none bool // no source to count it for
	}{
		"a page":       {path: "page/?writeKey=wk&anonymousId=a-1", want: map[string]any{"type": "page", "anonymousId": "a-1", "channel": "web", "integrations": all, "name": "Unknown Page"}},
		"a named page": {path: "page?writeKey=wk&userId=u&name=Home+%C3%A9&type=x", want: map[string]any{"type": "page", "userId": "u", "channel": "web", "integrations": all, "name": "Home é"}},
		"a track with objects": {path: "track?writeKey=wk&userId=u&event=Opened&properties.mail.id=7&properties.b=%22&channel=mail&integrations.S3=x",
			want: map[string]any{"type": "track", "userId": "u", "event": "Opened", "channel": "mail", "integrations": map[string]any{"S3": "x"}, "properties": map[string]any{"b": `"`, "mail": map[string]any{"id": "7"}}}},
		"names that collide": {path: "track?writeKey=wk&userId=u&event=e&a=1&a=2&a.b=3&c..d=4&.=5&e.f=6&e.f.g=7",
			want: map[string]any{"type": "track", "userId": "u", "event": "e", "channel": "web", "integrations": all, "a": "1", "a.b": "3", "c..d": "4", ".": "5", "e": map[string]any{"f": "6"}, "e.f.g": "7"}},
		"a very deep name":         {path: "track?writeKey=wk&userId=u&event=e&" + strings.Repeat("a.", 500) + "a=1", want: map[string]any{"type": "track", "userId": "u", "event": "e", "channel": "web", "integrations": all, strings.Repeat("a.", 500) + "a": "1"}},
		"a track without a name":   {path: "track?writeKey=wk&userId=u&event=+"},
		"no id":                    {path: "page?writeKey=wk"},
		"no UTF-8":                 {path: "page?writeKey=wk&userId=%FF"},
		"a query that is no query": {path: "page?writeKey=wk&userId=u&x=%zz"},
		"a full plane":             {path: "page?writeKey=wk&userId=u", full: fault.New(fault.Limited, "full")},
		"a disabled source":        {path: "page?writeKey=off&userId=u", none: true},
		"an unknown key":           {path: "page?writeKey=bad&userId=u", none: true},
		"no key":                   {path: "page?userId=u", none: true},
	} {
		t.Run(name, func(t *testing.T) {
			s.mu.Lock()
			s.err = tc.full
			s.mu.Unlock()
			res, err := nethttp.Get(server.URL + "/pixel/v1/" + tc.path)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			image, _ := io.ReadAll(res.Body)
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/gif" || res.Header.Get("Cache-Control") != "no-store" || !bytes.HasPrefix(image, []byte("GIF89a\x01\x00\x01\x00")) {
				t.Errorf("%d %v %q", res.StatusCode, res.Header, image)
			}
			got := s.take()
			if tc.want == nil {
				if len(got) != 0 {
					t.Errorf("kept %s", got[0].JSON)
				}
				if !tc.none {
					refused++
				}
				return
			}
			accepted++
			if len(got) != 1 {
				t.Fatalf("%d events", len(got))
			}
			if diff := cmp.Diff(tc.want, fields(t, got[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
	want := []ingest.Count{
		{Workspace: "ws_a", Source: "src_off", Received: 1, Refused: 1},
		{Workspace: "ws_a", Source: "src_web", Received: uint64(accepted + refused), Refused: uint64(refused), Accepted: uint64(accepted)},
	}
	if diff := cmp.Diff(want, g.Counts(), cmpopts.IgnoreFields(ingest.Count{}, "Reasons", "Accepts", "Refuses")); diff != "" {
		t.Error(diff)
	}
}

func TestAPixelKeepsTheTimesItWasGiven(t *testing.T) {
	server, s, _ := gateway(t)
	res, err := nethttp.Get(server.URL + "/pixel/v1/page?writeKey=wk&userId=u&messageId=m&originalTimestamp=2026-03-01T10:00:00Z&sentAt=2026-03-01T10:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	got := s.take()
	if len(got) != 1 || got[0].MessageID != "m" || !bytes.Contains(got[0].JSON, []byte(`"originalTimestamp":"2026-03-01T10:00:00.000Z"`)) ||
		!bytes.Contains(got[0].JSON, []byte(`"timestamp":"`+got[0].ReceivedAt.Format("2006-01-02T15:04:05.000Z")+`"`)) {
		t.Errorf("%+v", got)
	}
}

func TestABeaconIsABatchWithItsKeyInTheQuery(t *testing.T) {
	server, s, _ := gateway(t)
	body := []byte(`{"batch":[{"userId":"u","type":"page"},{"userId":"v","type":"track"},7],"sentAt":"2026-03-01T10:00:00Z"}`)
	beacon := func(r *nethttp.Request) {
		r.Header.Del("Authorization")
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	for _, path := range []string{"/beacon/v1/batch?writeKey=wk", "/beacon/v1/batch/?writeKey=wk"} {
		r := send(t, "POST", server.URL+path, body, beacon)
		if got := s.take(); r.Status != 200 || len(r.Rejected) != 1 || len(got) != 3 || got[0].User != "u" || got[1].Type != "track" || got[2].Quarantine != "not_an_object" {
			t.Errorf("%s: %+v, %+v", path, r, got)
		}
	}
	for path, status := range map[string]int{"": 401, "?writeKey=bad": 401, "?writeKey=off": 404} {
		if r := send(t, "POST", server.URL+"/beacon/v1/batch"+path, body, beacon); r.Status != status || len(s.take()) != 0 {
			t.Errorf("%q: %+v", path, r)
		}
	}
}

func TestAPixelWithItsEventInOneParameter(t *testing.T) {
	server, s, _ := gateway(t)
	const text = `{"writeKey":"wk","userId":"ü>?~","event":"Opened","properties":{"subject":"Hi"}}`
	want := map[string]any{"type": "track", "userId": "ü>?~", "event": "Opened", "writeKey": "wk", "properties": map[string]any{"subject": "Hi"}}
	for name, tc := range map[string]struct {
		query string
		kept  bool
	}{
		"standard":        {"data=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(text))), true},
		"without padding": {"data=" + url.QueryEscape(base64.RawStdEncoding.EncodeToString([]byte(text))), true},
		"for URLs":        {"data=" + base64.URLEncoding.EncodeToString([]byte(text)), true},
		"not escaped":     {"data=" + base64.StdEncoding.EncodeToString([]byte(text)), true},
		"an unknown key":  {"data=" + base64.URLEncoding.EncodeToString([]byte(`{"writeKey":"no","userId":"u","event":"e"}`)), false},
		"no base64":       {"writeKey=wk&data=%25%25", false},
		"no event":        {"writeKey=wk&data=" + base64.URLEncoding.EncodeToString([]byte(`7`)), false},
		"nothing":         {"", false},
	} {
		res, err := nethttp.Get(server.URL + "/v1/pixel/track?" + tc.query)
		if err != nil {
			t.Fatal(err)
		}
		image, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/gif" || !bytes.HasPrefix(image, []byte("GIF89a")) {
			t.Errorf("%s: %d %q, want the image", name, res.StatusCode, image)
		}
		got := s.take()
		if len(got) != map[bool]int{true: 1}[tc.kept] {
			t.Errorf("%s: %d events, want them kept: %v", name, len(got), tc.kept)
			continue
		}
		if tc.kept {
			if diff := cmp.Diff(want, fields(t, got[0])); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

func TestAddressesAndTextsThatProgramsMakeAreServed(t *testing.T) {
	server, s, _ := gateway(t)
	const mark = "\xef\xbb\xbf"
	for path, body := range map[string]string{
		"//v1/track": `{"userId":"u","event":"e"}`, "/v1//track/": `{"userId":"u","event":"e"}`, "//v1/batch": mark + `{"batch":[{"userId":"u"}]}`,
		"/v1/track": mark + `{"userId":"u","event":"e"}`, "/v1/webhook": mark + `{"a":1}`,
	} {
		if r := send(t, "POST", server.URL+path, []byte(body), nil); r.Status != 200 {
			t.Errorf("%s %q: %d %+v", path, body, r.Status, r.Error)
		}
		if got := s.take(); len(got) != 1 || bytes.Contains(got[0].JSON, []byte(mark)) {
			t.Errorf("%s %q: %d events, want one without the mark", path, body, len(got))
		}
	}
	if r := send(t, "POST", server.URL+"/v1/track", []byte(mark+`{"writeKey":"wk","userId":"u","event":"e"}`), func(r *nethttp.Request) { r.Header.Del("Authorization") }); r.Status != 200 {
		t.Errorf("a key behind the mark: %d %+v", r.Status, r.Error)
	}
}

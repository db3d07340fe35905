package view_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/view"
	"weir/dataplane/view/preview"
	"weir/shared/capability"
	"weir/shared/egress"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// hook sends to an address.
type hook string

func (h hook) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	if h == "panic" {
		panic("a kind with a bug")
	}
	return []destination.Request{{Method: "POST", URL: string(h), Body: b.Items[0].Event.JSON, Items: []int{0}}}, nil
}
func (hook) Judge(destination.Request, destination.Response) []destination.Verdict { return nil }

type answer struct {
	OK     bool
	Code   string
	Detail string
}

func (f *fixture) test(change func(*capability.Grant), destination string) (int, answer, string) {
	f.t.Helper()
	w := f.do("POST", "/v1/destinations/test", f.token(change, capability.TestDestination), fmt.Sprintf(`{"destination":%q}`, destination))
	var a answer
	if w.Code == 200 {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			f.t.Fatal(err)
		}
	}
	return w.Code, a, w.Body.String()
}

func TestAConnectionTestConnectsAndSendsNothing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	received := make(chan []byte, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b, _ := io.ReadAll(conn)
		received <- b
	}()
	f := newFixtureWith(t, "", func(c *view.Config) {
		c.Plans, c.Dial = plans(t, opens(hook("http://"+listener.Addr().String()+"/path"))), egress.New(egress.Policy{Private: true}).DialContext
	})
	code, a, _ := f.test(nil, "hook")
	if d := cmp.Diff(answer{OK: true}, a); d != "" || code != 200 {
		t.Errorf("%d (-want +got):\n%s", code, d)
	}
	if b := <-received; len(b) > 0 {
		t.Errorf("it was sent %q, want nothing", b)
	}
}

func TestWhyADestinationCannotBeReached(t *testing.T) {
	t.Parallel()
	tls := httptest.NewTLSServer(http.NotFoundHandler()) // of an authority that nobody knows
	tls.Config.ErrorLog = nil
	defer tls.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	private, public := egress.New(egress.Policy{Private: true}).DialContext, egress.New(egress.Policy{}).DialContext
	refuse := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	for name, tc := range map[string]struct {
		url  string
		dial func(context.Context, string, string) (net.Conn, error)
		code string
	}{
		"nobody listens":         {"http://" + closed.Addr().String(), private, "connect_failed"},
		"a strange certificate":  {tls.URL, private, "tls_failed"},
		"not TLS at all":         {"https://" + strings.TrimPrefix(tls.URL, "https://"), private, "tls_failed"},
		"a private address":      {"http://127.0.0.1:1/", public, "egress_denied"},
		"metadata":               {"http://169.254.169.254/", private, "egress_denied"},
		"what the guard forbids": {"http://example.com/", refuse(fault.New(fault.Denied, "no")), "guard_denied"},
		"no such host":           {"http://nowhere.invalid/", refuse(&net.OpError{Err: &net.DNSError{Err: "no such host", Name: "nowhere.invalid", IsNotFound: true}}), "resolve_failed"},
		"no request":             {"/only/a/path", private, "no_address"},
		"a kind with a bug":      {"panic", private, "no_address"},
	} {
		f := newFixtureWith(t, "", func(c *view.Config) { c.Plans, c.Dial = plans(t, opens(hook(tc.url))), tc.dial })
		if code, a, body := f.test(nil, "hook"); code != 200 || a.OK || a.Code != tc.code || a.Detail == "" {
			t.Errorf("%s: %d %s, want %s with a sentence", name, code, body, tc.code)
		}
	}
}

// asked is a kind that declares a request for tests.
type asked struct{ hook }

func (a asked) Test(time.Time) (destination.Request, bool) {
	if a.hook == "panic" {
		panic("a kind with a bug")
	}
	return destination.Request{Method: "GET", URL: string(a.hook) + "/me", Items: []int{0}}, a.hook != ""
}
func (asked) Accepted(r destination.Response) bool {
	return r.Status == 200 && string(r.Body) != "nobody"
}

func TestTheRequestOfAKindTellsWhetherCredentialsAreAccepted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		res   destination.Response
		err   error
		code  string
		tells string
	}{
		"good":             {destination.Response{Status: 200, Body: []byte("ada")}, nil, "", ""},
		"200 of a refusal": {destination.Response{Status: 200, Body: []byte("nobody")}, nil, "sign_in_failed", "nobody"},
		"401":              {destination.Response{Status: 401, Body: []byte("who?")}, nil, "sign_in_failed", "401"},
		"404":              {destination.Response{Status: 404}, nil, "test_refused", "404"},
		"429":              {destination.Response{Status: 429}, nil, "no_answer", "429"},
		"503":              {destination.Response{Status: 503, Body: bytes.Repeat([]byte("x"), 60<<10)}, nil, "no_answer", "xxx"},
		"no host":          {destination.Response{}, &net.DNSError{Name: "a.example", IsNotFound: true}, "resolve_failed", "a.example"},
		"nobody listens":   {destination.Response{}, syscall.ECONNREFUSED, "connect_failed", "accepts"},
		"TLS":              {destination.Response{}, errors.New("tls: bad"), "tls_failed", "handshake"},
		"no token":         {destination.Response{}, &fault.Error{Kind: fault.Unavailable, Problems: []fault.Problem{{Code: "token_refused", Text: "No token."}}}, "sign_in_failed", "No token."},
		"not allowed":      {destination.Response{}, fault.Problems("", []fault.Problem{{Code: "egress_denied", Text: "private"}}), "egress_denied", "private"},
		"forbidden":        {destination.Response{}, fault.New(fault.Denied, "Not this host."), "guard_denied", "Not this host."},
		"time":             {destination.Response{}, context.DeadlineExceeded, "timeout", "answer"},
	} {
		sent := ""
		f := newFixtureWith(t, "", func(c *view.Config) {
			c.Plans, c.Dial = plans(t, opens(asked{"http://a.example"})), (&net.Dialer{}).DialContext
			c.Try = func(_ context.Context, _ *destination.Target, r destination.Request) (destination.Response, error) {
				sent = r.Method + " " + r.URL
				return tc.res, tc.err
			}
		})
		code, a, body := f.test(nil, "hook")
		if code != 200 || a.OK != (tc.code == "") || a.Code != tc.code || !strings.Contains(a.Detail, tc.tells) || !strings.Contains(body, `"tried":"request"`) || len(body) > 8<<10 {
			t.Errorf("%s: %d %.300s, want %s and %s", name, code, body, tc.code, tc.tells)
		}
		if sent != "GET http://a.example/me" {
			t.Errorf("%s: %q was sent", name, sent)
		}
	}
	for _, kind := range []hook{"", "panic"} { // a kind without a request, or with a mistake: no request is sent
		f := newFixtureWith(t, "", func(c *view.Config) {
			c.Plans, c.Dial = plans(t, opens(asked{kind})), (&net.Dialer{}).DialContext
			c.Try = func(context.Context, *destination.Target, destination.Request) (destination.Response, error) {
				t.Errorf("of %q a request was sent", kind)
				return destination.Response{}, nil
			}
		})
		if code, a, body := f.test(nil, "hook"); code != 200 || a.Code != "no_address" || !strings.Contains(body, `"tried":"connection"`) {
			t.Errorf("%q: %d %s", kind, code, body)
		}
	}
}

func TestAConnectionTestDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixtureWith(t, "", func(c *view.Config) {
			c.Now, c.Plans = time.Now, plans(t, opens(hook("http://example.com/")))
			c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		})
		start := time.Now()
		if code, a, body := f.test(nil, "hook"); code != 200 || a.Code != "timeout" || time.Since(start) != 15*time.Second {
			t.Errorf("%d %s after %s, want timeout after 15 s", code, body, time.Since(start))
		}
	})
}

func TestWarehousesAndSinksAreSignedInTo(t *testing.T) {
	t.Parallel()
	w := &warehouse{}
	f := withWarehouse(t, w, nil)
	if code, a, body := f.test(nil, "lake"); code != 200 || !a.OK {
		t.Errorf("a warehouse: %d %s", code, body)
	}
	w.test = errors.New("password of nobody")
	if _, a, body := f.test(nil, "dst_b"); a.OK || a.Code != "sign_in_failed" || a.Detail != "password of nobody" {
		t.Errorf("a warehouse that refuses: %s", body)
	}
	if d := cmp.Diff([]string{"test ws_a dst_b", "test ws_a dst_b"}, w.asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
	closed := 0
	opening := error(nil)
	f = newFixtureWith(t, "", func(c *view.Config) {
		c.Dial = (&net.Dialer{}).DialContext
		c.Plans = plans(t, func([]byte, map[string]secret.String) (destination.Opened, error) {
			return destination.Opened{Sink: func(context.Context, destination.Deps) (destination.Sink, error) { return sink{&closed}, opening }}, nil
		})
	})
	if _, a, body := f.test(nil, "hook"); !a.OK || closed != 1 {
		t.Errorf("a sink: %s, closed %d times", body, closed)
	}
	opening = errors.New("no broker")
	if _, a, body := f.test(nil, "hook"); a.Code != "sign_in_failed" || a.Detail != "no broker" {
		t.Errorf("a sink that is away: %s", body)
	}
}

type sink struct{ closed *int }

func (sink) Write(context.Context, destination.Batch) ([]destination.Verdict, error) { return nil, nil }
func (s sink) Close() error                                                          { *s.closed++; return nil }

func TestOnlyTheGrantedDestinationIsTested(t *testing.T) {
	t.Parallel()
	dialled := 0
	f := newFixtureWith(t, "", func(c *view.Config) {
		c.Plans = plans(t, opens(hook("http://example.com/")))
		c.Dial = func(context.Context, string, string) (net.Conn, error) { dialled++; return nil, errors.New("no") }
	})
	lake := func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_b"} }
	for destination, want := range map[string]int{"hook": 403, "dst_z": 403, "none": 403} {
		if code, _, body := f.test(lake, destination); code != want {
			t.Errorf("%s: %d %s, want %d", destination, code, body, want)
		}
	}
	for destination, want := range map[string]int{"foreign": 404, "dst_z": 404, "": 404} {
		if code, _, body := f.test(nil, destination); code != want {
			t.Errorf("%s: %d %s, want %d", destination, code, body, want)
		}
	}
	if dialled > 0 {
		t.Errorf("%d were dialled", dialled)
	}
}

func TestPreviewsShowALineForEachEvent(t *testing.T) {
	t.Parallel()
	type line struct {
		MessageID string `json:"messageId"`
	}
	f := newFixtureWith(t, "", func(c *view.Config) {
		c.Previews.OfTransformation = func(_ context.Context, ws id.Workspace, d preview.Transformation) ([]any, error) {
			if ws != "ws_a" || d.Code == "bad" {
				return nil, fault.Problems("The code has problems:", []fault.Problem{{Path: "code", Code: "syntax", Text: "Line 1."}})
			}
			return []any{line{d.Libraries[0].Name}, line{string(d.Events[1])}}, nil
		}
		c.Previews.OfDestination = func(_ context.Context, d preview.Destination) ([]any, error) {
			return []any{line{d.Type + " " + string(d.Settings) + " " + string(d.Events[0])}}, nil
		}
	})
	for name, tc := range map[string]struct {
		path, body string
		code       int
		want       string
	}{
		"transformation":   {"transformation", `{"code":"x","libraries":[{"name":"lib","code":"y"}],"events":[{},{"n":2}]}`, 200, "{\"messageId\":\"lib\"}\n{\"messageId\":\"{\\\"n\\\":2}\"}\n"},
		"bad code":         {"transformation", `{"code":"bad","events":[{}]}`, 400, `"problems":[{"path":"code","code":"syntax","text":"Line 1."}]`},
		"no events":        {"transformation", `{"code":"x","events":[]}`, 400, "Give events"},
		"too many":         {"transformation", `{"code":"x","events":[{}` + strings.Repeat(",{}", 100) + `]}`, 400, "Give events"},
		"too large":        {"transformation", `{"code":"` + strings.Repeat("x", 5<<20) + `","events":[{}]}`, 400, "JSON object"},
		"large enough":     {"destination", `{"type":"` + strings.Repeat("x", 2<<20) + `","events":[{}]}`, 200, "xxx"},
		"destination":      {"destination", `{"type":"hook","settings":{"a":1},"events":[{}]}`, 200, "{\"messageId\":\"hook {\\\"a\\\":1} {}\"}\n"},
		"no settings":      {"destination", `{"type":"hook","events":[{}]}`, 200, "hook {} {}"},
		"secrets in clear": {"destination", `{"type":"hook","secrets":{"a":"b"},"events":[{}]}`, 400, "JSON object"},
	} {
		w := f.do("POST", "/v1/preview/"+tc.path, f.token(nil, capability.Preview), tc.body)
		if w.Code != tc.code || !strings.Contains(w.Body.String(), tc.want) {
			t.Errorf("%s: %d %.300s, want %d %s", name, w.Code, w.Body, tc.code, tc.want)
		}
	}
}

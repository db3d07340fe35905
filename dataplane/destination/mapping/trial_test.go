package mapping_test

import (
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/shared/catalog"
	"weir/shared/fault"
)

type tester interface {
	Test(now time.Time) (r destination.Request, ok bool)
	Accepted(destination.Response) bool
}

func TestAFileDeclaresTheRequestOfAConnectionTest(t *testing.T) {
	t.Parallel()
	const calls = `
calls: [{ on: { type: [track] }, path: /t, body: { e: event } }]
test: { path: "/users/{settings.word}", query: { at: $now }, headers: { X-Word: "{settings.word}" }, status: [200, 3xx], when: { user.id: { exists: true } } }
`
	d, ok := open(t, calls, `{"word":"ab"}`).(tester)
	if !ok {
		t.Fatal("the destination has no test")
	}
	r, ok := d.Test(now)
	if !ok || r.Method != "GET" || r.URL != "https://api.acme.example/users/ab?at=2026-01-02T03%3A04%3A05.678Z" || r.Header.Get("X-Word") != "ab" || r.Body != nil {
		t.Errorf("the request is %+v, %v", r, ok)
	}
	for body, want := range map[string]bool{`{"user":{"id":1}}`: true, `{"user":{"id":null}}`: false, `no JSON`: false, ``: false} {
		if got := d.Accepted(destination.Response{Status: 200, Body: []byte(body)}); got != want {
			t.Errorf("Accepted(200 %s) = %v, want %v", body, got, want)
		}
	}
	for status, want := range map[int]bool{200: true, 201: false, 302: true, 401: false, 500: false} {
		if got := d.Accepted(destination.Response{Status: status, Body: []byte(`{"user":{"id":1}}`)}); got != want {
			t.Errorf("Accepted(%d) = %v, want %v", status, got, want)
		}
	}
	d, _ = open(t, "calls: [{ on: { type: [track] }, path: /t, body: { e: event } }]", `{}`).(tester)
	if r, ok := d.Test(now); ok || d.Accepted(destination.Response{Status: 200}) {
		t.Errorf("a file without a test has %+v", r)
	}
	d, _ = open(t, `test: { path: /check, body: { word: settings.word, none: event } }`, `{"word":"w"}`).(tester)
	if r, ok := d.Test(now); !ok || r.Method != "POST" || string(r.Body) != `{"word":"w"}` {
		t.Errorf("the request with a body is %s %s, %v", r.Method, r.Body, ok)
	}
}

func TestMistakesInATestAreNamed(t *testing.T) {
	t.Parallel()
	for lines, path := range map[string]string{
		`test: { method: GET }`:                                         "test",
		`test: { path: /a, status: 600 }`:                               "test.status",
		`test: { path: a }`:                                             "test.path",
		`test: { path: /a, answers: [] }`:                               "test.answers",
		`test: { path: /a, when: { a: { above: many } } }`:              "test.when.a.above",
		`test: { path: /a, headers: { Authorization: settings.word } }`: "test.headers.Authorization",
	} {
		_, err := catalog.Parse([]byte(head + lines))
		found := false
		for _, p := range fault.ProblemsOf(err) {
			found = found || p.Path == path
		}
		if !found {
			t.Errorf("%s: %v, want a problem at %s", lines, err, path)
		}
	}
}

package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/shared/command"
)

const ownSource = `family: source
name: desk
title: Desk
doc: Our own.
base: { any: https://desk.example }
secrets:
  - { name: key, type: string, title: Key, required: true }
auth: [{ type: bearer, value: "{secrets.key}" }]
streams:
  tickets:
    doc: Tickets.
    get: /tickets
    query: { since: "{window.from}" }
    pages: { token: next, param: page }
    rows: tickets
    key: id
    cursor: { field: updated, lag: 1m }
  users:
    doc: Users.
    get: /users
    key: id
  comments:
    doc: Comments.
    for: tickets
    off: true
    get: "/tickets/{parent.id}/comments"
    key: id
`

func TestASourceOfOnesOwnIsCheckedAndItsFirstRowsAreRead(t *testing.T) {
	t.Parallel()
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer made-up-key":
			http.Error(w, "made-up-key is wrong", http.StatusUnauthorized)
		case r.URL.Path == "/tickets" && r.URL.Query().Get("page") == "":
			_, _ = fmt.Fprint(w, `{"tickets":[{"id":1,"updated":"2026-01-01T00:00:00Z"},{"id":2,"updated":"2026-01-02T00:00:00Z"}],"next":"b"}`)
		case r.URL.Path == "/tickets":
			_, _ = fmt.Fprint(w, `{"tickets":[{"id":3,"updated":"2026-01-03T00:00:00Z"},{"id":4,"updated":"2026-01-04T00:00:00Z"}]}`)
		default:
			http.Error(w, "broken", http.StatusBadGateway)
		}
	}))
	t.Cleanup(desk.Close)
	s := newShell(t, newFake(t))
	good := s.file("desk.yaml", ownSource)
	if out := s.must("source", "lint", good); out != good+": ok\n" {
		t.Errorf("a good file: %s", out)
	}
	bad := s.file("bad.yaml", strings.Replace(ownSource, "for: tickets", "for: boards", 1))
	if code, out, _ := s.run("source", "lint", bad); code != command.ExitFailed || !strings.Contains(out, bad+":24 streams.comments.for: There is no stream \"boards\"") {
		t.Errorf("a mistake: exit %d, %s", code, out)
	}
	settings := s.file("settings.yaml", fmt.Sprintf("settings: { baseUrl: %q }\nsecrets: { key: made-up-key }\n", desk.URL))
	code, out, said := s.run("source", "test", good, "--settings", settings, "--allow-private", "--output", "json")
	want := `{"stream":"tickets","key":"1","row":{"id":1,"updated":"2026-01-01T00:00:00Z"}}
{"stream":"tickets","key":"2","row":{"id":2,"updated":"2026-01-02T00:00:00Z"}}
{"stream":"tickets","key":"3","row":{"id":3,"updated":"2026-01-03T00:00:00Z"}}
{"stream":"users","code":"source_unreachable","detail":"The vendor answered 502."}
`
	if code == command.ExitDone || out != want || strings.Contains(said, "made-up-key") {
		t.Errorf("exit %d, the first rows are\n%s%s\nwant\n%s", code, out, said, want)
	}
	if code, out, _ := s.run("source", "test", good, "--settings", settings, "--stream", "tickets", "--output", "json"); code == command.ExitDone || !strings.Contains(out, `"code":"source_unreachable"`) {
		t.Errorf("a private address without leave: exit %d, %s", code, out)
	}
}

package intercom_test

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

const token = "made-up-intercom-token"

// standIn is Intercom as its pages describe it: a contact can be found by its external
// id, a lead by a search, and events, companies and merges need contacts that are there.
type standIn struct {
	mu        sync.Mutex
	contacts  map[string]map[string]any // by id
	companies map[string]bool
	did       []string
}

type problem struct {
	status int
	code   string
}

// ServeHTTP implements http.Handler.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in map[string]any
	if r.Method != http.MethodGet && json.NewDecoder(r.Body).Decode(&in) != nil {
		in = map[string]any{}
	}
	answer, bad := s.answer(r, in)
	if bad.status != 0 {
		s.did = append(s.did, "refused: "+bad.code)
		w.WriteHeader(bad.status)
		answer = map[string]any{"type": "error.list", "errors": []map[string]string{{"code": bad.code, "message": "No."}}}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client has gone
}

func (s *standIn) answer(r *http.Request, in map[string]any) (any, problem) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		return nil, problem{401, "unauthorized"}
	case r.Header.Get("Intercom-Version") != "2.15" || r.Header.Get("Accept") != "application/json":
		return nil, problem{406, "intercom_version_invalid"}
	case r.Method == http.MethodGet:
		return s.find(r, path)
	case path[0] == "events":
		user, _ := in["user_id"].(string)
		id, _ := in["id"].(string)
		if s.user(user) == nil && s.contacts[id] == nil {
			return nil, problem{404, "not_found"}
		}
		return nil, s.done("event", in["event_name"], user, id)
	case path[0] == "companies":
		name, _ := in["company_id"].(string)
		s.companies[name] = true
		return map[string]any{"id": "co-" + name}, s.done("company", name)
	case path[0] == "contacts":
		return s.contact(r.Method, path[1:], in)
	}
	return nil, problem{404, "not_found"}
}

// done notes what was done.
func (s *standIn) done(words ...any) problem {
	var line []string
	for _, w := range words {
		if text, _ := w.(string); text != "" {
			line = append(line, text)
		}
	}
	s.did = append(s.did, strings.Join(line, " "))
	return problem{}
}

// user is the contact with an external id; nil: there is none.
func (s *standIn) user(external string) map[string]any {
	for _, c := range s.contacts {
		if c["role"] == "user" && external != "" && c["external_id"] == external {
			return c
		}
	}
	return nil
}

func (s *standIn) find(r *http.Request, path []string) (any, problem) {
	if path[0] == "companies" {
		if name := r.URL.Query().Get("company_id"); s.companies[name] {
			return map[string]any{"id": "co-" + name}, problem{}
		}
	} else if c := s.user(path[len(path)-1]); c != nil {
		return c, problem{}
	}
	return map[string]any{}, problem{404, "not_found"}
}

// contact answers what is asked of contacts: make, change, search, merge, attach.
func (s *standIn) contact(method string, path []string, in map[string]any) (any, problem) {
	switch {
	case len(path) == 0:
		external, _ := in["external_id"].(string)
		if s.user(external) != nil {
			return nil, problem{409, "conflict"}
		}
		email, _ := in["email"].(string)
		in["id"] = "c-" + external + email
		s.contacts["c-"+external+email] = in
		return in, s.done("make", in["role"], in["id"])
	case path[0] == "search":
		data := []any{}
		for _, c := range s.contacts {
			if c["role"] == "lead" {
				data = append(data, c)
			}
		}
		return map[string]any{"data": data}, problem{}
	case path[0] == "merge":
		from, _ := in["from"].(string)
		into, _ := in["into"].(string)
		if s.contacts[from]["role"] != "lead" || s.contacts[into]["role"] != "user" {
			return nil, problem{404, "not_found"}
		}
		delete(s.contacts, from)
		return nil, s.done("merge", from, "into", into)
	case s.contacts[path[0]] == nil:
		return nil, problem{404, "not_found"}
	case len(path) == 2:
		return nil, s.done("attach", path[0], in["id"])
	case method == http.MethodPut:
		return nil, s.done("change", path[0])
	}
	return nil, problem{405, "unsupported"}
}

// TestRequestsThatFollow: each event is sent on its own, and what one made is found by
// the requests that follow it.
func TestRequestsThatFollow(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	const (
		track    = `{"messageId":"m1","type":"track","userId":"ada","event":"E"}`
		identify = `{"messageId":"m2","type":"identify","userId":"ada","traits":{"email":"a@example.com"}}`
		lead     = `{"messageId":"m3","type":"identify","anonymousId":"a-1","traits":{"email":"a@example.com"}}`
		ofLead   = `{"messageId":"m4","type":"track","anonymousId":"a-1","event":"L","context":{"traits":{"email":"a@example.com"}}}`
		group    = `{"messageId":"m5","type":"group","userId":"ada","groupId":"g1"}`
	)
	for name, tc := range map[string]struct {
		settings string
		events   []string
		want     []string
		did      []string
	}{
		"a user that is made has the event": {"", []string{track, track}, []string{"delivered", "delivered"},
			[]string{"refused: not_found", "make user c-ada", "event E ada", "event E ada"}},
		"and is seen": {`,"updateLastSeen":true`, []string{track, track}, []string{"delivered", "delivered"},
			[]string{"refused: not_found", "make user c-ada", "event E ada", "change c-ada", "event E ada"}},
		"a lead becomes a user that is made": {`,"sendAnonymous":true`, []string{lead, ofLead, identify, identify}, []string{"delivered", "delivered", "delivered", "delivered"},
			[]string{"make lead c-a@example.com", "event L c-a@example.com", "refused: not_found", "make user c-adaa@example.com", "merge c-a@example.com into c-adaa@example.com", "change c-adaa@example.com"}},
		"a lead becomes a user that is known": {`,"sendAnonymous":true`, []string{track, lead, identify}, []string{"delivered", "delivered", "delivered"},
			[]string{"refused: not_found", "make user c-ada", "event E ada", "make lead c-a@example.com", "change c-ada", "merge c-a@example.com into c-ada"}},
		"a company that is made has its user": {"", []string{identify, group, group}, []string{"delivered", "delivered", "delivered"},
			[]string{"refused: not_found", "make user c-adaa@example.com", "refused: not_found", "company g1", "attach c-adaa@example.com co-g1", "company g1", "attach c-adaa@example.com co-g1"}},
		"a company has no user that is not known": {"", []string{group}, []string{"dropped intercom_no_contact"},
			[]string{"refused: not_found", "refused: not_found", "company g1", "refused: not_found"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &standIn{contacts: map[string]map[string]any{}, companies: map[string]bool{}}
			srv := httptest.NewServer(s)
			t.Cleanup(srv.Close)
			var got []string
			for _, e := range tc.events {
				got = append(got, destinationtest.Send(t, kind, `{"baseUrl":"`+srv.URL+`"`+tc.settings+`}`, map[string]string{"accessToken": token}, e)...)
			}
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.did, s.did); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

package api_test

import (
	"strings"
	"testing"

	"weir/controlplane/api/problems"
	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
)

// TestWhatIsMadeTwiceUnderOneKeyIsMadeOnce: on both databases, also of what is shown once,
// which the database does not show.
func TestWhatIsMadeTwiceUnderOneKeyIsMadeOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		d := open(t, s)
		for path, body := range map[string]string{
			"/api/v1/tokens":               `{"name":"ci","role":"viewer"}`,
			"/api/v1/orgs/default/members": `{"name":"deploy","role":"viewer"}`,
			"/api/v1/invitations":          `{"email":"bob@example.com","role":"viewer"}`,
			"/api/v1/planes/invitations":   `{"region":"eu","kind":"regional"}`,
			"/api/v1/orgs":                 `{"name":"north"}`,
		} {
			role := "admin"
			if strings.HasSuffix(path, "orgs") || strings.Contains(path, "planes") {
				role = "operator"
			}
			first := d.want(d.as(role, "POST", path, body, "Idempotency-Key", "k "+path), 200)
			again := d.want(d.as(role, "POST", path, body, "Idempotency-Key", "k "+path), 200)
			if string(first.text) != string(again.text) {
				t.Errorf("POST %s again = %s, want %s", path, again.text, first.text)
			}
			other := d.want(d.as(role, "POST", path, strings.Replace(body, `"}`, `x"}`, 1), "Idempotency-Key", "k "+path), 422)
			if other.field(t, "problems", "0", "code") != "idempotency_key_reused" {
				t.Errorf("POST %s of something else under the same key = %s", path, other.text)
			}
			if strings.Contains(path, "tokens") {
				value := first.field(t, "token").(string)
				d.want(d.send("GET", "/api/v1/me", "", bearer(value)...), 200)
				kept, answered, err := s.Keys().Claim(t.Context(), store.Actor{Kind: store.ByToken, ID: "none"}.KeyOwner(), "k "+path, [32]byte{})
				if err != nil || answered || strings.Contains(string(kept.Body), value) {
					t.Errorf("the key of another caller: %t, %v", answered, err)
				}
			}
		}
		// A failure leaves the key free.
		d.want(d.as("admin", "POST", "/api/v1/tokens", `{"name":"ci","role":"viewer"}`, "Idempotency-Key", "free"), 409)
		d.want(d.as("admin", "POST", "/api/v1/tokens", `{"name":"second","role":"viewer"}`, "Idempotency-Key", "free"), 200)
	})
}

// TestProblemsHaveCodesThatThePageExplains, and answers say what is left of the quota.
func TestProblemsHaveCodesThatThePageExplains(t *testing.T) {
	t.Parallel()
	d := sqlite(t)
	page := string(d.want(d.send("GET", "/api/problems", ""), 200).text)
	for want, a := range map[string]answer{
		"unauthenticated": d.send("GET", "/api/v1/me", ""),
		"bad_login":       d.send("POST", "/api/v1/login", `{"email":"a@example.com","password":"no"}`),
		"denied":          d.as("viewer", "POST", "/api/v1/tokens", `{}`),
		"missing":         d.as("viewer", "GET", "/api/v1/workspaces/none", ""),
		"bad_request":     d.as("viewer", "GET", "/api/v1/workspaces?limit=x", ""),
		"invalid":         d.as("admin", "POST", "/api/v1/tokens", `{"name":"x","role":"king"}`),
	} {
		if a.field(t, "code") != want || a.field(t, "type") != problems.Type(want) || !strings.Contains(page, "\n## "+want+"\n") {
			t.Errorf("problem %s, want the code %s and its place on the page", a.text, want)
		}
	}
	a := d.as("viewer", "GET", "/api/v1/me", "")
	if a.header.Get("RateLimit-Policy") != `"default";q=10000;w=10` || !strings.HasPrefix(a.header.Get("RateLimit"), `"default";r=99`) {
		t.Errorf("quota %q %q", a.header.Get("RateLimit-Policy"), a.header.Get("RateLimit"))
	}
}

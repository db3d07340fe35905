package profiles_test

import (
	"crypto/ed25519"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir/shared/capability"
)

// signed is a capability of workspace ws_a for an action.
func signed(t testing.TB, private ed25519.PrivateKey, action capability.Action) string {
	t.Helper()
	s, err := capability.Sign(private, capability.Grant{Plane: "pl_a", Workspace: "ws_a", Action: action, Expires: time.Now().Add(capability.Lifetime)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// call sends a request about profiles with a capability for an action.
func call(t testing.TB, server *httptest.Server, private ed25519.PrivateKey, method, path string, action capability.Action, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/v1/profiles"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+signed(t, private, action))
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

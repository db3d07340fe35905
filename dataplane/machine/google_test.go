package machine_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"weir/dataplane/machine"
	"weir/shared/fault"
)

// TestTheServiceAccountOfAMachine gets a token once while it is good, and says when there is
// none.
func TestTheServiceAccountOfAMachine(t *testing.T) {
	t.Parallel()
	var asked, life atomic.Int64
	life.Store(3600)
	var refuse atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if refuse.Load() || r.Header.Get("Metadata-Flavor") != "Google" || r.URL.Path != "/computeMetadata/v1/instance/service-accounts/default/token" || r.URL.Query().Get("scopes") != "https://scope" {
			http.Error(w, "a text of the server's", http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"access_token":"made-up-%d","expires_in":%d,"token_type":"Bearer"}`, n, life.Load())
	}))
	defer server.Close()
	r := machine.Role{Metadata: strings.TrimPrefix(server.URL, "http://")}
	for range 3 {
		if got, err := r.Token(t.Context(), "https://scope"); err != nil || got != "made-up-1" {
			t.Fatalf("%s, %v", got, err)
		}
	}
	late := machine.Role{Metadata: r.Metadata}
	life.Store(30) // it ends before another one would be asked for
	for _, want := range []string{"made-up-2", "made-up-3"} {
		if got, err := late.Token(t.Context(), "https://scope"); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	refuse.Store(true)
	if _, err := late.Token(t.Context(), "https://scope"); fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "server's") || fault.ProblemsOf(err)[0].Code != "token_refused" {
		t.Errorf("a machine without an account: %v", err)
	}
}

package machine_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/machine"
	"weir/shared/fault"
)

// TestTheRoleOfAContainer gets keys once while they are good, and says when there are none.
func TestTheRoleOfAContainer(t *testing.T) {
	var asked atomic.Int64
	var refuse atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if refuse.Load() || r.Header.Get("Authorization") != "made-up-token" {
			http.Error(w, `{"code":"AccessDenied","message":"a secret of the driver"}`, http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"AccessKeyId":"AK","SecretAccessKey":"SK","Token":"ST","Expiration":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_PROFILE": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL + "/role", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "made-up-token", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	var r machine.Role
	for range 3 {
		access, secret, session, err := r.Keys(t.Context())
		if got := access + " " + secret + " " + session; err != nil || got != "AK SK ST" {
			t.Fatalf("%s, %v", got, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the role was asked %d times, want once", n)
	}
	refuse.Store(true)
	_, _, _, err := new(machine.Role).Keys(t.Context())
	if fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "driver") || fault.ProblemsOf(err)[0].Code != "token_refused" {
		t.Errorf("a machine without a role: %v", err)
	}
}

package e2e_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryProcessKnowsPersons runs two processes of a plane behind one address, and asks the one that does not run the
// profiles: for a person, with a key; why two identifiers are one; and to block one. Then the process that runs them is
// killed, the other one takes over, and the one that comes back is asked.
func TestEveryProcessKnowsPersons(t *testing.T) {
	t.Parallel()
	_, at := acmePostgres(t)
	one, asked := balanced(t)
	one.events = addressesOf(startEventServers(t))
	one.start()
	_, profiles, _ := strings.Cut(profilesConfig, "profiles:")
	one.apply(0, postgresConfig(t, one.dir, at)+"profiles:"+profiles)
	two := one.another()
	two.startPlane()
	accept(t, "http://"+one.gateway, "/v1/batch", "wk_web", `{"batch":[
		{"type":"track","anonymousId":"a1","event":"Login","messageId":"1"},
		{"type":"identify","anonymousId":"a1","userId":"u1","messageId":"2","traits":{"email":"ann@home.org"}},
		{"type":"track","userId":"u1","event":"Order Completed","messageId":"3","properties":{"total":12.5}}]}`)
	// weir runs a command, again where the process that answers has just changed.
	weir := func(args ...string) (out string) {
		t.Helper()
		until(t, fmt.Sprint("weir ", args), func() bool {
			b, err := exec.CommandContext(t.Context(), binary, append(args, "--control", "http://"+one.http, "--token", one.token)...).CombinedOutput()
			if out = string(b); err != nil {
				t.Logf("%v: %v: %s", args, err, out)
			}
			return err == nil
		})
		return out
	}
	until(t, "the rows", func() bool {
		at := []string{"--control", "http://" + one.http, "--token", one.token}
		return rowsBy(t, "lake", "tracks", at...) == 2 && rowsBy(t, "lake", "identifies", at...) == 1
	})
	weir("profiles", "run")

	// knows waits until the process that is asked answers as wanted about an identifier.
	knows := func(id string, status int, part string) {
		t.Helper()
		got, body := 0, ""
		until(t, fmt.Sprintf("an answer %d about %s", status, id), func() bool {
			got, body = look(t, "GET", one.viewURL+"/v1/profiles/"+id+"/traits", "weirlookup_e2e", "", "")
			return got == status
		})
		if !contains(body, part) {
			t.Errorf("about %s: %d %s, want in it %q", id, got, body, part)
		}
	}
	knows("email:Ann@home.org", 200, `"revenue":12.5`)
	asked.Store(two)
	if files, err := filepath.Glob(filepath.Join(two.dir, "plane", "profiles", "*")); err != nil || len(files) > 0 {
		t.Errorf("the process that does not run the profiles has copies: %v, %v", files, err)
	}
	knows("email:Ann@home.org", 200, `"revenue":12.5`)
	knows("user_id:nobody", 404, "")
	if status, body := look(t, "GET", one.viewURL+"/v1/profiles/user_id:u1/traits", "weirlookup_other", "", ""); status != 403 {
		t.Errorf("an unknown key is answered %d %s", status, body)
	}
	joined := func() {
		t.Helper()
		if out := weir("profiles", "explain", "user_id:u1", "email:ann@home.org"); !contains(out, "by these links") || !contains(out, "email:ann@home.org") {
			t.Errorf("explained as %s", out)
		}
	}
	joined()
	weir("profiles", "block", "anonymous_id:a1")
	weir("profiles", "run")
	knows("anonymous_id:a1", 404, "")
	knows("user_id:u1", 200, `"revenue":12.5`)

	one.plane.kill()
	knows("user_id:u1", 200, `"revenue":12.5`)
	knows("anonymous_id:a1", 404, "")
	joined()
	one.startPlane()
	asked.Store(one)
	knows("user_id:u1", 200, `"revenue":12.5`)
	joined()
	weir("profiles", "block", "--undo", "anonymous_id:a1")
	weir("profiles", "run")
	knows("anonymous_id:a1", 200, `"revenue":12.5`)
}

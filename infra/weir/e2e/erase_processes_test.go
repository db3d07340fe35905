package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnyProcessErasesAPerson runs two processes of a plane behind one address, and asks the one
// that runs no partition: what there is of a person, to erase them, and to let rows expire. A
// lock of the customer's then holds an erasure up, and a load whose files are written, and the
// process that did the work is killed: the other one takes over and ends it. The first one comes
// back, the other one dies, and nothing of the person comes back with those files.
func TestAnyProcessErasesAPerson(t *testing.T) {
	t.Parallel()
	server, at := acmePostgres(t)
	hook := newSink(t)
	hook.set(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	one, asked := balanced(t)
	one.events = addressesOf(startEventServers(t))
	one.start()
	_, profiles, _ := strings.Cut(profilesConfig, "profiles:")
	one.apply(0, strings.NewReplacer("syncEvery: 5s", "syncEvery: 1s, retention: 400d",
		"connections:\n", "  - { name: hook, type: webhook, settings: { url: \""+hook.URL+"\" } }\nconnections:\n  - { source: web, destination: hook }\n",
	).Replace(postgresConfig(t, one.dir, at))+"profiles:"+profiles)
	two := one.another()
	two.startPlane()
	asked.Store(two)

	flags := []string{"--control", "http://" + one.http, "--token", one.token}
	weir := func(args ...string) string { t.Helper(); return run(t, 0, "", append(args, flags...)...) }
	var events []string
	for i, user := range []string{"zoe", "zoe", "other", "other", "old"} {
		events = append(events, fmt.Sprintf(`{"type":"track","userId":%[1]q,"event":"Paid","messageId":"paid-%[2]d"}`, user, i))
	}
	accept(t, "http://"+one.gateway, "/v1/batch", "wk_web", `{"batch":[`+strings.Join(events, ",")+`,
		{"type":"identify","userId":"zoe","anonymousId":"z1","messageId":"id","traits":{"email":"zoe@home.org"}},
		{"type":"track","anonymousId":"z1","event":"Paid","messageId":"anonymous"}]}`)
	rows := func(table string) int64 { t.Helper(); return rowsBy(t, "lake", table, flags...) }
	until(t, "the rows", func() bool { return rows("paid") == 6 && rows("identifies") == 1 })

	until(t, "a run of the profiles", func() bool { // also where the process that runs them has just begun to
		return exec.CommandContext(t.Context(), binary, append([]string{"profiles", "run"}, flags...)...).Run() == nil
	})

	// places are what an answer says of how much is or was where.
	places := func(out string) map[string]int {
		t.Helper()
		all := map[string]int{}
		for line := range strings.Lines(out) {
			var p struct {
				Place, Table string
				Count        int
			}
			if strings.HasPrefix(line, "{") {
				if err := json.Unmarshal([]byte(line), &p); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				all[strings.TrimSpace(p.Place+" "+p.Table)] += p.Count
			}
		}
		return all
	}
	// has waits until a call's answer counts what is wanted; while profiles run, and while parked
	// deliveries are written, it counts less.
	has := func(want map[string]int, args ...string) {
		t.Helper()
		var got map[string]int
		until(t, fmt.Sprint("weir ", args), func() bool {
			got = places(weir(append(args, "--output", "json")...))
			for place, n := range want {
				if got[place] != n {
					t.Logf("%v, want %v", got, want)
					return false
				}
			}
			return true
		})
	}
	has(map[string]int{"parked": 4, "warehouse paid": 3, "warehouse tracks": 3, "warehouse identifies": 1, "profiles user": 3}, "erase", "email:Zoe@home.org", "--dry-run")
	weir("erase", "email:zoe@home.org", "--yes")
	if n := rows("paid"); n != 3 {
		t.Errorf("%d rows are left, want 3", n)
	}
	has(map[string]int{}, "erase", "user_id:zoe", "anonymous_id:z1", "--dry-run")

	if err := server.Exec(t.Context(), "acme", "update weir.paid set received_at = now() - interval '500 days' where user_id = 'old'"); err != nil {
		t.Fatal(err)
	}
	has(map[string]int{"warehouse paid": 1}, "warehouse", "expire", "lake", "--dry-run")
	has(map[string]int{"warehouse paid": 1}, "warehouse", "expire", "lake")
	if n := rows("paid"); n != 2 {
		t.Errorf("%d rows are left, want 2", n)
	}

	accept(t, "http://"+one.gateway, "/v1/batch", "wk_web", `{"batch":[{"type":"identify","userId":"mallory","messageId":"mallory"},{"type":"track","userId":"mallory","event":"Paid","messageId":"mallory-paid"}]}`)
	until(t, "the further rows", func() bool { return rows("paid") == 3 && rows("users") == 1 })
	free := locked(t, server, "weir.users")
	accept(t, "http://"+one.gateway, "/v1/batch", "wk_web", `{"batch":[{"type":"identify","userId":"mallory","messageId":"mallory-2"},{"type":"track","userId":"mallory","event":"Paid","messageId":"mallory-paid-2"}]}`)
	staged := func() int {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(one.dir, "plane", "staged", "stage", "*", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	until(t, "a load whose files wait for Postgres", func() bool {
		manifests, err := filepath.Glob(filepath.Join(one.dir, "plane", "loads", "*", "manifest.json"))
		if err != nil || len(manifests) != 1 {
			return false
		}
		b, err := os.ReadFile(manifests[0])
		return err == nil && bytes.Contains(b, []byte(`"staged":true`)) && staged() > 0
	})
	weir("erase", "user_id:mallory", "--yes", "--detach")
	status := func() (e struct{ State, Stage string }) {
		t.Helper()
		first, _, _ := strings.Cut(weir("erase", "status", "--output", "json"), "\n")
		if err := json.Unmarshal([]byte(first), &e); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		return e
	}
	until(t, "the erasure waits for Postgres", func() bool { return status().Stage == "rows" })
	one.plane.kill()
	if staged() == 0 {
		t.Error("the process that was killed has no file of a load")
	}
	free()
	until(t, "the other process ends the erasure", func() bool { return status().State == "done" })
	erased := func(want int64) {
		t.Helper()
		if n, users := rows("paid"), rows("users"); n != want || users != 0 {
			t.Errorf("%d rows and %d users are left, want %d and none", n, users, want)
		}
	}
	erased(2)
	one.startPlane()
	until(t, "the process that came back drops its files", func() bool { return staged() == 0 })
	erased(2)
	two.plane.kill()
	asked.Store(one)
	until(t, "an event that is taken", func() bool {
		status, _ := post("http://"+one.gateway, "/v1/track", "wk_web", `{"userId":"other","event":"Paid","messageId":"paid-last"}`)
		return status == http.StatusOK
	})
	until(t, "its row, by the process that came back", func() bool { return rows("paid") > 2 })
	erased(3)
	hook.set(nil)
	until(t, "what others' deliveries wait for", func() bool { return len(hook.all()) > 0 })
	for _, a := range hook.all() {
		if bytes.Contains(a.Body, []byte("zoe")) || bytes.Contains(a.Body, []byte("mallory")) {
			t.Errorf("the webhook got %s after the erasure", a.Body)
		}
	}
}

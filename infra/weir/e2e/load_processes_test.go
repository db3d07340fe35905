package e2e_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestAnyProcessPausesLoads runs two processes of a plane behind one address, and asks the one
// that loads nothing to pause a warehouse, and how it stands. The other one is killed, and the
// one that loads then knows of the pause.
func TestAnyProcessPausesLoads(t *testing.T) {
	t.Parallel()
	_, at := acmePostgres(t)
	one, asked := balanced(t)
	one.events = addressesOf(startEventServers(t))
	one.start()
	one.apply(0, strings.Replace(postgresConfig(t, one.dir, at), "syncEvery: 5s", "syncEvery: 1h", 1))
	two := one.another()
	two.startPlane()
	asked.Store(two)
	flags := []string{"--control", "http://" + one.http, "--token", one.token}
	// weir runs a command until it succeeds: nobody answers while the process that loads is replaced.
	weir := func(args ...string) (out string) {
		t.Helper()
		until(t, "weir "+strings.Join(args, " "), func() bool {
			b, err := exec.CommandContext(t.Context(), binary, append(args, flags...)...).CombinedOutput()
			if out = string(b); err != nil {
				t.Logf("%v: %v: %s", args, err, out)
			}
			return err == nil
		})
		return out
	}
	send := func(gateway, id string) {
		t.Helper()
		until(t, id+" is taken", func() bool {
			status, _ := post("http://"+gateway, "/v1/track", "wk_web", `{"userId":"u","event":"Paid","messageId":"`+id+`"}`)
			return status == 200
		})
	}
	rows := func(want int64) {
		t.Helper()
		if n := rowsBy(t, "lake", "paid", flags...); n != want {
			t.Errorf("%d rows, want %d", n, want)
		}
	}
	paused := func() bool {
		t.Helper()
		return !contains(weir("load", "status", "lake", "--output", "json"), `"paused":null`)
	}

	send(two.gateway, "1")
	weir("load", "now", "lake")
	rows(1)
	if weir("load", "pause", "lake"); !paused() {
		t.Error("the loads are not paused after the command")
	}
	send(two.gateway, "2")
	if out := run(t, 1, "", append([]string{"load", "now", "lake"}, flags...)...); !contains(out, "paused") {
		t.Errorf("load now of what is paused says %s", out)
	}
	one.plane.kill()
	if !paused() {
		t.Error("the process that took over does not know that the loads are paused")
	}
	rows(1)
	weir("load", "resume", "lake")
	send(two.gateway, "3")
	weir("load", "now", "lake")
	rows(3)
	if paused() {
		t.Error("the loads are paused after they were resumed")
	}
}

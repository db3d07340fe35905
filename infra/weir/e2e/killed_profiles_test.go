package e2e_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestKilledRunOfProfiles kills the process that runs profiles in the middle of a run: of the first one while it collects
// identifiers, and of a later one while it writes golden records. Once another process of the plane takes over, and once the
// plane is one process that begins again. What is published equals that of profiles of the same events that nobody disturbed.
func TestKilledRunOfProfiles(t *testing.T) {
	t.Parallel()
	t.Run("another process takes over", func(t *testing.T) {
		t.Parallel()
		one, asked := balanced(t)
		one.events = addressesOf(startEventServers(t))
		one.start()
		runs, waits := one, one.another()
		waits.startPlane()
		killedRuns(t, one, func() {
			runs.plane.kill()
			asked.Store(waits)
		}, func() {
			runs.startPlane()
			runs, waits = waits, runs
		})
	})
	t.Run("the process begins again", func(t *testing.T) {
		t.Parallel()
		r := startRoles(t)
		killedRuns(t, r, func() { r.plane.kill() }, r.startPlane)
	})
}

// killedRuns does the runs of a plane: kill ends the process that runs profiles, and begin starts it again.
func killedRuns(t *testing.T, r *roles, kill, begin func()) {
	t.Helper()
	server, at := acmePostgres(t)
	if err := server.Database(t.Context(), "calm"); err != nil {
		t.Fatal(err)
	}
	config := postgresConfig(t, r.dir, at)
	head, lake, _ := strings.Cut(config, "destinations:\n")
	lake, _, _ = strings.Cut(lake, "connections:\n")
	calm := strings.NewReplacer("name: lake", "name: calm", "database: acme", "database: calm").Replace(lake)
	config = head + "destinations:\n" + lake + calm + "connections:\n  - { source: web, destination: lake }\n  - { source: web, destination: calm }\n"
	r.apply(0, config)
	_, profiles, _ := strings.Cut(profilesConfig, "profiles:\n")
	profiles = strings.Replace(profiles, "    warehouse: lake\n", "    warehouse: lake\n    every: 1h\n", 1)
	calm = strings.NewReplacer("name: customers", "name: calm", "warehouse: lake", "warehouse: calm").Replace(profiles)

	flags := []string{"--control", "http://" + r.http, "--token", r.token}
	weir := func(args ...string) string { t.Helper(); return run(t, 0, "", append(args, flags...)...) }
	sent := map[string]int64{}
	// send sends events, and waits until both warehouses have their rows.
	send := func(events string, rows map[string]int64) {
		t.Helper()
		accept(t, "http://"+r.gateway, "/v1/batch", "wk_web", `{"batch":[`+events+`]}`)
		for table, n := range rows {
			sent[table] += n
			for _, warehouse := range []string{"lake", "calm"} {
				until(t, table+" in "+warehouse, func() bool { return rowsBy(t, warehouse, table, flags...) == sent[table] })
			}
		}
	}
	// killed runs the profiles while a table is locked, kills the process when it waits for the table, and has another one go on.
	killed := func(table string) {
		t.Helper()
		first := table == "weir.order_completed"
		if first {
			r.apply(0, config+"profiles:\n"+calm)
		}
		weir("profiles", "run", "--profiles", "calm") // profiles run one after the other, so this one before the other waits
		free := locked(t, server, table)
		waits := 0
		// freeze stops or continues the process of the server that waits for the table for the run: else it gives up by itself.
		freeze := func(signal syscall.Signal) {
			t.Helper()
			if waits == 0 {
				waits = lockOf(t, server, table, "not l.granted")
			}
			if err := syscall.Kill(waits, signal); err != nil {
				t.Fatal(err)
			}
		}
		if first { // which begins by itself
			r.apply(0, config+"profiles:\n"+profiles+calm)
			freeze(syscall.SIGSTOP)
		}
		cmd := exec.CommandContext(t.Context(), binary, append([]string{"profiles", "run", "--profiles", "customers"}, flags...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if first {
			until(t, "a run that is asked for", func() bool { return contains(weir("profiles", "status", "--output", "json"), `"waits":true`) })
		}
		if !first {
			freeze(syscall.SIGSTOP)
		}
		kill()
		free()
		freeze(syscall.SIGCONT)
		begin()
		if err := cmd.Wait(); err != nil || !contains(out.String(), "published") {
			t.Errorf("the run whose process was killed ends with %v: %s", err, out.String())
		}
		weir("profiles", "run", "--profiles", "calm") // the process that took over began one
		for _, sql := range []string{
			"select id_type, value, weir_id, first_seen, last_seen from profiles.user_ids order by 1, 2",
			"select weir_id, logins_30d, revenue, email from profiles.user_golden order by 1",
			"select audience, weir_id from profiles.user_audiences order by 1, 2",
			"select kind, weir_id, other, ids from profiles.user_ledger order by 1, 2, 3, 4",
			"select table_name from information_schema.tables where table_schema = 'profiles' order by 1",
		} {
			got, want := weir("query", "lake", sql), weir("query", "calm", sql)
			if got != want || strings.Count(got, "\n") < 2 {
				t.Errorf("after a death while %s is locked\n%s\n gives %s\n want  %s", table, sql, got, want)
			}
		}
	}

	var events []string
	for i := range 30 {
		events = append(events, fmt.Sprintf(`{"type":"track","anonymousId":"a%[1]d","event":"Login","messageId":"l%[1]d"},
			{"type":"identify","anonymousId":"a%[1]d","userId":"u%[2]d","messageId":"i%[1]d","traits":{"email":"u%[2]d@home.org"}},
			{"type":"track","userId":"u%[2]d","event":"Order Completed","messageId":"o%[1]d","properties":{"total":%[1]d}}`, i, i/2))
	}
	send(strings.Join(events, ","), map[string]int64{"login": 30, "identifies": 30, "order_completed": 30})
	killed("weir.order_completed")
	send(`{"type":"identify","anonymousId":"a1","userId":"u40","messageId":"i41","traits":{"email":"u40@home.org"}},
		{"type":"identify","anonymousId":"a50","messageId":"i42","traits":{"email":"u2@home.org"}},
		{"type":"track","anonymousId":"a50","event":"Order Completed","messageId":"o42","properties":{"total":100}}`, map[string]int64{"identifies": 2, "order_completed": 1})
	killed("profiles.user_golden")
}

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/shared/postgrestest"
)

// erasures asks how the newest erasure is.
func newestErasure(t *testing.T, in installation) (e struct {
	ID, State, Stage string
	Places           []struct {
		Place, Name, Table string
		Count              int
	}
	Lacks []struct{ Name, Code string }
}) {
	t.Helper()
	first, _, _ := strings.Cut(run(t, 0, "", "erase", "status", "--output", "json", "--data-dir", in.Dir), "\n")
	if first != "" {
		if err := json.Unmarshal([]byte(first), &e); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
	}
	return e
}

// TestAPersonIsErasedAlsoWhenThePlaneIsKilled has a person's rows in two warehouses, and
// deliveries of theirs parked. A lock of the customer's holds the erasure up in Postgres, where
// the plane is killed. After that it goes on by itself: nothing of the person is left in any
// table, in what is sent later, or in a file of the plane, that of DuckDB too, and others have lost nothing.
func TestAPersonIsErasedAlsoWhenThePlaneIsKilled(t *testing.T) {
	t.Parallel()
	const person, others = "zoe-7f1c93d2", 5
	server, at := acmePostgres(t)
	dir, hook := t.TempDir(), newSink(t)
	hook.set(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	config := strings.NewReplacer("syncEvery: 5s", "syncEvery: 1s",
		"connections:\n", "  - { name: duck, type: duckdb, settings: { path: erase.duckdb, syncEvery: 1s } }\n  - { name: hook, type: webhook, settings: { url: \""+hook.URL+"\" } }\nconnections:\n  - { source: web, destination: duck }\n  - { source: web, destination: hook }\n",
	).Replace(postgresConfig(t, dir, at))
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	send := func(user string) {
		accept(t, in.Gateway, "/v1/batch", "wk_web", fmt.Sprintf(`{"batch":[{"type":"track","userId":%[1]q,"event":"Paid","messageId":"paid-%[1]s","properties":{"amount":1}},{"type":"identify","userId":%[1]q,"messageId":"id-%[1]s","traits":{"plan":"free"}}]}`, user))
	}
	send(person)
	for i := range others {
		send(fmt.Sprint("other-", i))
	}
	count := func(lake, where string) string {
		return strings.Join(query(t, in, lake, "select (select count(*) from paid"+where+") + (select count(*) from identifies"+where+") as n, (select count(*) from users"+strings.ReplaceAll(where, "user_id", "id")+") as u"), "|")
	}
	for _, lake := range []string{"lake", "duck"} {
		until(t, "the rows in "+lake, func() bool {
			return rowsOf(t, in, lake, "paid") == others+1 && rowsOf(t, in, lake, "identifies") == others+1 && rowsOf(t, in, lake, "users") == others+1
		})
	}
	until(t, "what the webhook refuses is parked", func() bool { b := bookOf(t, in, "web", "hook"); return b.Parked == 2*others+2 && b.InFlight == 0 })
	if out := run(t, 2, "", "erase", "user_id:"+person, "--data-dir", in.Dir); !strings.Contains(out, "--yes") {
		t.Errorf("without --yes: %s", out)
	}
	if out := run(t, 0, "", "erase", "user_id:"+person, "--dry-run", "--data-dir", in.Dir); !contains(out, "parked") || !contains(out, "users") {
		t.Errorf("a dry run says %s", out)
	}

	free := locked(t, server, "weir.users")
	run(t, 0, "", "erase", "user_id:"+person, "--yes", "--detach", "--data-dir", in.Dir)
	until(t, "the erasure waits for Postgres", func() bool { return newestErasure(t, in).Stage == "rows" })
	p.kill()
	logs := p.output()
	free()
	p, in = dev(t, dir, config, ports...)
	until(t, "the erasure is done", func() bool { return newestErasure(t, in).State == "done" })
	if e := newestErasure(t, in); len(e.Lacks) > 0 {
		t.Errorf("left out: %+v", e.Lacks)
	}
	for _, lake := range []string{"lake", "duck"} {
		if got := count(lake, " where user_id = '"+person+"'"); got != `{"n":0,"u":0}` {
			t.Errorf("%s still has rows of the person: %s", lake, got)
		}
		if got, want := count(lake, ""), fmt.Sprintf(`{"n":%d,"u":%d}`, 2*others, others); got != want {
			t.Errorf("%s has the rows %s, want %s", lake, got, want)
		}
	}
	hook.set(nil)
	until(t, "the others' deliveries", func() bool {
		b := bookOf(t, in, "web", "hook")
		return b.Delivered == 2*others && b.Parked == 0 && b.Balanced
	})
	for _, a := range hook.all() {
		if bytes.Contains(a.Body, []byte(person)) {
			t.Errorf("the webhook got %s after the erasure", a.Body)
		}
	}
	p.stop()
	if strings.Contains(logs+p.output(), person) {
		t.Error("a log names the person")
	}
	holds(t, in.Dir, person)
}

// locked has a transaction of the customer's hold a table of the database acme, until free.
func locked(t *testing.T, server *postgrestest.Server, table string) (free func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() { // it is terminated
		defer close(ended)
		_ = server.Exec(t.Context(), "acme", "begin; lock table "+table+" in access exclusive mode; select pg_sleep(3600)")
	}()
	lockOf(t, server, table, "l.granted and l.mode = 'AccessExclusiveLock'")
	return func() {
		if err := server.Exec(t.Context(), "acme", "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"); err != nil {
			t.Error(err)
		}
		<-ended
	}
}

// lockOf waits for a lock l of a table, as pg_locks has it, and returns the process of the server that has it or waits for it.
func lockOf(t *testing.T, server *postgrestest.Server, table, is string) (pid int) {
	t.Helper()
	until(t, "a lock of "+table+" where "+is, func() bool {
		err := server.Exec(t.Context(), "acme", fmt.Sprintf(`do $$ declare found int; begin
			select max(l.pid) into found from pg_locks l where l.relation = '%s'::regclass and %s;
			if found is not null then raise exception 'it is pid=%% of the server', found; end if; end $$`, table, is))
		if err == nil {
			return false
		}
		_, after, _ := strings.Cut(err.Error(), "it is pid=")
		_, scanned := fmt.Sscan(after, &pid)
		return scanned == nil
	})
	return pid
}

// holds says which files below a folder hold a text.
func holds(t *testing.T, dir, text string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if at := bytes.Index(b, []byte(text)); at >= 0 {
			t.Errorf("%s holds the person at byte %d of %d: %q", path, at, len(b), b[max(0, at-100):min(len(b), at+60)])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

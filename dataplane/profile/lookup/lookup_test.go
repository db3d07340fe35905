package lookup_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/tables"
	"weir/dataplane/tables/enginetest"
	"weir/shared/fault"
	"weir/shared/workspace"
	"weir/shared/workspace/profiles"
)

var engines enginetest.Engines

func TestMain(m *testing.M) { engines.Main(m) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const token = "weirlookup_of-a-shop"

func plan() profiles.Plan {
	sum := sha256.Sum256([]byte(token))
	return profiles.Plan{
		Entities:  []profiles.Entity{{Name: "user", IDs: []profiles.Identifier{{Name: "user_id", Unique: true}, {Name: "email", Clean: "email"}, {Name: "anonymous_id"}}}},
		Inputs:    []profiles.Input{{Name: "events", Events: "*"}, {Name: "traits", Events: "identify"}},
		Features:  []profiles.Feature{{Name: "n", Count: "events"}, {Name: "mail", Latest: []string{"traits.email"}}, {Name: "secret", Count: "traits"}},
		Audiences: []profiles.Audience{{Name: "busy", Where: []byte(`{"n":{"atLeast":3}}`)}},
		Lookup:    &profiles.Lookup{Features: []string{"n", "mail"}, Events: 3, Keys: []profiles.LookupKey{{Name: "shop", Hash: "sha256:" + hex.EncodeToString(sum[:])}}},
	}
}

func config(w tables.Warehouse) profile.Config {
	return profile.Config{Name: "customers", SQL: w.Dialect(), Home: "events", Table: func(event string) string { return event }, Plan: plan()}
}

func store(t testing.TB, dir string, p profiles.Plan, most int64) *lookup.Store {
	t.Helper()
	job := lookup.Job{Workspace: "ws_a", Profile: workspace.Profile{Name: "customers", Warehouse: "dst_a", Plan: p}}
	s, err := lookup.New(lookup.Config{Dir: dir, Jobs: func() []lookup.Job { return []lookup.Job{job} }, Owner: func() bool { return true }, Bytes: most, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Refresh()
	return s
}

// shut closes a store.
func shut(s *lookup.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.Run(ctx)
}

func run(t testing.TB, s tables.Session, statements ...string) {
	t.Helper()
	if _, err := tables.Run(context.Background(), s, statements...); err != nil {
		t.Fatal(err)
	}
}

func begin(t testing.TB, s tables.Session) {
	t.Helper()
	run(t, s, "create schema if not exists events",
		`create table events.tracks (id text, anonymous_id text, user_id text, event text, "timestamp" timestamptz, uuid_ts timestamptz)`,
		`create table events.identifies (id text, anonymous_id text, user_id text, email text, "timestamp" timestamptz, uuid_ts timestamptz)`)
}

func build(t testing.TB, s tables.Session, c profile.Config, at time.Time) {
	t.Helper()
	if r, err := profile.Do(context.Background(), s, c, at, profile.Options{}); err != nil || r.State != profile.Published {
		t.Fatalf("the run: %+v, %v", r, err)
	}
}

func feed(t testing.TB, l *lookup.Store, s tables.Session, c profile.Config) {
	t.Helper()
	if err := l.Feed(context.Background(), "ws_a", s, c); err != nil {
		t.Fatal(err)
	}
}

// answers is all that is answered of the identifiers in the warehouse.
func answers(t testing.TB, l *lookup.Store, ids []string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, id := range ids {
		for _, part := range []string{"traits", "identifiers", "audiences", "events"} {
			person, record, _, err := l.Find("ws_a", "", "", id, part)
			all[id+" "+part] = fmt.Sprintf("%s %s %v", person, record, fault.KindOf(err))
		}
	}
	return all
}

func identifiers(t testing.TB, s tables.Session) (ids []string) {
	t.Helper()
	if err := s.Rows(context.Background(), "select id_type, value from user_ids order by 1, 2", func(v []any) error { ids = append(ids, fmt.Sprint(v[0], ":", v[1])); return nil }); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestACopyThatIsFedIsWhatOneMadeAnewIs: whatever happens to persons, a copy that was fed run by
// run, also by a store that was closed meanwhile, answers what one made at the end answers.
func TestACopyThatIsFedIsWhatOneMadeAnewIs(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, w tables.Warehouse, s tables.Session) {
		begin(t, s)
		c, d := config(w), w.Dialect()
		r := rand.New(rand.NewPCG(7, 7))
		dir := t.TempDir()
		fed := store(t, dir, plan(), 0)
		if _, _, _, err := fed.Find("ws_a", "customers", "user", "user_id:u1", "traits"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("before the first run: %v", err)
		}
		n := 0
		for round := range 4 {
			at := now.Add(time.Duration(round) * 24 * time.Hour)
			var tracks, identifies []string
			for range 30 {
				n++
				moment := tables.Time(at.Add(-time.Duration(r.IntN(3000)) * time.Second))
				device, user := fmt.Sprintf("a%d", r.IntN(25)), fmt.Sprintf("u%d", r.IntN(15))
				if r.IntN(3) > 0 {
					tracks = append(tracks, fmt.Sprintf("'t%d', %s, null, 'login', %s, %s", n, d.Text(device), moment, tables.Time(at)))
				} else {
					identifies = append(identifies, fmt.Sprintf("'i%d', %s, %s, %s, %s, %s", n, d.Text(device), d.Text(user), d.Text(fmt.Sprintf("%s@Home.org", user)), moment, tables.Time(at)))
				}
			}
			enginetest.Insert(t, s, "events.tracks", tracks)
			enginetest.Insert(t, s, "events.identifies", identifies)
			if round == 2 { // somebody comes apart
				run(t, s, "insert into user_rules select 'block', 'anonymous_id:' || value, null, 'test', null from user_ids where id_type = 'anonymous_id' and value < 'a2'")
			}
			build(t, s, c, at)
			feed(t, fed, s, c)
			if round == 1 {
				shut(fed)
				fed = store(t, dir, plan(), 0)
			}
			ids := identifiers(t, s)
			fresh := store(t, t.TempDir(), plan(), 0)
			feed(t, fresh, s, c)
			want, got := answers(t, fresh, ids), answers(t, fed, ids)
			for k := range want {
				if got[k] != want[k] {
					t.Fatalf("round %d: %s is\n%s, anew\n%s", round, k, got[k], want[k])
				}
			}
			if a, b := fed.State("ws_a", "customers"), fresh.State("ws_a", "customers"); a.Persons != b.Persons || a.Run != b.Run || !a.AsOf.Equal(at) {
				t.Errorf("round %d: the copy says %+v, anew %+v", round, a, b)
			}
			shut(fresh)
		}
		person, record, asOf, err := fed.Find("ws_a", "", "", "email: U3@home.org", "traits")
		if err != nil || person == "" || !strings.Contains(string(record), `"mail":"u3@Home.org"`) || strings.Contains(string(record), "secret") || asOf.IsZero() {
			t.Errorf("by an address as people write it: %s %s %v %v", person, record, asOf, err)
		}
		if _, again, _, err := fed.Find("ws_a", "", "", "weir_id:"+person, "traits"); err != nil || string(again) != string(record) {
			t.Errorf("by the person: %s, %v", again, err)
		}
		for id, kind := range map[string]fault.Kind{"user_id:nobody": fault.Missing, "shoe:44": fault.Missing, "u1": fault.Invalid, "user_id:": fault.Invalid} {
			if _, _, _, err := fed.Find("ws_a", "", "", id, "traits"); fault.KindOf(err) != kind {
				t.Errorf("%s: %v, want %v", id, err, kind)
			}
		}
		shut(fed)
	})
}

// TestAnErasedPersonLeavesNothing: nothing of a person is in the files of a copy after erase, also
// where the process ended between the warehouse and the copy.
func TestAnErasedPersonLeavesNothing(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
	s, err := w.Session(t.Context(), "profiles")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	begin(t, s)
	c := config(w)
	for _, u := range []string{"ann", "bob", "eve"} {
		run(t, s, fmt.Sprintf("insert into events.identifies values ('i%[1]s', 'device-of-%[1]s', 'account-of-%[1]s', '%[1]s@home.org', %[2]s, %[2]s)", u, tables.Time(now.Add(-time.Hour))))
	}
	dir := t.TempDir()
	l := store(t, dir, plan(), 0)
	defer func() { shut(l) }()
	traces := func(of string) (n int) {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files are %v, %v", files, err)
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), of)
	}
	build(t, s, c, now)
	feed(t, l, s, c)
	run(t, s, fmt.Sprintf("insert into events.tracks values ('t1', 'device-of-ann', null, 'login', %[1]s, %[1]s)", tables.Time(now)))
	build(t, s, c, now.Add(time.Hour)) // former records are in free pages now
	feed(t, l, s, c)
	for _, u := range []string{"ann", "bob"} {
		if traces("of-"+u) == 0 {
			t.Fatalf("the copy has nothing of %s to begin with", u)
		}
		person, _, err := profile.Erase(t.Context(), s, c, "user", "email:"+u+"@home.org", now)
		if err != nil {
			t.Fatal(err)
		}
		if u == "ann" {
			if err := l.Forget("ws_a", "customers", "user", person); err != nil {
				t.Fatal(err)
			}
		} else { // the process ended before that
			build(t, s, c, now.Add(2*time.Hour))
			feed(t, l, s, c)
		}
		if n := traces(u+"@home.org") + traces("of-"+u); n > 0 {
			t.Errorf("%d traces of %s are in the copy", n, u)
		}
		if _, _, _, err := l.Find("ws_a", "", "", "email:"+u+"@home.org", "traits"); fault.KindOf(err) != fault.Missing {
			t.Errorf("%s is answered: %v", u, err)
		}
	}
	if _, _, _, err := l.Find("ws_a", "", "", "email:eve@home.org", "identifiers"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if state := l.State("ws_a", "customers"); state.Persons != 1 {
		t.Errorf("the copy says %+v", state)
	}
}

// TestACopyIsBounded: one that would be too large is not made, and says so.
func TestACopyIsBounded(t *testing.T) {
	t.Parallel()
	w := engines.Open(t, "duckdb")
	s, err := w.Session(t.Context(), "profiles")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	begin(t, s)
	c := config(w)
	run(t, s, "insert into events.identifies select 'i' || r, 'a' || r, 'u' || r, 'u' || r || '@home.org', "+tables.Time(now)+", "+tables.Time(now)+" from range(12000) x(r)")
	build(t, s, c, now.Add(time.Hour))
	l := store(t, t.TempDir(), plan(), 200<<10)
	defer shut(l)
	if err := l.Feed(t.Context(), "ws_a", s, c); err == nil {
		t.Error("it was made")
	}
	if state := l.State("ws_a", "customers"); state.Code != "too_large" || state.Run != 0 {
		t.Errorf("it says %+v", state)
	}
}

// TestKeysOpenTheirProfileAlone: the token of a key, and no other.
func TestKeysOpenTheirProfileAlone(t *testing.T) {
	t.Parallel()
	l := store(t, t.TempDir(), plan(), 0)
	defer shut(l)
	if ws, name, ok := l.Key(token); !ok || ws != "ws_a" || name != "customers" {
		t.Errorf("the key is %s %s %v", ws, name, ok)
	}
	for _, other := range []string{"", "weirlookup_", token + "x", strings.TrimPrefix(token, "weirlookup_"), plan().Lookup.Keys[0].Hash} {
		if _, _, ok := l.Key(other); ok {
			t.Errorf("%q opens something", other)
		}
	}
}

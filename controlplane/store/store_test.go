package store_test

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/controlplane/store/storetest"
	"weir/migrations"
	"weir/shared/fault"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var admin = store.Actor{Kind: store.ByPerson, ID: "usr_1", Name: "ann@example.com"}

// everything lists the rows of the first organization and of the installation.
var everything = audit.Filter{Organizations: []string{"", string(store.DefaultOrganization)}}

// databases makes databases without tables.
func databases(t *testing.T) map[string]func(testing.TB) string {
	t.Helper()
	return map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.EmptyPostgres}
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("got error %v, want one of kind %s", err, kind)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestManyProcessesMayOpenAnEmptyDatabaseAtOnce(t *testing.T) {
	each := databases(t)
	each["pooler"] = func(t testing.TB) string { return storetest.Pooled(t, storetest.EmptyPostgres(t)) }
	for name, database := range each {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := database(t)
			var wg sync.WaitGroup
			var firsts atomic.Int32
			for range 6 {
				wg.Go(func() {
					s, err := store.Open(t.Context(), store.Config{Database: at})
					if err != nil {
						t.Errorf("open: %v", err)
						return
					}
					defer func() { _ = s.Close() }()
					made, err := s.CreateFirstUser(t.Context(), admin, store.User{Email: "ann@example.com", PasswordHash: "x"})
					if err != nil {
						t.Errorf("create the first user: %v", err)
					}
					if made {
						firsts.Add(1)
					}
				})
			}
			wg.Wait()
			if firsts.Load() != 1 {
				t.Errorf("%d of 6 processes made the first user, want 1", firsts.Load())
			}
		})
	}
}

func TestANewerOrForeignDatabaseIsRefused(t *testing.T) {
	for name, database := range databases(t) {
		for what, statement := range map[string]string{
			"newer":   "insert into schema_migrations (number, name, digest, applied_at) values (9999, '9999_future.sql', 'x', 'x')",
			"foreign": "update schema_migrations set digest = 'of another file' where number = 1",
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				at := database(t)
				storetest.Open(t, store.Config{Database: at})
				driver, dsn := "sqlite", at
				if strings.HasPrefix(at, "postgres") {
					driver = "pgx"
				}
				db := must[*sql.DB](t)(sql.Open(driver, dsn))
				defer func() { _ = db.Close() }()
				if _, err := db.Exec(statement); err != nil {
					t.Fatal(err)
				}
				_, err := store.Open(t.Context(), store.Config{Database: at})
				wantKind(t, err, fault.Conflict)
			})
		}
	}
}

func TestAnUnusableDatabaseIsNamedWithoutItsPassword(t *testing.T) {
	for name, tc := range map[string]struct {
		database string
		kind     fault.Kind
	}{
		"none":             {"", fault.Invalid},
		"options in path":  {"/tmp/x?mode=memory", fault.Invalid},
		"bad URL":          {"postgres://ann:hunter2@host:notaport/db", fault.Invalid},
		"nobody listens":   {"postgres://ann:hunter2@127.0.0.1:1/db", fault.Unavailable},
		"a folder":         {os.TempDir(), fault.Unavailable},
		"folder not there": {"/proc/nowhere/control.db", fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(t.Context(), store.Config{Database: tc.database})
			wantKind(t, err, tc.kind)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error %q holds the password", err)
			}
		})
	}
}

func TestTheSQLiteFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	at := filepath.Join(t.TempDir(), "new", "control.db")
	s := storetest.Open(t, store.Config{Database: at})
	if err := s.Record(t.Context(), admin, "test", "nothing", ""); err != nil {
		t.Fatal(err)
	}
	for _, file := range must[[]string](t)(filepath.Glob(at + "*")) {
		if mode := must[fs.FileInfo](t)(os.Stat(file)).Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", filepath.Base(file), mode)
		}
	}
}

func TestBothDialectsHaveTheSameMigrations(t *testing.T) {
	t.Parallel()
	names := func(list []migrations.Migration, err error) []string {
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, m := range list {
			out = append(out, m.Name)
		}
		return out
	}
	lite, pg := names(migrations.SQLite()), names(migrations.Postgres())
	if len(lite) == 0 || !slices.Equal(lite, pg) {
		t.Errorf("sqlite has %v, postgres has %v, want the same and at least one", lite, pg)
	}
}

func TestTheAuditLogReadsPageByPage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, action := range []string{"one", "two", "three"} {
			if err := s.Record(t.Context(), admin, action, "thing", "detail"); err != nil {
				t.Fatal(err)
			}
		}
		f := everything
		f.Limit = 2
		first := must[[]audit.Entry](t)(s.Audit().List(t.Context(), f))
		if len(first) != 2 || first[0].Action != "three" || first[1].Action != "two" || first[0].Actor != "person:ann@example.com" {
			t.Fatalf("got %+v, want three and two by person:ann@example.com", first)
		}
		f.Below = first[1].Seq
		rest := must[[]audit.Entry](t)(s.Audit().List(t.Context(), f))
		if len(rest) != 1 || rest[0].Action != "one" {
			t.Errorf("got %+v, want one", rest)
		}
	})
}

func TestEveryWriteNeedsAnActor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		_, err := s.CreateUser(t.Context(), store.Actor{}, store.User{Email: "a@b.c"})
		wantKind(t, err, fault.Internal)
	})
}

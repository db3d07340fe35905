package audit_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/controlplane/store/chain"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var (
	admin = store.Actor{Kind: store.ByPerson, ID: "usr_1", Name: "ann@example.com"}
	home  = string(store.DefaultOrganization)
)

// each runs test on SQLite and on Postgres, with the database open a second time by its driver.
func each(t *testing.T, test func(t *testing.T, s *store.Store, db *sql.DB)) {
	t.Helper()
	for name, database := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, driver := database(t), "sqlite"
			s := storetest.Open(t, store.Config{Database: at})
			if strings.HasPrefix(at, "postgres") {
				driver = "pgx"
			}
			db, err := sql.Open(driver, at)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			test(t, s, db)
		})
	}
}

func exec(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func signer(t *testing.T, s *store.Store, file string, log *slog.Logger) *audit.Signer {
	t.Helper()
	made, err := audit.NewSigner(audit.SignerConfig{Log: s.Audit(), Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), File: file, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// write makes n writes of the first organization.
func write(t *testing.T, s *store.Store, n int) {
	t.Helper()
	for range n {
		name := rand.Text()
		_, err := s.CreateToken(t.Context(), admin, store.APIToken{Organization: store.DefaultOrganization, Name: name, Hash: store.Hash([]byte(name + "123456"))})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// codes are what Verify finds in the chain of the first organization.
func codes(t *testing.T, s *audit.Signer) []string {
	t.Helper()
	report, err := s.Verify(t.Context(), home, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, p := range report.Problems {
		out = append(out, fmt.Sprint(p.Code, " ", p.Number))
	}
	return out
}

func TestWhatIsDoneToTheLogByHandIsFound(t *testing.T) {
	for name, tc := range map[string]struct {
		statements []string
		want       []string
	}{
		"nothing":                    {nil, []string{}},
		"a text changed":             {[]string{"update audit set actor = 'person:bob' where number = 3"}, []string{"audit_changed 3"}},
		"what was before changed":    {[]string{`update audit set after = '{}' where number = 2`}, []string{"audit_changed 2"}},
		"a row taken out":            {[]string{"delete from audit where number = 3"}, []string{"audit_gap 4"}},
		"a row given to nobody":      {[]string{"update audit set organization_id = '' where number = 3"}, []string{"audit_gap 4"}},
		"the end cut off":            {[]string{"delete from audit where number > 3"}, []string{"audit_cut 5", "audit_cut 5", "audit_cut 5"}},
		"the end cut off with joint": {[]string{"delete from audit where number > 3", "update audit_chains set number = 3, digest = (select digest from audit where number = 3) where id = 'org_default'"}, []string{"audit_cut 5", "audit_cut 5"}},
		"and without the head": {[]string{"delete from audit where number > 3", "update audit_chains set number = 3, digest = (select digest from audit where number = 3) where id = 'org_default'",
			"delete from audit_heads"}, []string{"audit_cut 5"}},
		"everything gone": {[]string{"delete from audit", "delete from audit_chains", "delete from audit_heads"}, []string{"audit_cut 5"}},
		"a head put back": {[]string{"update audit_heads set number = 3, digest = (select digest from audit where number = 3) where id = 'org_default'"}, []string{"audit_head_forged 3"}},
		"a row put in": {[]string{"insert into audit (at, actor, action, object, detail, organization_id) values ('2026-01-01', 'person:bob', 'x', 'y', '', 'org_default')"},
			[]string{"audit_not_in_chain 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s *store.Store, db *sql.DB) {
				sign := signer(t, s, filepath.Join(t.TempDir(), "heads.json"), nil)
				write(t, s, 5)
				if err := sign.Sign(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, statement := range tc.statements {
					exec(t, db, statement)
				}
				if diff := cmp.Diff(tc.want, codes(t, sign)); diff != "" {
					t.Errorf("Verify (-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestAChainThatWasCutIsNotSignedAgain(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, db *sql.DB) {
		var said strings.Builder
		file := filepath.Join(t.TempDir(), "heads.json")
		sign := signer(t, s, file, slog.New(slog.NewTextHandler(&said, nil)))
		write(t, s, 5)
		if err := sign.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		exec(t, db, "delete from audit where number > 2")
		exec(t, db, "update audit_chains set number = 2, digest = (select digest from audit where number = 2)")
		exec(t, db, "delete from audit_heads")
		write(t, s, 1)
		restarted := signer(t, s, file, slog.New(slog.NewTextHandler(&said, nil)))
		if err := restarted.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said.String(), "audit log changed or cut off") {
			t.Errorf("the log says %q, want the error", said.String())
		}
		if got := codes(t, restarted); !slices.Contains(got, "audit_cut 5") {
			t.Errorf("Verify found %v, want the rows that were cut off", got)
		}
	})
}

func TestRowsOfAFormerReleaseJoinTheirChains(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, db *sql.DB) {
		for i := range 450 {
			exec(t, db, "insert into audit (at, actor, action, object, detail, organization_id) values ('2026-01-01', 'person:bob', 'x', 'y', $1, $2)", fmt.Sprint(i), []string{home, ""}[i%2])
		}
		sign := signer(t, s, filepath.Join(t.TempDir(), "heads.json"), nil)
		if err := sign.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, organization := range []string{home, ""} {
			report, err := sign.Verify(t.Context(), organization, 0)
			if err != nil || len(report.Problems) != 0 || report.Through != 225 || report.Signed != 225 {
				t.Errorf("Verify(%q) = %+v, %v; want 225 good rows, signed", organization, report, err)
			}
		}
		exec(t, db, "update audit set detail = 'else' where number = 7 and organization_id = $1", home)
		if got := codes(t, sign); !slices.Equal(got, []string{"audit_changed 7"}) {
			t.Errorf("Verify found %v, want row 7", got)
		}
	})
}

// TestWritersOfTwoProcessesJoinOneChain has many writers of few organizations in two
// processes on one database.
func TestWritersOfTwoProcessesJoinOneChain(t *testing.T) {
	t.Parallel()
	at := storetest.Postgres(t)
	stores := []*store.Store{storetest.Open(t, store.Config{Database: at}), storetest.Open(t, store.Config{Database: at})}
	const writers, each = 100, 3
	var orgs []store.OrganizationID
	for i := range 3 {
		made, err := stores[0].Tenancy().CreateOrganization(t.Context(), "system:test", fmt.Sprint("org", i), "usr_1")
		if err != nil {
			t.Fatal(err)
		}
		orgs = append(orgs, made.ID)
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			org := orgs[w%len(orgs)]
			ctx := t.Context()
			if w%2 == 0 { // the others' organization is known late
				ctx = chain.With(ctx, chain.Origin{ActorID: "usr_1", Address: "192.0.2.1", Request: "req_1", Organization: string(org)})
			}
			for i := range each {
				token := store.APIToken{Organization: org, Name: fmt.Sprint(w, "-", i), Hash: store.Hash{byte(w), byte(i), 2}}
				if _, err := stores[w/2%2].CreateToken(ctx, admin, token); err != nil {
					t.Errorf("write %d of writer %d: %v", i, w, err)
				}
			}
		})
	}
	wg.Wait()
	sign := signer(t, stores[0], filepath.Join(t.TempDir(), "heads.json"), nil)
	all := 0
	for _, org := range orgs {
		report, err := sign.Verify(t.Context(), string(org), 0)
		if err != nil || len(report.Problems) > 0 {
			t.Errorf("Verify(%s) = %+v, %v", org, report, err)
		}
		all += int(report.Through) - 1
	}
	if all != writers*each {
		t.Errorf("the chains hold %d writes, want %d", all, writers*each)
	}
}

func TestTheLogIsFiltered(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store, _ *sql.DB) {
		ctx := chain.With(t.Context(), chain.Origin{Address: "192.0.2.1", Request: "req_1"})
		for i, action := range []string{"workspace.commit", "workspace.delete", "token.create"} {
			who := store.Actor{Kind: store.ByToken, ID: fmt.Sprint("tok_", i), Name: fmt.Sprint("ci", i)}
			if err := s.Record(ctx, who, action, fmt.Sprint("thing th_", i), ""); err != nil {
				t.Fatal(err)
			}
		}
		for i, detail := range []string{"live:read", "dead:read dst_a", "dead:redrive"} {
			who := store.Actor{Kind: store.ByPerson, ID: fmt.Sprint("usr_", i), Name: "ann"}
			if err := s.Record(ctx, who, "capability.issue", "workspace ws_a", detail); err != nil {
				t.Fatal(err)
			}
		}
		for name, tc := range map[string]struct {
			filter audit.Filter
			want   string
		}{
			"capabilities":               {audit.Filter{Action: "capability"}, "capability.issue capability.issue capability.issue"},
			"capabilities without reads": {audit.Filter{Action: "capability", WithoutReads: true}, "capability.issue"},
			"an actor without reads":     {audit.Filter{Actor: "ann", WithoutReads: true}, "capability.issue"},
			"tokens without reads":       {audit.Filter{Action: "token", WithoutReads: true}, "token.create"},
			"all":                        {audit.Filter{}, strings.Repeat("capability.issue ", 3) + "token.create workspace.delete workspace.commit"},
			"a group of actions":         {audit.Filter{Action: "workspace"}, "workspace.delete workspace.commit"},
			"one action":                 {audit.Filter{Action: "workspace.delete"}, "workspace.delete"},
			"an actor's name":            {audit.Filter{Actor: "ci2"}, "token.create"},
			"an actor":                   {audit.Filter{Actor: "token:ci2"}, "token.create"},
			"an actor's id":              {audit.Filter{Actor: "tok_0"}, "workspace.commit"},
			"an object":                  {audit.Filter{Object: "th_1"}, "workspace.delete"},
			"an object of another":       {audit.Filter{Object: "th_"}, ""},
			"later":                      {audit.Filter{Since: time.Now().Add(time.Hour)}, ""},
			"before":                     {audit.Filter{Until: time.Now().Add(time.Hour)}, strings.Repeat("capability.issue ", 3) + "token.create workspace.delete workspace.commit"},
		} {
			tc.filter.Organizations = []string{""}
			rows, err := s.Audit().List(t.Context(), tc.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rows {
				got = append(got, r.Action)
				if r.Address != "192.0.2.1" || r.Request != "req_1" || r.ActorID == "" || r.Number == 0 {
					t.Errorf("%s: the row %+v lacks where it came from", name, r)
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%s: got %v, want %s", name, got, tc.want)
			}
		}
		none, err := s.Audit().List(context.Background(), audit.Filter{})
		if err != nil || len(none) != 0 {
			t.Errorf("without organizations the list is %v, %v; want nothing", none, err)
		}
		_, err = signer(t, s, filepath.Join(t.TempDir(), "h"), nil).Verify(t.Context(), home, 9)
		if fault.KindOf(err) != fault.Missing {
			t.Errorf("Verify after a row that is not there: %v, want fault.Missing", err)
		}
	})
}

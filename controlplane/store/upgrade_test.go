package store_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"strings"
	"testing"

	"weir/controlplane/store"
	"weir/controlplane/store/accounts"
	"weir/controlplane/store/audit"
	"weir/controlplane/store/storetest"
	"weir/migrations"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// rebuild is what atlas writes on SQLite for a column that changes: the table is
// copied and dropped, which would take the rows that refer to it along.
const rebuild = "PRAGMA foreign_keys = off;\n" +
	"CREATE TABLE `new_users` (`id` text NOT NULL, `email` text NOT NULL, `password_hash` text NOT NULL, `role` text NOT NULL, `created_at` datetime NOT NULL, `note` text NULL, PRIMARY KEY (`id`));\n" +
	"INSERT INTO `new_users` (`id`, `email`, `password_hash`, `role`, `created_at`) SELECT `id`, `email`, `password_hash`, `role`, `created_at` FROM `users`;\n" +
	"DROP TABLE `users`;\nALTER TABLE `new_users` RENAME TO `users`;\nPRAGMA foreign_keys = on;\n"

func TestARebuiltTableKeepsWhatRefersToIt(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, store.Config{Database: storetest.SQLite(t)})
	u := must[store.User](t)(s.CreateUser(t.Context(), admin, store.User{Email: "a@b.c", PasswordHash: "x"}))
	if err := s.Accounts().Open(t.Context(), admin.By(), accounts.Session{Hash: store.Hash{1}, User: string(u.ID), ExpiresAt: u.CreatedAt.AddDate(9, 0, 0)}, accounts.Used{}); err != nil {
		t.Fatal(err)
	}
	list := must[[]migrations.Migration](t)(migrations.SQLite())
	list = append(list, migrations.Migration{Number: len(list) + 1, Name: "9999_rebuild.sql", SQL: rebuild})
	if err := s.Migrate(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if who, err := s.Accounts().Session(t.Context(), store.Hash{1}); err != nil || who.User != string(u.ID) {
		t.Errorf("after the rebuild the session is %+v, %v; want it kept", who, err)
	}
	wantKind(t, s.Accounts().Open(t.Context(), admin.By(), accounts.Session{Hash: store.Hash{2}, User: "usr_none"}, accounts.Used{}), fault.Missing)
}

func TestAMigrationThatFailsLeavesNothing(t *testing.T) {
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := database(t)
			s := storetest.Open(t, store.Config{Database: at})
			list := must[[]migrations.Migration](t)(migrations.SQLite())
			if name == "postgres" {
				list = must[[]migrations.Migration](t)(migrations.Postgres())
			}
			bad := migrations.Migration{Number: len(list) + 1, Name: "9999_bad.sql", SQL: "create table half (id text); create table half (id text);"}
			if err := s.Migrate(t.Context(), append(list, bad)); err == nil {
				t.Fatal("a broken migration passed")
			}
			good := migrations.Migration{Number: len(list) + 1, Name: "9999_good.sql", SQL: "create table half (id text);"}
			if err := s.Migrate(t.Context(), append(list, good)); err != nil {
				t.Errorf("the repaired migration: %v", err)
			}
			_, err := store.Open(t.Context(), store.Config{Database: at})
			wantKind(t, err, fault.Conflict) // it is newer than this program now
		})
	}
}

func TestARowThatWouldReferToNothingStopsTheMigration(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, store.Config{Database: storetest.SQLite(t)})
	list := must[[]migrations.Migration](t)(migrations.SQLite())
	list = append(list, migrations.Migration{Number: len(list) + 1, Name: "9999_orphan.sql",
		SQL: "insert into sessions (id, user_id, created_at, expires_at) values ('x', 'usr_none', '2030-01-01', '2030-01-01');"})
	if err := s.Migrate(t.Context(), list); err == nil {
		t.Error("a migration that left an orphan passed")
	}
}

// release1 makes a database as the first release left it, with one workspace on
// one plane, and returns it open.
func release1(t *testing.T, at string) *sql.DB {
	t.Helper()
	driver, list := "sqlite", must[[]migrations.Migration](t)(migrations.SQLite())
	if strings.HasPrefix(at, "postgres") {
		driver, list = "pgx", must[[]migrations.Migration](t)(migrations.Postgres())
	}
	db := must[*sql.DB](t)(sql.Open(driver, at))
	t.Cleanup(func() { _ = db.Close() })
	digest := sha256.Sum256([]byte(list[0].SQL))
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{list[0].SQL, nil},
		{"create table schema_migrations (number bigint not null primary key, name text not null, digest text not null, applied_at text not null)", nil},
		{"insert into schema_migrations values (1, $1, $2, '2026-01-01T00:00:00Z')", []any{list[0].Name, hex.EncodeToString(digest[:])}},
		{`insert into planes (id, name, region, kind, organization, identity_key, sealing_key, sealing_key_signature, nats_key, gateway_url, view_url, version, kinds, joined_at, alarms)
values ('pl_a', 'eu-1', 'eu', 'regional', '', $1, $1, $1, 'U', '', '', '1', '[]', '2026-01-01', '[]')`, []any{[]byte{1}}},
		{"insert into workspaces (id, name, region, number, digest, created_at, plane_id) values ('ws_a', 'acme', 'eu', 1, 'd', '2026-01-01', 'pl_a')", nil},
	} {
		if _, err := db.Exec(s.sql, s.args...); err != nil {
			t.Fatalf("%s: %v", s.sql, err)
		}
	}
	return db
}

func TestSecretsOfTheFirstReleaseBelongToDestinations(t *testing.T) {
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := database(t)
			db := release1(t, at)
			for version := 1; version <= 2; version++ {
				_, err := db.Exec(`insert into secrets (destination_id, field, version, fingerprint, sealed, created_at, workspace_id)
values ('dst_a', 'headers', $1, 'f', '{"pl_a":"AAEC"}', '2026-01-01', 'ws_a')`, version)
				if err != nil {
					t.Fatal(err)
				}
			}
			got := must[[]store.Secret](t)(storetest.Open(t, store.Config{Database: at}).Secrets(t.Context(), "ws_a"))
			if len(got) != 2 {
				t.Fatalf("after the upgrade there are %d secrets, want 2", len(got))
			}
			for i, s := range got {
				if s.Name != secret.OfDestination("ws_a", "dst_a", "headers", uint64(i+1)) || s.Fingerprint != "f" || string(s.Sealed[id.Plane("pl_a")]) != "\x00\x01\x02" {
					t.Errorf("after the upgrade secret %d is %+v", i, s)
				}
			}
		})
	}
}

func TestWhatThereIsBelongsToTheFirstOrganization(t *testing.T) {
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := database(t)
			db := release1(t, at)
			for _, statement := range []string{
				`insert into users (id, email, password_hash, role, created_at) values ('usr_a', 'a@example.com', 'x', 'admin', '2026-01-01'), ('usr_e', 'e@example.com', 'x', 'editor', '2026-01-01'), ('usr_v', 'v@example.com', 'x', 'viewer', '2026-01-01')`,
				`insert into api_tokens (id, name, role, hash, created_at, created_by) values ('tok_a', 'a', 'admin', 'a', '2026-01-01', 'x'), ('tok_e', 'e', 'editor', 'e', '2026-01-01', 'x')`,
				`insert into audit (at, actor, action, object, detail) values ('2026-01-01', 'person:a', 'workspace.commit', 'workspace ws_a', ''), ('2026-01-01', 'person:a', 'plane.invite', 'invitation x', '')`,
			} {
				if _, err := db.Exec(statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			s := storetest.Open(t, store.Config{Database: at})
			ws := must[store.Workspace](t)(s.WorkspaceByName(t.Context(), store.DefaultOrganization, "acme"))
			if ws.ID != "ws_a" || ws.Organization != store.DefaultOrganization || ws.Number != 1 {
				t.Errorf("after the upgrade the workspace is %+v", ws)
			}
			for subject, want := range map[string]string{"usr_a": "owner operator", "usr_e": "editor", "usr_v": "viewer", "tok_a": "owner operator", "tok_e": "editor"} {
				var roles []string
				for _, g := range must[[]store.Grant](t)(s.Tenancy().Grants(t.Context(), subject)) {
					roles = append(roles, g.Role)
					if wanted := g.Role != "operator"; wanted != (g.Organization == store.DefaultOrganization) {
						t.Errorf("after the upgrade %s has the grant %+v", subject, g)
					}
				}
				if got := strings.Join(roles, " "); got != want {
					t.Errorf("after the upgrade %s is %q, want %q", subject, got, want)
				}
			}
			for of, want := range map[store.OrganizationID]string{store.DefaultOrganization: "workspace.commit", "": "plane.invite"} {
				if log := must[[]audit.Entry](t)(s.Audit().List(t.Context(), audit.Filter{Organizations: []string{string(of)}})); len(log) != 1 || log[0].Action != want {
					t.Errorf("after the upgrade the audit of %q is %+v, want %s", of, log, want)
				}
			}
		})
	}
}

package store_test

import (
	"testing"

	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/migrations"
	"weir/shared/fault"
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
	u := must[store.User](t)(s.CreateUser(t.Context(), admin, store.User{Email: "a@b.c", PasswordHash: "x", Role: store.RoleViewer}))
	if err := s.CreateSession(t.Context(), admin, store.Session{Hash: store.Hash{1}, User: u.ID, ExpiresAt: u.CreatedAt.AddDate(9, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	list := must[[]migrations.Migration](t)(migrations.SQLite())
	list = append(list, migrations.Migration{Number: len(list) + 1, Name: "9999_rebuild.sql", SQL: rebuild})
	if err := s.Migrate(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if _, who, err := s.Session(t.Context(), store.Hash{1}); err != nil || who.ID != u.ID {
		t.Errorf("after the rebuild the session is %+v, %v; want it kept", who, err)
	}
	wantKind(t, s.CreateSession(t.Context(), admin, store.Session{Hash: store.Hash{2}, User: "usr_none"}), fault.Missing)
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

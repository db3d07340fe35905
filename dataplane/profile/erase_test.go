package profile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/tables"
)

var errDead = errors.New("the process is dead")

// mortal is a session whose process dies before one of its statements.
type mortal struct {
	tables.Session
	left *int
}

func (m mortal) die() error {
	if *m.left--; *m.left < 0 {
		return errDead
	}
	return nil
}

func (m mortal) Exec(ctx context.Context, sql string) (int64, error) {
	if err := m.die(); err != nil {
		return 0, err
	}
	return m.Session.Exec(ctx, sql)
}

func (m mortal) Rows(ctx context.Context, sql string, row func([]any) error) error {
	if err := m.die(); err != nil {
		return err
	}
	return m.Session.Rows(ctx, sql, row)
}

func (m mortal) Tx(ctx context.Context, do func(tables.Session) error) error {
	if err := m.die(); err != nil {
		return err
	}
	return m.Session.Tx(ctx, func(in tables.Session) error { return do(mortal{in, m.left}) })
}

// TestNothingOfAPersonComesBackFromARunThatDied has runs that build everything anew die at
// points all over them. A person who is erased then is in no table, nor after the next run.
func TestNothingOfAPersonComesBackFromARunThatDied(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"duckdb", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			diesAndErases(t, engines.Open(t, engine))
		})
	}
}

func diesAndErases(t *testing.T, w tables.Warehouse) {
	const deaths = 6
	in := func(do func(s tables.Session)) {
		t.Helper()
		s, err := w.Session(t.Context(), profile.Schema)
		if err != nil {
			t.Fatal(err)
		}
		do(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c, d := shop(w), w.Dialect()
	mail := func(i int) string { return fmt.Sprintf("person%02d@home.org", i) }
	in(func(s tables.Session) {
		makeTables(t, s)
		for i := range deaths + 1 {
			rows(t, s, d, "events.identifies", []any{fmt.Sprint("i", i), fmt.Sprint("a", i), fmt.Sprint("u", i), mail(i), nil, now.Add(-5 * day), now})
		}
		do(t, s, c, now)
	})
	statements := 1 << 30
	in(func(s tables.Session) {
		if _, err := profile.Do(t.Context(), mortal{s, &statements}, c, now, profile.Options{Full: true}); err != nil {
			t.Fatal(err)
		}
	})
	statements = 1<<30 - statements
	for i := range deaths {
		at := now.Add(time.Duration(i+1) * time.Hour)
		in(func(s tables.Session) {
			rows(t, s, d, "events.identifies", []any{fmt.Sprint("later", i), fmt.Sprint("b", i), fmt.Sprint("u", i), mail(i), nil, now, at})
			left := (i + 1) * statements / (deaths + 1)
			if _, err := profile.Do(t.Context(), mortal{s, &left}, c, at, profile.Options{Full: true}); !errors.Is(err, errDead) {
				t.Fatalf("the run before statement %d of %d: %v", left, statements, err)
			}
		})
		in(func(s tables.Session) {
			if _, _, err := profile.Erase(t.Context(), s, c, "", "email:"+mail(i), at); err != nil {
				t.Fatal(err)
			}
			traces(t, s, mail(i))
			do(t, s, c, at)
			traces(t, s, mail(i))
		})
	}
	in(func(s tables.Session) {
		if got := all(t, s, "select value from user_ids where id_type = 'email'"); got != mail(deaths) {
			t.Errorf("left are %s, want the one who was not erased", got)
		}
	})
}

package database_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/audit"
	"weir/shared/fault"
)

// TestWritesAtOnceFailAlone has writes wait for one that takes long, so that they are made
// together: those that fail, or whose callers went, leave nothing, and the others all that
// they wrote and a row each in the log.
func TestWritesAtOnceFailAlone(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), database.Config{Database: filepath.Join(t.TempDir(), "weir.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	told := make(chan struct{}, 1000)
	db.OnAppend(func() { told <- struct{}{} })
	set := func(ctx context.Context, key string, then error) error {
		return db.Write(ctx, "person:ann", func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
			if err := tx.Setting.Create().SetID(key).SetValue([]byte("v")).Exec(ctx); err != nil {
				return database.Trail{}, err
			}
			return database.Trail{Action: "test.set", Object: key}, then
		})
	}
	ready, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		err := db.Write(t.Context(), "person:ann", func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
			close(ready)
			<-held
			return database.Trail{Action: "test.hold", Object: "first"}, nil
		})
		if err != nil {
			t.Errorf("the write that takes long: %v", err)
		}
	})
	<-ready
	const each = 20
	refused := fault.New(fault.Denied, "not this one")
	gone, leave := context.WithCancel(t.Context())
	called := make(chan struct{}, 5*each)
	write := func(ctx context.Context, key string, then error, check func(error) bool) {
		all.Go(func() {
			called <- struct{}{}
			if err := set(ctx, key, then); !check(err) {
				t.Errorf("%s: got error %v", key, err)
			}
		})
	}
	for i := range each {
		write(t.Context(), fmt.Sprint("kept-", i), nil, func(err error) bool { return err == nil })
		write(t.Context(), fmt.Sprint("refused-", i), refused, func(err error) bool { return errors.Is(err, refused) })
		write(gone, fmt.Sprint("gone-", i), nil, func(err error) bool { return fault.KindOf(err) == fault.Unavailable })
	}
	var mu sync.Mutex
	twice := 0
	for range each {
		write(t.Context(), "one", nil, func(err error) bool {
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				twice++
			}
			return err == nil || fault.KindOf(err) == fault.Conflict
		})
	}
	for range 4 * each {
		<-called
	}
	leave()
	close(held)
	all.Wait()

	keys, err := db.Ent().Setting.Query().IDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, key := range keys {
		if strings.HasPrefix(key, "kept-") {
			kept++
		}
		if strings.HasPrefix(key, "refused-") {
			t.Errorf("%s was refused and is there", key)
		}
	}
	rows, err := db.Ent().Audit.Query().Order(ent.Asc(audit.FieldNumber)).All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if kept != each || twice != 1 || len(rows) != each+2 || len(told) != len(rows) {
		t.Errorf("got %d rows of the %d good writes, %d of one key, %d rows in the log, and was told of %d", kept, each, twice, len(rows), len(told))
	}
	for i, r := range rows {
		if r.Number != uint64(i+1) {
			t.Errorf("row %d of the log has number %d", i+1, r.Number)
		}
	}
}

// TestAWriteThatPanicsStopsNoOther has a write break off while others wait with it.
func TestAWriteThatPanicsStopsNoOther(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), database.Config{Database: filepath.Join(t.TempDir(), "weir.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			defer func() { _ = recover() }()
			_ = db.Write(t.Context(), "person:ann", func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
				if i%5 == 0 {
					panic("a defect")
				}
				return database.Trail{}, nil
			})
		})
	}
	all.Wait()
	err = db.Write(t.Context(), "person:ann", func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		return database.Trail{Action: "test.last", Object: "last"}, nil
	})
	if n := db.Ent().Audit.Query().CountX(t.Context()); err != nil || n != 1 {
		t.Errorf("after the panics: error %v and %d rows in the log, want none and 1", err, n)
	}
}

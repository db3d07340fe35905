package erase_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/jobs"
	"weir/dataplane/layout"
	"weir/dataplane/queue/natsstore/table"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
	"weir/shared/fault"
	"weir/shared/id"
)

const (
	ws   = id.Workspace("ws_one")
	lake = id.Destination("dst_lake")
	day  = 24 * time.Hour
)

// tables is a warehouse: of each table, when its rows came.
type tables struct {
	warehouse.Warehouse
	mu   sync.Mutex
	rows map[string][]time.Time
	away bool
}

func (w *tables) Schema(_ context.Context, names []string) (warehouse.Schema, error) {
	s := warehouse.Schema{}
	for _, name := range names {
		s[name] = warehouse.TableSchema{Columns: map[string]warehouse.Column{"received_at": {Type: layout.Datetime}}}
	}
	return s, nil
}

func (w *tables) split(table, condition string) (old, left []time.Time, err error) {
	_, text, _ := strings.Cut(condition, " < ")
	limit, err := time.Parse(time.RFC3339Nano, text)
	for _, at := range w.rows[table] {
		if at.Before(limit) {
			old = append(old, at)
		} else {
			left = append(left, at)
		}
	}
	return old, left, err
}

func (w *tables) Query(_ context.Context, sql string, row func([]byte) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, condition, _ := strings.Cut(sql, " where ")
	_, table, _ := strings.Cut(before, " from ")
	old, _, err := w.split(strings.Trim(table, `"`), condition)
	return errors.Join(err, row(fmt.Appendf(nil, `{"n":%d}`, len(old))))
}

func (w *tables) Remove(_ context.Context, table, condition string) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, w.rows[table], err = w.split(table, condition)
	return err
}

func (w *tables) Moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
func (w *tables) Close() error              { return nil }

func (w *tables) left() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, rows := range w.rows {
		n += len(rows)
	}
	return n
}

// documents outlive processes.
type documents struct {
	mu       sync.Mutex
	all      map[string]table.Document
	watchers map[chan table.Document]bool
}

func newDocuments() *documents {
	return &documents{all: map[string]table.Document{}, watchers: map[chan table.Document]bool{}}
}

func (d *documents) Get(_ context.Context, key string) (table.Document, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc, ok := d.all[key]
	if !ok {
		return doc, fault.New(fault.Missing, "There is none.")
	}
	return doc, nil
}

func (d *documents) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return 0, fault.New(fault.Unavailable, "The store is away.")
	case d.all[key].Revision != revision:
		return 0, fault.New(fault.Conflict, "It changed.")
	}
	doc := table.Document{Key: key, Value: value, Revision: revision + 1}
	d.all[key] = doc
	for w := range d.watchers {
		w <- doc
	}
	return doc.Revision, nil
}

func (d *documents) Watch(ctx context.Context, changed func(table.Document), _ func()) error {
	told := make(chan table.Document, 10_000)
	d.mu.Lock()
	for _, doc := range d.all {
		told <- doc
	}
	d.watchers[told] = true
	d.mu.Unlock()
	defer func() { d.mu.Lock(); delete(d.watchers, told); d.mu.Unlock() }()
	for {
		select {
		case doc := <-told:
			changed(doc)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// last is how the last run is.
func last(t *testing.T, e *erase.Expirer) erase.Expired {
	t.Helper()
	x, err := e.Last(t.Context(), lake)
	if err != nil {
		t.Error(err)
	}
	return x
}

func always() bool { return true }

// process runs an expirer that keeps what it did in documents until ctx ends; owner says
// whether it is the one that removes.
func process(ctx context.Context, docs *documents, owner func() bool, w *tables, reach func(string) error) (e *erase.Expirer, rule erase.Rule, ended <-chan struct{}) {
	rule = erase.Rule{
		Workspace: ws, Destination: lake, Name: "lake", Retention: removal.Retention{All: 30 * day, Tables: map[string]time.Duration{"kept": 0}},
		Known: func() []string { return []string{"a", "b", "kept"} },
		Open: func(context.Context) (warehouse.Warehouse, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.away {
				return nil, errors.New("no answer")
			}
			return w, nil
		},
	}
	e = &erase.Expirer{
		Table: docs, Rules: func() []erase.Rule { return []erase.Rule{rule} }, Owner: owner, Runner: func(c jobs.Config) jobs.Runner { return jobs.NewLoop(c) },
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Reach: reach,
	}
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	synctest.Wait()
	return e, rule, done
}

func aged(ages ...int) (all []time.Time) {
	for _, days := range ages {
		all = append(all, time.Now().Add(-time.Duration(days)*day))
	}
	return all
}

func TestRowsExpireOnceADayAndWhenAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &tables{rows: map[string][]time.Time{"a": aged(29, 31, 400), "b": aged(0), "kept": aged(4000)}}
		ctx, stop := context.WithCancel(t.Context())
		e, rule, ended := process(ctx, newDocuments(), always, w, nil)
		defer func() { stop(); <-ended }()
		if x := last(t, e); w.left() != 3 || x.Rows != 2 || x.Due || x.Code != "" {
			t.Errorf("at the start %d rows are left, %+v, want 3 after 2 went", w.left(), x)
		}
		time.Sleep(30 * time.Hour) // the day after
		if x := last(t, e); w.left() != 3 || x.Rows != 0 {
			t.Errorf("a day later %d rows are left, %+v, want 3", w.left(), x)
		}
		time.Sleep(20 * time.Hour) // the oldest is 31 days old
		if n := w.left(); n != 2 {
			t.Errorf("two days later %d rows are left, want 2", n)
		}
		w.mu.Lock()
		w.rows["b"], w.away = append(w.rows["b"], aged(50)...), true
		w.mu.Unlock()
		asked, err := e.Ask(ctx, rule)
		if synctest.Wait(); err != nil || last(t, e).Code != warehouse.CodeUnreachable || last(t, e).Asked != asked {
			t.Errorf("asked while it is away: %+v, %v", last(t, e), err)
		}
		w.mu.Lock()
		w.away = false
		w.mu.Unlock()
		time.Sleep(time.Hour + time.Second)
		if x := last(t, e); w.left() != 2 || x.Rows != 1 || x.Code != "" {
			t.Errorf("an hour later %d rows are left, %+v, want 2", w.left(), x)
		}
	})
}

func TestARunGoesOnAfterADeath(t *testing.T) {
	t.Parallel()
	life := func(t *testing.T, dies int) (steps int) {
		synctest.Test(t, func(t *testing.T) {
			docs := newDocuments()
			w := &tables{rows: map[string][]time.Time{}}
			ctx, die := context.WithCancel(t.Context())
			e, rule, ended := process(ctx, docs, always, w, func(string) error {
				if w.left() == 0 {
					return nil // the run at the start
				}
				if steps++; steps-1 == dies {
					die()
					return errors.New("the process is dead")
				}
				return nil
			})
			w.mu.Lock()
			w.rows = map[string][]time.Time{"a": aged(31, 1), "b": aged(32, 2)}
			w.mu.Unlock()
			asked, err := e.Ask(ctx, rule)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if dies >= 0 {
				<-ended
				ctx, die = context.WithCancel(t.Context())
				e, _, ended = process(ctx, docs, always, w, nil)
			}
			if x := last(t, e); w.left() != 2 || x.Due || x.Asked != asked || x.Code != "" {
				t.Errorf("%d rows are left, %+v, want 2", w.left(), x)
			}
			die()
			<-ended
		})
		return steps
	}
	steps := life(t, -1)
	if steps != 3 {
		t.Fatalf("%d steps, want 3", steps)
	}
	for i := range steps {
		life(t, i)
	}
}

// TestAnyProcessIsAsked asks the one of two processes that does not remove. The other one does
// it, and when it dies in the middle the first takes over and goes on with the same run.
func TestAnyProcessIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs, w := newDocuments(), &tables{rows: map[string][]time.Time{}}
		var first atomic.Bool // whether the first process is the owner
		ctx, stop := context.WithCancel(t.Context())
		one, rule, oneEnded := process(ctx, docs, first.Load, w, nil)
		other, die := context.WithCancel(t.Context())
		var deaths atomic.Int32
		two, _, twoEnded := process(other, docs, func() bool { return !first.Load() }, w, func(string) error {
			if deaths.Load() > 0 {
				deaths.Store(2)
				die()
				return errors.New("the process is dead")
			}
			return nil
		})
		w.mu.Lock()
		w.rows = map[string][]time.Time{"a": aged(31, 1), "b": aged(32, 2)}
		w.mu.Unlock()
		asked, err := one.Ask(ctx, rule)
		synctest.Wait()
		for _, e := range []*erase.Expirer{one, two} {
			if x := last(t, e); err != nil || w.left() != 2 || x.Due || x.Asked != asked || x.Rows != 2 || len(x.Tables) != 2 {
				t.Errorf("%d rows are left, %+v, %v, want 2", w.left(), x, err)
			}
		}
		w.mu.Lock()
		w.rows = map[string][]time.Time{"a": aged(31, 1), "b": aged(32, 2)}
		w.mu.Unlock()
		deaths.Store(1)
		if _, err = one.Ask(ctx, rule); err != nil {
			t.Fatal(err)
		}
		<-twoEnded
		at := last(t, one)
		if !at.Due || w.left() != 3 || deaths.Load() != 2 {
			t.Errorf("when the other one died: %+v, %d rows", at, w.left())
		}
		first.Store(true)
		time.Sleep(2 * time.Minute)
		if x := last(t, one); w.left() != 2 || x.Due || !x.At.Equal(at.At) || x.Code != "" {
			t.Errorf("after it took over %d rows are left, %+v, want 2", w.left(), x)
		}
		stop()
		<-oneEnded
	})
}

package erase_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/jobs"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/removal"
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

// process runs an expirer that keeps what it did in dir until ctx ends.
func process(ctx context.Context, dir string, w *tables, reach func(string) error) (e *erase.Expirer, rule erase.Rule, ended <-chan struct{}) {
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
		Dir: dir, Rules: func() []erase.Rule { return []erase.Rule{rule} }, Owner: func() bool { return true }, Runner: func(c jobs.Config) jobs.Runner { return jobs.NewLoop(c) },
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
		e, rule, ended := process(ctx, t.TempDir(), w, nil)
		defer func() { stop(); <-ended }()
		if x := e.Last(lake); w.left() != 3 || x.Rows != 2 || x.Due || x.Code != "" {
			t.Errorf("at the start %d rows are left, %+v, want 3 after 2 went", w.left(), x)
		}
		time.Sleep(30 * time.Hour) // the day after
		if x := e.Last(lake); w.left() != 3 || x.Rows != 0 {
			t.Errorf("a day later %d rows are left, %+v, want 3", w.left(), x)
		}
		time.Sleep(20 * time.Hour) // the oldest is 31 days old
		if n := w.left(); n != 2 {
			t.Errorf("two days later %d rows are left, want 2", n)
		}
		w.mu.Lock()
		w.rows["b"], w.away = append(w.rows["b"], aged(50)...), true
		w.mu.Unlock()
		asked, err := e.Ask(rule)
		if synctest.Wait(); err != nil || e.Last(lake).Code != warehouse.CodeUnreachable || e.Last(lake).Asked != asked {
			t.Errorf("asked while it is away: %+v, %v", e.Last(lake), err)
		}
		w.mu.Lock()
		w.away = false
		w.mu.Unlock()
		time.Sleep(time.Hour + time.Second)
		if x := e.Last(lake); w.left() != 2 || x.Rows != 1 || x.Code != "" {
			t.Errorf("an hour later %d rows are left, %+v, want 2", w.left(), x)
		}
	})
}

func TestARunGoesOnAfterADeath(t *testing.T) {
	t.Parallel()
	life := func(t *testing.T, dies int) (steps int) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			w := &tables{rows: map[string][]time.Time{}}
			ctx, die := context.WithCancel(t.Context())
			e, rule, ended := process(ctx, dir, w, func(string) error {
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
			asked, err := e.Ask(rule)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if dies >= 0 {
				<-ended
				ctx, die = context.WithCancel(t.Context())
				e, _, ended = process(ctx, dir, w, nil)
			}
			if x := e.Last(lake); w.left() != 2 || x.Due || x.Asked != asked || x.Code != "" {
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

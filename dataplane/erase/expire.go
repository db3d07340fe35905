package erase

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/quoting"
	"weir/dataplane/warehouse/removal"
	"weir/shared/delay"
	"weir/shared/durable"
	"weir/shared/id"
)

// Older is the condition that rows of a table came before the retention of its rule; empty
// without one, and for tables that do not say when rows came.
func Older(w warehouse.Warehouse, r removal.Retention, now time.Time) func(table string, have warehouse.TableSchema) string {
	return func(table string, have warehouse.TableSchema) string {
		keep := r.Of(table)
		m, ok := w.(removal.Remover)
		if keep == 0 || !ok || have.Columns["received_at"].Type != layout.Datetime {
			return ""
		}
		return quoting.Name(w, "received_at") + " < " + m.Moment(now.Add(-keep))
	}
}

// Rule is how long rows of a warehouse are kept.
type Rule struct {
	Destination id.Destination
	Retention   removal.Retention
	Known       func() []string // tables
	Open        func(ctx context.Context) (warehouse.Warehouse, error)
}

// Expired is what the last run of a rule did.
type Expired struct {
	At   time.Time `json:"at"` // when it began
	Rows int64     `json:"rows"`
	Code string    `json:"code,omitempty"` // why it ended early
}

// Times of runs.
const (
	look     = time.Minute
	every    = 24 * time.Hour
	again    = time.Hour // after a failure
	longest  = 2 * time.Hour
	fileName = "expired.json"
)

// Expirer lets rows expire once a day. It is safe for concurrent use.
type Expirer struct {
	Dir   string        // a folder for each destination
	Rules func() []Rule // of warehouses that have one
	Owner func() bool   // of one plane's processes one does it
	Now   func() time.Time
	Log   *slog.Logger

	mu sync.Mutex // one run at a time
}

// Run runs rules when they are due, until ctx ends.
func (e *Expirer) Run(ctx context.Context) {
	for delay.For(ctx, look) {
		if !e.Owner() {
			continue
		}
		for _, r := range e.Rules() {
			last := e.Last(r.Destination)
			wait := every
			if last.Code != "" {
				wait = again
			}
			if ctx.Err() == nil && e.Now().Sub(last.At) >= wait {
				_, _ = e.Expire(ctx, r, false, func(Table) error { return nil }) // it is kept, and logged
			}
		}
	}
}

// Last returns what the last run of a destination's rule did; zero: there was none.
func (e *Expirer) Last(d id.Destination) (x Expired) {
	_, _ = durable.GetJSON(e.path(d), &x) // one that cannot be read is run again
	return x
}

func (e *Expirer) path(d id.Destination) string { return filepath.Join(e.Dir, string(d), fileName) }

// Expire runs a rule, or with dry counts what it would remove. each hears of tables.
func (e *Expirer) Expire(ctx context.Context, r Rule, dry bool, each func(Table) error) (x Expired, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	x.At = e.Now().UTC()
	w, err := r.Open(ctx)
	if err == nil {
		err = Rows(ctx, w, r.Known(), Older(w, r.Retention, x.At), dry, func(t Table) error {
			x.Rows += t.Rows
			return each(t)
		})
		err = errors.Join(err, w.Close())
	}
	if dry {
		return x, err
	}
	if err != nil {
		x.Code = warehouse.CodeOf(err)
		e.Log.WarnContext(ctx, "rows did not expire", "destination", string(r.Destination), "code", x.Code)
	} else if x.Rows > 0 {
		e.Log.InfoContext(ctx, "rows expired", "destination", string(r.Destination), "rows", x.Rows)
	}
	return x, errors.Join(err, durable.PutJSON(e.path(r.Destination), x))
}

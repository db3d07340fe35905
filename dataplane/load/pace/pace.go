// Package pace gives the steps of a load deadlines, by the rows that they are about.
package pace

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/quoting"
)

// Longest is how long any step may take at most.
const Longest = 30 * time.Minute

// Deadlines of the steps of a load.
const (
	stepTime = 30 * time.Second // of a step over no rows
	rowTime  = time.Millisecond // for each row on top
	doubled  = 4                // how often a deadline doubles at most
)

// Waits between a load that failed and the next one.
const (
	firstWait = time.Second
	lastWait  = 5 * time.Minute
)

// Backoff returns how long a load waits after so many failures in a row, from 1: a random
// time of between half and all of a second that each failure doubles, of five minutes at most.
func Backoff(failures int) time.Duration {
	most := min(firstWait<<min(failures, 10), lastWait)
	return most/2 + rand.N(most/2)
}

var errCut = errors.New("the deadline of the step")

// Pace is how fast the warehouse of one destination is. A step that meets its deadline is
// cut and fails as warehouse.CodeSlow; the next attempt gives steps twice the time, up to
// 16 times, until a load succeeds. It is for one load at a time.
type Pace struct {
	cuts int // steps that were cut since the last load that succeeded
	Size Size
}

// Succeeded says that a load did.
func (p *Pace) Succeeded() { p.cuts = 0 }

// Warehouse is a warehouse whose steps have deadlines.
type Warehouse struct {
	warehouse.Warehouse
	Rows int64 // that the next steps are about

	pace *Pace
	end  context.CancelCauseFunc // of the connection
}

// Open opens a warehouse. Errors are warehouse.Failures.
func (p *Pace) Open(ctx context.Context, open func(context.Context) (warehouse.Warehouse, error)) (w *Warehouse, err error) {
	w = &Warehouse{pace: p}
	ctx, w.end = context.WithCancelCause(ctx) // a timeout would end the connection, too
	timer := time.AfterFunc(p.most(0), func() { w.end(errCut) })
	w.Warehouse, err = open(ctx)
	timer.Stop()
	if err != nil {
		w.end(nil)
		return nil, p.cut(ctx, p.most(0), warehouse.Fail(warehouse.CodeUnreachable, err))
	}
	return w, nil
}

// Close implements warehouse.Warehouse.
func (w *Warehouse) Close() error {
	defer w.end(nil)
	return w.Warehouse.Close()
}

// most is how long a step over so many rows may take.
func (p *Pace) most(rows int64) time.Duration {
	return min((stepTime+time.Duration(rows)*rowTime)<<min(p.cuts, doubled), Longest)
}

// Step runs one step.
func (w *Warehouse) Step(ctx context.Context, do func(context.Context) error) error {
	most := w.pace.most(w.Rows)
	ctx, cancel := context.WithTimeoutCause(ctx, most, errCut)
	defer cancel()
	return w.pace.cut(ctx, most, do(ctx))
}

// cut gives the error of a step its code when the step was cut.
func (p *Pace) cut(ctx context.Context, most time.Duration, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errCut) {
		return err
	}
	p.cuts++
	p.Size.cut()
	return &warehouse.Failure{Code: warehouse.CodeSlow, Err: fmt.Errorf("no answer within %s: %w", most, err)}
}

// Schema implements warehouse.Warehouse.
func (w *Warehouse) Schema(ctx context.Context, tables []string) (s warehouse.Schema, err error) {
	err = w.Step(ctx, func(ctx context.Context) error { s, err = w.Warehouse.Schema(ctx, tables); return err })
	return s, err
}

// Alter implements warehouse.Warehouse.
func (w *Warehouse) Alter(ctx context.Context, changes []warehouse.Change) error {
	return w.Step(ctx, func(ctx context.Context) error { return w.Warehouse.Alter(ctx, changes) })
}

// Query implements warehouse.Warehouse.
func (w *Warehouse) Query(ctx context.Context, sql string, row func([]byte) error) error {
	return w.Step(ctx, func(ctx context.Context) error { return w.Warehouse.Query(ctx, sql, row) })
}

// Merge implements warehouse.Warehouse.
func (w *Warehouse) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (m warehouse.Merged, err error) {
	err = w.Step(ctx, func(ctx context.Context) error { m, err = w.Warehouse.Merge(ctx, t, files); return err })
	return m, err
}

// Inner is the warehouse whose steps have no deadlines.
func (w *Warehouse) Inner() warehouse.Warehouse { return w.Warehouse }

// Quote is that of the warehouse.
func (w *Warehouse) Quote(name string) string { return quoting.Name(w.Warehouse, name) }

// Text is that of the warehouse.
func (w *Warehouse) Text(s string) string { return quoting.Text(w.Warehouse, s) }

// First is that of the warehouse.
func (w *Warehouse) First(rest string) string { return quoting.First(w.Warehouse, rest) }

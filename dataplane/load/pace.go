package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/dataplane/warehouse"
)

// Deadlines of the steps of a load.
const (
	stepTime = 30 * time.Second // of a step over no rows
	rowTime  = time.Millisecond // for each row on top
	longest  = 30 * time.Minute // of any step
	doubled  = 4                // how often a deadline doubles at most
)

var errCut = errors.New("the deadline of the step")

// paced is a warehouse whose steps have deadlines, by the rows that they are about.
// A step that meets its deadline is cut and fails as warehouse.CodeSlow; the next
// attempt gives steps twice the time, up to 16 times, until a load succeeds.
type paced struct {
	warehouse.Warehouse
	l    *loader
	rows int64
	end  context.CancelCauseFunc // of the connection
}

// open opens a job's warehouse.
func (l *loader) open(ctx context.Context, job Job) (w *paced, err error) {
	w = &paced{l: l}
	ctx, w.end = context.WithCancelCause(ctx) // a timeout would end the connection, too
	timer := time.AfterFunc(l.most(0), func() { w.end(errCut) })
	w.Warehouse, err = job.Open(ctx)
	timer.Stop()
	if err != nil {
		w.end(nil)
		return nil, l.cut(ctx, l.most(0), warehouse.Fail(warehouse.CodeUnreachable, err))
	}
	return w, nil
}

// Close implements warehouse.Warehouse.
func (w *paced) Close() error {
	defer w.end(nil)
	return w.Warehouse.Close()
}

// most is how long a step over so many rows may take.
func (l *loader) most(rows int64) time.Duration {
	return min((stepTime+time.Duration(rows)*rowTime)<<min(l.cuts, doubled), longest)
}

// step runs one step.
func (w *paced) step(ctx context.Context, do func(context.Context) error) error {
	most := w.l.most(w.rows)
	ctx, cancel := context.WithTimeoutCause(ctx, most, errCut)
	defer cancel()
	return w.l.cut(ctx, most, do(ctx))
}

// cut gives the error of a step its code when the step was cut.
func (l *loader) cut(ctx context.Context, most time.Duration, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errCut) {
		return err
	}
	l.cuts++
	return &warehouse.Failure{Code: warehouse.CodeSlow, Err: fmt.Errorf("no answer within %s: %w", most, err)}
}

// Schema implements warehouse.Warehouse.
func (w *paced) Schema(ctx context.Context, tables []string) (s warehouse.Schema, err error) {
	err = w.step(ctx, func(ctx context.Context) error { s, err = w.Warehouse.Schema(ctx, tables); return err })
	return s, err
}

// Alter implements warehouse.Warehouse.
func (w *paced) Alter(ctx context.Context, changes []warehouse.Change) error {
	return w.step(ctx, func(ctx context.Context) error { return w.Warehouse.Alter(ctx, changes) })
}

// Query implements warehouse.Warehouse.
func (w *paced) Query(ctx context.Context, sql string, row func([]byte) error) error {
	return w.step(ctx, func(ctx context.Context) error { return w.Warehouse.Query(ctx, sql, row) })
}

// Merge implements warehouse.Warehouse.
func (w *paced) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (m warehouse.Merged, err error) {
	err = w.step(ctx, func(ctx context.Context) error { m, err = w.Warehouse.Merge(ctx, t, files); return err })
	return m, err
}

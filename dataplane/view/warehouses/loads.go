package warehouses

import (
	"context"

	"weir/dataplane/load"
	"weir/dataplane/load/ask"
	"weir/dataplane/load/pauses"
	"weir/dataplane/view"
	"weir/shared/id"
)

// Loads is what the view may ask of the loads of this process. All fields are required.
type Loads struct {
	Plans  Plans
	Engine *load.Engine
	Pauses *pauses.Keeper
	// Accepted waits, for a while, until what was accepted before is parked, staged or delivered.
	Accepted func(ctx context.Context) error
}

// Settle waits until what was accepted before is staged, some seconds at most.
func (l *Loads) Settle(ctx context.Context) error { return l.Accepted(ctx) }

// Hasten lets a warehouse be loaded without delay.
func (l *Loads) Hasten(_ context.Context, _ id.Workspace, d id.Destination) error {
	return l.Engine.Hasten(d)
}

// Pause pauses the loads of a warehouse in all processes of the plane, or resumes them.
func (l *Loads) Pause(ctx context.Context, ws id.Workspace, d id.Destination, paused bool) error {
	return l.Pauses.Pause(ctx, ws, d, paused)
}

// Loads lists loads, newest first, and what waits.
func (l *Loads) Loads(_ context.Context, ws id.Workspace, only id.Destination) ([]view.Loaded, []view.Waiting, error) {
	var all []view.Loaded
	var waits []view.Waiting
	staged := map[id.Destination]int64{}
	counted, _ := l.Engine.Staged()
	for k, n := range counted {
		staged[k.Destination] += n
	}
	for _, w := range l.Plans.Warehouses() {
		if w.Workspace != ws || only != "" && w.ID != only {
			continue
		}
		waits = append(waits, view.Waiting{Destination: w.ID, Events: staged[w.ID], Next: l.Engine.Next(w.ID), Paused: l.Engine.Paused(w.ID)})
		for _, x := range l.Engine.Loads(w.ID) {
			one := view.Loaded{
				ID: x.ID, Destination: w.ID, At: x.At, State: string(x.State), Rows: x.Rows, Took: x.Took, Attempt: x.Attempt, Next: x.Next, Code: x.Code, Detail: x.Detail,
			}
			one.Tables, one.Events = x.Names()
			all = append(all, one)
		}
	}
	return all, waits, nil
}

// Query runs a reading statement. What the warehouse says against it is shown to
// whoever asked.
func (l *Loads) Query(ctx context.Context, _ id.Workspace, d id.Destination, sql string, row func(columns []string, values []any) error) error {
	return Spoken(l.Engine.Query(ctx, d, sql, func(object []byte) error {
		columns, values, err := ask.Columns(object)
		if err != nil {
			return err
		}
		return row(columns, values)
	}))
}

// Test signs in.
func (l *Loads) Test(ctx context.Context, _ id.Workspace, d id.Destination) error {
	return Spoken(l.Engine.Test(ctx, d))
}

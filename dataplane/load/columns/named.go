package columns

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"weir/dataplane/load/stage"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/quoting"
)

// Named says into which table the rows staged for t go: t.Name, or t.Shared where
// that holds rows of the same event, or none yet. So an event's rows stay together,
// also in a table that is older than the name t.Name. of gives the name of an event's
// own table. sure is false when a later answer may differ.
func Named(ctx context.Context, w warehouse.Warehouse, t stage.Table, of func(event string) string) (name string, sure bool, err error) {
	if t.Shared == "" {
		return t.Name, true, nil
	}
	have, err := w.Schema(ctx, []string{t.Name, t.Shared})
	if err != nil {
		return "", false, err
	}
	if have[t.Name].Columns != nil {
		return t.Name, true, nil
	}
	if r, ok := recorderOf(w); ok {
		events, err := r.Events(ctx, t.Shared)
		switch {
		case err != nil:
			return "", false, fmt.Errorf("ask a table for its events: %w", err)
		case len(events) == 0:
			return t.Shared, false, nil
		case of(events[0]) == t.Name || slices.Contains(events, t.Event):
			return t.Shared, true, nil
		}
		return t.Name, false, nil
	}
	column := "event_text"
	if _, ok := have[t.Shared].Columns[column]; !ok {
		column = "event" // rows of extracts have no other
	}
	if _, ok := have[t.Shared].Columns[column]; !ok {
		return t.Shared, false, nil
	}
	some, err := eventIn(ctx, w, quoting.First(w, fmt.Sprintf(`%s as event from %s where %[1]s is not null`, column, quoting.Name(w, t.Shared))))
	switch {
	case err != nil:
		return "", false, err
	case some == "":
		return t.Shared, false, nil
	case of(some) == t.Name:
		return t.Shared, true, nil
	}
	// Tables from before names were told apart may hold rows of several events.
	switch some, err = eventIn(ctx, w, quoting.First(w, fmt.Sprintf(`%s as event from %s where %[1]s = %[3]s`, column, quoting.Name(w, t.Shared), quoting.Text(w, t.Event)))); {
	case err != nil:
		return "", false, err
	case some != "":
		return t.Shared, true, nil
	}
	return t.Name, false, nil
}

// recorder is a warehouse that cannot be asked by Query of which events the rows of a table
// are, and keeps them beside.
type recorder interface {
	// Events are names that Table.Event had in merges into a table: the first, and many of
	// the others.
	Events(ctx context.Context, table string) ([]string, error)
}

// recorderOf is the recorder that w is, or that it wraps.
func recorderOf(w warehouse.Warehouse) (recorder, bool) {
	if in, ok := w.(interface{ Inner() warehouse.Warehouse }); ok {
		w = in.Inner()
	}
	r, ok := w.(recorder)
	return r, ok
}

// eventIn runs a query for one text named event; empty without a row.
func eventIn(ctx context.Context, w warehouse.Warehouse, query string) (event string, err error) {
	err = w.Query(ctx, query, func(row []byte) error {
		var r struct{ Event string }
		if err := json.Unmarshal(row, &r); err != nil {
			return err
		}
		event = r.Event
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("ask a table for its events: %w", err)
	}
	return event, nil
}

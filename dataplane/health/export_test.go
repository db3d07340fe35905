package health

import (
	"context"

	"weir/dataplane/deliver"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/transform"
	"weir/shared/id"
	"weir/shared/wire"
)

// Limits is the alarms of limits, of destinations whose workspaces the books tell.
func Limits(lanes []deliver.State, code transform.Load, cpu float64, books []ledger.Row) []wire.Alarm {
	return alarmsOf(owned(limits(lanes, code, cpu), books))
}

// Looks returns a function that looks at logs and books, one time after another, and
// tells the alarms and a refusing append. removed is that of a Config; nil: nothing is.
func Looks(removed func(ws id.Workspace, object string) bool) func(logs []Log, rows []ledger.Row) ([]wire.Alarm, Appending) {
	if removed == nil {
		removed = func(id.Workspace, string) bool { return false }
	}
	q := quota{removed: removed, outside: true}
	return func(logs []Log, rows []ledger.Row) ([]wire.Alarm, Appending) {
		q.look(logs, func() []ledger.Row { return rows })
		return q.alarms(), q.before(func(context.Context, []event.Event) error { return nil })
	}
}

package health

import (
	"context"

	"weir/dataplane/deliver"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/transform"
	"weir/shared/wire"
)

// Limits is the alarms of limits, of destinations whose workspaces the books tell.
func Limits(lanes []deliver.State, code transform.Load, cpu float64, books []ledger.Row) []wire.Alarm {
	return alarmsOf(owned(limits(lanes, code, cpu), books))
}

// Looks returns a function that looks at logs and books, one time after another, and
// tells the alarms and a refusing append.
func Looks() func(logs []Log, rows []ledger.Row) ([]wire.Alarm, Appending) {
	var q quota
	return func(logs []Log, rows []ledger.Row) ([]wire.Alarm, Appending) {
		q.look(logs, func() []ledger.Row { return rows })
		return q.alarms(), q.before(func(context.Context, []event.Event) error { return nil })
	}
}

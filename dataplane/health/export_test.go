package health

import (
	"context"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/shared/wire"
)

// Limits is what slow decides by.
var Limits = limits

// Looks returns a function that looks at logs and books, one time after another, and
// tells the alarms and a refusing append.
func Looks() func(logs []Log, rows []ledger.Row) ([]wire.Alarm, Appending) {
	var q quota
	return func(logs []Log, rows []ledger.Row) ([]wire.Alarm, Appending) {
		q.look(logs, func() []ledger.Row { return rows })
		return q.alarms(), q.before(func(context.Context, []event.Event) error { return nil })
	}
}

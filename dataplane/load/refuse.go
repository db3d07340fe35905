package load

import (
	"weir/dataplane/event"
	"weir/dataplane/layout"
)

// Refuses returns the code for which no warehouse has a row for an event, "" for
// one that is loaded: types beyond those of the layout, such as merge.
func Refuses(e event.Event) (code string) { return layout.Refuses(e.Type) }

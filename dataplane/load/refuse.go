package load

import "weir/dataplane/event"

// Refuses returns the code for which no warehouse has a row for an event, "" for
// one that is loaded: types beyond those of the layout, such as merge.
func Refuses(e event.Event) (code string) {
	switch e.Type {
	case "track", "identify", "page", "screen", "group", "alias", "extract":
		return ""
	}
	return "unsupported_event"
}

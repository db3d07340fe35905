package wire

import (
	"slices"

	"weir/shared/id"
)

// Without returns the alarm without the objects that are gone; stays is false when it is
// about nothing else. gone is asked for each object of the alarm's workspace, and with an
// empty object for the workspace itself. a stays as it is.
func (a Alarm) Without(gone func(ws id.Workspace, object string) bool) (left Alarm, stays bool) {
	if a.Workspace != "" && gone(a.Workspace, "") {
		return Alarm{}, false
	}
	named := len(a.Objects)
	a.Objects = slices.DeleteFunc(slices.Clone(a.Objects), func(o string) bool { return gone(a.Workspace, o) })
	if lost := uint64(named - len(a.Objects)); lost > 0 { // an alarm that names objects counts them, also those past MaxObjects
		if a.Count <= lost {
			return Alarm{}, false
		}
		a.Count -= lost
	}
	return a, true
}

package queue

import (
	"fmt"
	"strings"

	"weir/shared/id"
)

// Kind is what a log is for. Every partition has one log of each kind.
type Kind uint8

// The kinds. The word in brackets says what the key of a record is.
const (
	Events     Kind = iota // frames of accepted events [no key]
	Journal                // what became of them [no key]
	Parked                 // deliveries that wait for their destination [destination]
	Dead                   // deliveries that failed for good [destination]
	Quarantine             // events that broke a rule [source, or AsideKey]
	Bad                    // frames that nobody could read [no key]
	Stage                  // frames of events that a warehouse is to load [destination]
	Detour                 // frames of accepted events while the leader of EVENTS is away; with a cluster alone [no key]
	Kinds                  // how many kinds there are
)

func (k Kind) String() string {
	names := [Kinds]string{"EVENTS", "JOURNAL", "PARKED", "DEAD", "QUARANTINE", "BAD", "STAGE", "DETOUR"}
	if k < Kinds {
		return names[k]
	}
	return fmt.Sprintf("KIND%d", uint8(k))
}

const (
	asidePrefix  = "unloaded-"
	routedPrefix = "unloadedopen-"
)

// AsideKey is the key in QUARANTINE of events whose workspace is not loaded. routed
// is of those that were on their way to a destination.
func AsideKey(ws id.Workspace, routed bool) string {
	if routed {
		return routedPrefix + string(ws)
	}
	return asidePrefix + string(ws)
}

// AsideOf returns what AsideKey made key of; !ok: it is the key of a source.
func AsideOf(key string) (ws id.Workspace, routed, ok bool) {
	rest, ok := strings.CutPrefix(key, asidePrefix)
	if !ok {
		rest, routed = strings.CutPrefix(key, routedPrefix)
	}
	return id.Workspace(rest), routed, (ok || routed) && id.Valid(id.Workspace(rest))
}

package queue

import "fmt"

// Kind is what a log is for. Every partition has one log of each kind.
type Kind uint8

// The kinds. The word in brackets says what the key of a record is.
const (
	Events     Kind = iota // frames of accepted events [no key]
	Journal                // what became of them [no key]
	Parked                 // deliveries that wait for their destination [destination]
	Dead                   // deliveries that failed for good [destination]
	Quarantine             // events that broke a rule [source]
	Bad                    // frames that nobody could read [no key]
	Stage                  // frames of events that a warehouse is to load [destination]
	Kinds                  // how many kinds there are
)

func (k Kind) String() string {
	names := [Kinds]string{"EVENTS", "JOURNAL", "PARKED", "DEAD", "QUARANTINE", "BAD", "STAGE"}
	if k < Kinds {
		return names[k]
	}
	return fmt.Sprintf("KIND%d", uint8(k))
}

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir/dataplane/event"
)

// Answer is what a machine made of a list of events. Events are named by their
// index in the list.
type Answer struct {
	Done     int      // events that have an answer, from the first on; the others were not run
	Read     bool     // the code asked for the destination in metadata(event)
	Broken   *Problem // the code cannot be loaded: no event can run
	Threw    bool     // a batch failed as a whole: its events have to be run one by one
	Outputs  []Output // those of one event in their order, the events in any
	Failures []Failure
	Logs     []Log
	Unknown  []string // quoted messageIds of a batch's outputs that belong to no input
}

// Output is one event that came of the event at At, as JSON.
type Output struct {
	At   int
	JSON string
}

// Failure is why the event at At has no output.
type Failure struct {
	At int
	Problem
}

// Log is a line that the code logged. At is -1 for a batch.
type Log struct {
	At          int
	Level, Text string
}

// errDriver is a driver that cannot be understood.
var errDriver = errors.New("the driver cannot be understood")

// add reads what the driver says of n events, of which the first is the one at
// index first: a line that sums it up, and lines of a kind, an event's index and a
// text. It is not believed more than it has to be: the code of a customer shares
// its machine.
func (a *Answer) add(said string, first, n int) error {
	head, rest, _ := strings.Cut(said, "\n")
	var poisoned, threw, read int
	if _, err := fmt.Sscanf(head, "%d %d %d", &poisoned, &threw, &read); err != nil {
		return errDriver
	}
	if poisoned != 0 {
		return errMemory
	}
	a.Threw, a.Read = a.Threw || threw != 0, a.Read || read != 0
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		number, text, _ := strings.Cut(line[min(1, len(line)):], " ")
		at, err := strconv.Atoi(number)
		if err != nil || at < -1 || at >= n || at == -1 && line[0] != 'l' {
			return errDriver
		}
		if at >= 0 {
			at += first
		}
		switch line[0] {
		case 'o':
			a.Outputs = append(a.Outputs, Output{at, text})
		case 'e':
			f := Failure{At: at}
			if json.Unmarshal([]byte(text), &f.Problem) != nil {
				f.Problem = Problem{Code: CodeFailed, Text: "the code failed"}
			}
			a.Failures = append(a.Failures, f)
		case 'l':
			level, quoted, _ := strings.Cut(text, " ")
			a.Logs = append(a.Logs, Log{at, level, event.Text([]byte(quoted))})
		case 'u':
			a.Unknown = append(a.Unknown, text)
		}
	}
	return nil
}

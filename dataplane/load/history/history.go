// Package history remembers the newest loads of a warehouse as people see them.
package history

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// State says where a load is.
type State string

// States of a load and of its tables.
const (
	Staging State = "staging"
	Merging State = "merging"
	Done    State = "done"
	Failing State = "failing"
)

// Load is one load as people see it. Code and Detail say why it failed, and of one
// that is done, which table refused rows. Detail may quote values: it stays local.
type Load struct {
	ID      string         `json:"id"`
	At      time.Time      `json:"at"`
	State   State          `json:"state"`
	Rows    int64          `json:"rows"`
	Took    time.Duration  `json:"took,omitzero"` // of the attempt that is done
	Tables  []Table        `json:"tables"`
	Refused map[string]int `json:"refused,omitempty"` // events without rows, by code
	Attempt int            `json:"attempt"`
	Next    time.Time      `json:"next,omitzero"`
	Code    string         `json:"code,omitempty"`
	Detail  string         `json:"detail,omitempty"`
}

// Settle lets a load that is done say what its tables refused, and returns how many
// rows.
func (x *Load) Settle() (rows int64) {
	var tables []string
	for _, t := range x.Tables {
		if t.Refused > 0 {
			rows += t.Refused
			tables = append(tables, fmt.Sprintf("table %s refused %d of %d rows: %s", t.Name, t.Refused, t.Rows, t.Detail))
		}
	}
	if rows > 0 {
		x.Code, x.Detail = TableRefused, strings.Join(tables, "; ")
	}
	return rows
}

// Names returns the names of the tables and, by them, those of events that do not go into
// a table's name whole.
func (x *Load) Names() (tables []string, events map[string]string) {
	for _, t := range x.Tables {
		tables = append(tables, t.Name)
		if t.Event != "" && events == nil {
			events = map[string]string{}
		}
		if t.Event != "" {
			events[t.Name] = t.Event
		}
	}
	return tables, events
}

// Table is one table of a load.
type Table struct {
	Name string `json:"name"`
	// Event is the event's name where that does not go into a table's name whole.
	Event   string `json:"event,omitempty"`
	Rows    int64  `json:"rows"`
	State   State  `json:"state"`
	Refused int64  `json:"refused,omitempty"` // rows that the table does not take
	Code    string `json:"code,omitempty"`    // why it waits or refuses
	Detail  string `json:"detail,omitempty"`  // what the warehouse says
}

// TableRefused is the code of what a table refuses whatever it is.
const TableRefused = "table_refused"

// kept is how many loads of a destination are remembered.
const kept = 50

// History is the newest loads of one destination. It is safe for concurrent use.
type History struct {
	mu    sync.Mutex
	loads []Load // newest last
}

// Begin shows a load, or counts a further attempt of it; first: it was not shown.
func (h *History) Begin(id string, at time.Time) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.loads); n > 0 && h.loads[n-1].ID == id {
		x := &h.loads[n-1]
		x.Attempt, x.State, x.Next = x.Attempt+1, Staging, time.Time{}
		return false
	}
	h.loads = append(h.loads, Load{ID: id, At: at, State: Staging, Attempt: 1})
	if len(h.loads) > kept {
		h.loads = slices.Delete(h.loads, 0, 1)
	}
	return true
}

// Change alters the newest load.
func (h *History) Change(do func(*Load)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.loads); n > 0 {
		do(&h.loads[n-1])
	}
}

// Table alters a table of the newest load.
func (h *History) Table(i int, do func(*Table)) {
	h.Change(func(x *Load) { do(&x.Tables[i]) })
}

// Name is the name under which a table of the newest load is shown.
func (h *History) Name(i int) (name string) {
	h.Table(i, func(x *Table) { name = x.Name })
	return name
}

// List returns the loads, newest first.
func (h *History) List() []Load {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := slices.Clone(h.loads)
	for i := range out {
		out[i].Tables = slices.Clone(out[i].Tables)
	}
	slices.Reverse(out)
	return out
}

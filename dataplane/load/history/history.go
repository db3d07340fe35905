// Package history remembers the newest loads of a warehouse as people see them, also
// after a restart.
//
// A file holds as many of the newest loads as fit into maxBytes, each with at most
// mostTables tables. A death of the process loses what became of the load under way: its
// manifest says how to go on.
package history

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/shared/durable"
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
	Tried   time.Time      `json:"tried,omitzero"` // when the last attempt began
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

// Bounds of what is remembered of a destination.
const (
	kept       = 50 // loads
	maxBytes   = 64 << 10
	mostTables = 200
	maxText    = 1000 // bytes of a Detail
)

// History is the newest loads of one destination. It is safe for concurrent use.
type History struct {
	path  string // "": it is kept in memory alone
	mu    sync.Mutex
	loads []Load // newest last
}

// file is a History on disk.
type file struct {
	Loads []Load `json:"loads"` // newest last
}

// Open returns a history that is kept in a file, with what it has. A file that cannot be
// read is forgotten: nothing but what people see depends on it.
func Open(path string) *History {
	h := &History{path: path}
	var f file
	if there, err := durable.GetJSON(path, &f); err == nil && there {
		h.loads = f.Loads
	}
	for i := range h.loads {
		if x := &h.loads[i]; x.State != Done && x.State != Failing { // its process died
			x.State, x.Code = Failing, Interrupted
		}
	}
	return h
}

// Interrupted is the code of a load during which the process ended; it is resumed.
const Interrupted = "interrupted"

// Save writes the history to its file.
func (h *History) Save() error {
	if h.path == "" {
		return nil
	}
	var f struct { // a file whose loads are JSON already: others may change them while it is written
		Loads []json.RawMessage `json:"loads"`
	}
	h.mu.Lock()
	size := 0
	for _, x := range slices.Backward(h.loads) {
		x.Detail = strings.ToValidUTF8(x.Detail[:min(len(x.Detail), maxText)], "")
		if len(x.Tables) > mostTables {
			x.Tables = slices.Clone(x.Tables)
			slices.SortStableFunc(x.Tables, func(a, b Table) int { return rank(a) - rank(b) })
			x.Tables = x.Tables[:mostTables]
		}
		b, err := json.Marshal(x)
		if size += len(b); err != nil || size > maxBytes && len(f.Loads) > 0 {
			break
		}
		f.Loads = append(f.Loads, b)
	}
	h.mu.Unlock()
	slices.Reverse(f.Loads)
	return durable.PutJSON(h.path, f)
}

// rank puts tables that refuse or fail first.
func rank(t Table) int {
	if t.Code != "" {
		return 0
	}
	return 1
}

// Tried returns when the last attempt of a load began; zero: none is remembered.
func (h *History) Tried() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.loads); n > 0 {
		return h.loads[n-1].Tried
	}
	return time.Time{}
}

// Forget takes the texts of warehouses away, which may quote values.
func (h *History) Forget() error {
	h.mu.Lock()
	for i := range h.loads {
		h.loads[i].Detail = ""
		h.loads[i].Tables = slices.Clone(h.loads[i].Tables)
		for j := range h.loads[i].Tables {
			h.loads[i].Tables[j].Detail = ""
		}
	}
	h.mu.Unlock()
	return h.Save()
}

// Begin shows a load, or counts a further attempt of it, that begins now.
func (h *History) Begin(id string, at, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.loads); n > 0 && h.loads[n-1].ID == id {
		x := &h.loads[n-1]
		x.Attempt, x.State, x.Tried, x.Next = x.Attempt+1, Staging, now, time.Time{}
		return
	}
	h.loads = append(h.loads, Load{ID: id, At: at, State: Staging, Attempt: 1, Tried: now})
	if len(h.loads) > kept {
		h.loads = slices.Delete(h.loads, 0, 1)
	}
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

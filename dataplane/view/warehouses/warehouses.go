// Package warehouses is the calls about the tables of warehouses among those of a plane's
// view:
//
//	GET /v1/warehouse/schema?destination=&table=   loads:read
//	GET /v1/warehouse/drift?destination=           loads:read
//	GET /v1/warehouse/backfills                    loads:read
//	POST /v1/warehouse/backfills                   loads:start
//	POST /v1/warehouse/backfills/{destination}/stop  loads:start
//
// destination is a name or an identifier. schema answers the tables by name, or one:
//
//	{"tables":[{"name","filled","state","columns":[{"name","type","native","state"}],"changes":[...]}],"more":false}
//
// filled says that loads fill it. The state of a table is "", missing or replaced; that of a
// column "" where loads fill it, changed, missing, or other where they do not. Of a table
// that loads did not fill all are other. drift answers {"changes":[...]}: what somebody
// changed since the last load, and what loads met, newest first:
//
//	{"code","table","column","was","is","says","remedy","held","open","at","last"}
//
// says and remedy are sentences; held: rows wait for somebody to mend it; open: no load has
// met it yet; at and last are when loads met it, or null. Codes are those of package drift.
//
// A backfill, {"from","destination","tables":[],"since","until"}, copies rows of the warehouse
// from into another one of the workspace; all but the names may be left out. It is kept when
// the call answers:
//
//	{"id","from","destination","state","code","created","ended","since","until","copied","there","tables":[{"table","state","copied","there","without","at","code"}]}
//
// there counts rows that the target had; at is up to which received_at a table is copied. The
// list is {"backfills":[...]}, the newest of each target.
package warehouses

import (
	"context"
	"errors"
	"slices"
	"time"

	"weir/dataplane/backfill"
	"weir/dataplane/load/drift"
	"weir/dataplane/plan"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/warehouse"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

const (
	lookTime   = 60 * time.Second
	mostTables = 2000 // of an answer
)

// Plans are the warehouses that run; *plan.Holder is one.
type Plans interface{ Warehouses() []plan.Warehouse }

// Tables are what is known of a warehouse's tables; *load.Engine is one.
type Tables interface {
	Tables(d id.Destination) (*drift.Tables, func(context.Context) (warehouse.Warehouse, error), error)
}

type calls struct {
	plans     Plans
	known     Tables
	backfills *backfill.Board
}

// Register adds the calls to a mux. loading has a call answered by the process of the plane that
// loads: others know nothing of what loads filled.
func Register(m *endpoint.Mux, plans Plans, known Tables, loading func(func(*endpoint.Call) (any, error)) func(*endpoint.Call) (any, error), backfills *backfill.Board) {
	v, slots := calls{plans, known, backfills}, endpoint.NewSlots()
	m.Handle("GET /v1/warehouse/schema", capability.ReadLoads, loading(endpoint.In(slots, v.schema)))
	m.Handle("GET /v1/warehouse/drift", capability.ReadLoads, loading(endpoint.In(slots, v.drift)))
	m.Handle("GET /v1/warehouse/backfills", capability.ReadLoads, v.listBackfills)
	m.Handle("POST /v1/warehouse/backfills", capability.StartLoads, v.backfill)
	m.Handle("POST /v1/warehouse/backfills/{destination}/stop", capability.StartLoads, v.stopBackfill)
}

// find returns the warehouse that a call names by name or identifier.
func (v calls) find(c *endpoint.Call) (id.Destination, error) {
	w, err := v.named(c, c.URL.Query().Get("destination"))
	if err != nil {
		return "", err
	}
	return w.ID, nil
}

// Spoken gives a warehouse's failure the kind with which it is shown.
func Spoken(err error) error {
	var failure *warehouse.Failure
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Code {
	case warehouse.CodeUnreachable:
		return fault.New(fault.Unavailable, "The warehouse cannot be reached: %v.", failure.Err)
	case warehouse.CodeAuth:
		return fault.New(fault.Denied, "The warehouse refuses to sign in: %v.", failure.Err)
	}
	return fault.New(fault.Invalid, "%v", failure.Err)
}

type columnItem struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Native string `json:"native"`
	State  string `json:"state"`
}

type tableItem struct {
	Name    string       `json:"name"`
	Filled  bool         `json:"filled"`
	State   string       `json:"state"`
	Columns []columnItem `json:"columns"`
	Changes []changeItem `json:"changes"`
}

type changeItem struct {
	Code   drift.Code `json:"code"`
	Table  string     `json:"table"`
	Column string     `json:"column"`
	Was    string     `json:"was"`
	Is     string     `json:"is"`
	Says   string     `json:"says"`
	Remedy string     `json:"remedy"`
	Held   bool       `json:"held"`
	Open   bool       `json:"open"`
	At     *time.Time `json:"at"`
	Last   *time.Time `json:"last"`
}

func itemOf(c drift.Change) changeItem {
	i := changeItem{Code: c.Code, Table: c.Table, Column: c.Column, Was: c.Was, Is: c.Is, Says: c.Says(), Remedy: c.Remedy(), Held: c.Held(), Open: c.At.IsZero()}
	if !c.At.IsZero() {
		i.At, i.Last = &c.At, &c.Last
	}
	return i
}

// look compares the tables of the call's warehouse with what is expected of them.
func (v calls) look(c *endpoint.Call) (*drift.Tables, []drift.Seen, error) {
	if err := c.Whole(); err != nil {
		return nil, nil, err
	}
	d, err := v.find(c)
	if err != nil {
		return nil, nil, err
	}
	known, open, err := v.known.Tables(d)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(c.Context(), lookTime)
	defer cancel()
	w, err := open(ctx)
	if err != nil {
		return nil, nil, Spoken(warehouse.Fail(warehouse.CodeUnreachable, err))
	}
	seen, err := known.Look(ctx, w, c.URL.Query().Get("table"))
	return known, seen, Spoken(errors.Join(err, w.Close()))
}

func (v calls) schema(c *endpoint.Call) (any, error) {
	_, seen, err := v.look(c)
	if err != nil {
		return nil, err
	}
	if only := c.URL.Query().Get("table"); only != "" && len(seen) == 0 {
		return nil, fault.New(fault.Missing, "There is no such table in the warehouse's schema.")
	}
	all := []tableItem{}
	for _, s := range seen[:min(len(seen), mostTables)] {
		all = append(all, tableOf(s))
	}
	return map[string]any{"tables": all, "more": len(seen) > mostTables}, nil
}

func tableOf(s drift.Seen) tableItem {
	t := tableItem{Name: s.Name, Filled: s.Known, Columns: []columnItem{}, Changes: []changeItem{}}
	states := map[string]string{}
	for _, c := range s.Changes {
		t.Changes = append(t.Changes, itemOf(c))
		switch c.Code {
		case drift.TableDropped:
			t.State = "missing"
		case drift.TableReplaced:
			t.State = "replaced"
		case drift.ColumnChanged:
			states[c.Column] = "changed"
		}
	}
	for name, c := range s.Have.Columns {
		_, filled := s.Was.Columns[name]
		if !filled {
			states[name] = "other"
		}
		t.Columns = append(t.Columns, columnItem{name, string(c.Type), c.Native, states[name]})
	}
	for name, c := range s.Was.Columns {
		if _, there := s.Have.Columns[name]; !there {
			t.Columns = append(t.Columns, columnItem{name, string(c.Type), c.Native, "missing"})
		}
	}
	slices.SortFunc(t.Columns, func(a, b columnItem) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return t
}

func (v calls) drift(c *endpoint.Call) (any, error) {
	known, seen, err := v.look(c)
	if err != nil {
		return nil, err
	}
	all := []changeItem{}
	for _, s := range seen {
		for _, x := range s.Changes {
			all = append(all, itemOf(x))
		}
	}
	for _, x := range known.Met() {
		all = append(all, itemOf(x))
	}
	return map[string]any{"changes": all}, nil
}

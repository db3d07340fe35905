package view

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
	"weir/shared/id"
)

const maxStatement = 64 << 10 // bytes of SQL

// QueryLimits is what one query may give. Zero means a million rows, 256 MiB of
// lines and 2 minutes.
type QueryLimits struct {
	Rows  int
	Bytes int64
	Time  time.Duration
}

func (l QueryLimits) filled() QueryLimits {
	return QueryLimits{cmp.Or(l.Rows, 1_000_000), cmp.Or(l.Bytes, 256<<20), cmp.Or(l.Time, 2*time.Minute)}
}

// Loaded is one load of a warehouse. Code and Detail say why it failed; Detail
// may hold a driver's text, which quotes values.
type Loaded struct {
	ID          string
	Destination id.Destination
	At          time.Time
	State       string
	Rows        int64
	Took        time.Duration // of one that is done
	Tables      []string
	Events      map[string]string // by table, names of events that its name does not tell whole
	Attempt     int
	Next        time.Time // when it is tried again; zero: it is not
	Code        string
	Detail      string
}

// Waiting is what waits for the load of a warehouse.
type Waiting struct {
	Destination id.Destination
	Events      int64
	Next        time.Time // when it is loaded next; zero: it is being loaded, or paused
	Paused      time.Time // since when; zero: it is not
}

// Warehouses is the destinations that this plane loads: those whose target is
// staged.
type Warehouses interface {
	// Loads returns the recent loads, newest first, of all warehouses of ws for "", and
	// what waits for the next ones.
	Loads(ctx context.Context, ws id.Workspace, d id.Destination) ([]Loaded, []Waiting, error)
	// Settle waits until what was accepted before is staged, some seconds at most.
	Settle(ctx context.Context) error
	// Hasten lets d be loaded without delay.
	Hasten(ctx context.Context, ws id.Workspace, d id.Destination) error
	// Pause lets no load of d begin until it is called again without paused.
	Pause(ctx context.Context, ws id.Workspace, d id.Destination, paused bool) error
	// Query runs sql and hands over row after row; row's error ends it and comes
	// back. values are what JSON can be made of: strings, numbers, booleans, nil,
	// times, json.RawMessage and what has a text. Errors of kind fault.Invalid,
	// fault.Denied and fault.Unavailable are shown to whoever asked.
	Query(ctx context.Context, ws id.Workspace, d id.Destination, sql string, row func(columns []string, values []any) error) error
	// Test signs in and changes nothing.
	Test(ctx context.Context, ws id.Workspace, d id.Destination) error
}

// loadItem is a Loaded as it is shown.
type loadItem struct {
	ID          string    `json:"id"`
	Destination string    `json:"destination"`
	At          time.Time `json:"at"`
	State       string    `json:"state"`
	Rows        int64     `json:"rows"`
	Millis      int64     `json:"ms"`
	Tables      []string  `json:"tables"`

	Events  map[string]string `json:"events,omitempty"`
	Attempt int               `json:"attempt"`
	Next    *time.Time        `json:"next"`
	Code    string            `json:"code"`
	Detail  string            `json:"detail"`
}

func (v *View) loads(c *endpoint.Call) (any, error) {
	if err := errors.Join(endpoint.Offers(v.cfg.Warehouses != nil, "warehouses"), c.Whole()); err != nil {
		return nil, err
	}
	only := id.Destination("")
	if named := c.URL.Query().Get("destination"); named != "" {
		var err error
		if only, err = v.warehouse(c, named); err != nil {
			return nil, err
		}
	}
	found, waits, err := v.cfg.Warehouses.Loads(c.Context(), c.Grant.Workspace, only)
	if err != nil {
		return nil, fmt.Errorf("list loads: %w", endpoint.Quoted(err))
	}
	items := []loadItem{}
	for _, l := range found {
		if !c.CoversDestination(l.Destination) {
			continue
		}
		i := loadItem{
			ID: l.ID, Destination: v.destinationName(c.Grant.Workspace, l.Destination), At: l.At.UTC(), State: l.State, Rows: l.Rows, Millis: l.Took.Milliseconds(),
			Tables: append([]string{}, l.Tables...), Events: l.Events, Attempt: l.Attempt, Next: moment(l.Next), Code: l.Code, Detail: l.Detail,
		}
		items = append(items, i)
	}
	waiting := []map[string]any{}
	for _, w := range waits {
		if c.CoversDestination(w.Destination) {
			waiting = append(waiting, map[string]any{"destination": v.destinationName(c.Grant.Workspace, w.Destination), "events": w.Events, "next": moment(w.Next), "paused": moment(w.Paused)})
		}
	}
	return map[string]any{"loads": items, "waiting": waiting}, nil
}

// moment is a time as it is shown, null for zero.
func moment(t time.Time) *time.Time {
	if t = t.UTC(); t.IsZero() {
		return nil
	}
	return &t
}

func (v *View) loadNow(c *endpoint.Call) (any, error) {
	return v.change(c, Warehouses.Settle, Warehouses.Hasten)
}

func (v *View) pauseLoads(c *endpoint.Call) (any, error)  { return v.change(c, nil, pausing(true)) }
func (v *View) resumeLoads(c *endpoint.Call) (any, error) { return v.change(c, nil, pausing(false)) }

type onLoads = func(w Warehouses, ctx context.Context, ws id.Workspace, d id.Destination) error

func pausing(paused bool) onLoads {
	return func(w Warehouses, ctx context.Context, ws id.Workspace, d id.Destination) error {
		return w.Pause(ctx, ws, d, paused)
	}
}

// change does something to the loads of the warehouse that a call names, and answers when: after
// before, which may be nil.
func (v *View) change(c *endpoint.Call, before func(Warehouses, context.Context) error, do onLoads) (any, error) {
	var in struct{ Destination string }
	err := errors.Join(endpoint.Offers(v.cfg.Warehouses != nil, "warehouses"), c.Whole())
	if err == nil {
		err = c.Decode(&in, endpoint.MaxBody)
	}
	if err != nil {
		return nil, err
	}
	d, err := v.warehouse(c, in.Destination)
	if err != nil {
		return nil, err
	}
	if before != nil {
		if err := before(v.cfg.Warehouses, c.Context()); err != nil {
			return nil, err
		}
	}
	return map[string]time.Time{"at": v.cfg.Now().UTC()}, do(v.cfg.Warehouses, c.Context(), c.Grant.Workspace, d)
}

// warehouse finds a warehouse that a call may see; errors as destination's.
func (v *View) warehouse(c *endpoint.Call, named string) (id.Destination, error) {
	d, err := v.destination(c, named)
	if err != nil {
		return "", err
	}
	if t, _ := v.cfg.Plans.Target(c.Grant.Workspace, d); t == nil || !t.Staged {
		return "", fault.New(fault.Invalid, "This destination is no warehouse; only the rows of warehouses, such as duckdb and postgres, can be asked for.")
	}
	return d, nil
}

// query streams the rows of a statement.
func (v *View) query(c *endpoint.Call, l *endpoint.Lines) error {
	if err := errors.Join(endpoint.Offers(v.cfg.Warehouses != nil, "warehouses"), c.Whole()); err != nil {
		return err
	}
	var in struct {
		Destination string `json:"destination"`
		SQL         string `json:"sql"`
	}
	if err := c.Decode(&in, endpoint.MaxBody); err != nil {
		return err
	}
	if strings.TrimSpace(in.SQL) == "" || len(in.SQL) > maxStatement {
		return fault.New(fault.Invalid, "Give a statement in sql, of %d KiB at most.", maxStatement>>10)
	}
	d, err := v.warehouse(c, in.Destination)
	if err != nil {
		return err
	}
	if t, _ := v.cfg.Plans.Target(c.Grant.Workspace, d); t != nil && t.Disabled {
		return fault.New(fault.Conflict, "This warehouse is disabled, and the plane does not open it; enable the destination to ask for its rows.")
	}
	free, err := v.queries.Take(c)
	if err != nil {
		return err
	}
	defer free()
	most := v.cfg.Query
	ctx, cancel := context.WithTimeout(c.Context(), most.Time)
	defer cancel()
	rows := 0
	err = v.cfg.Warehouses.Query(ctx, c.Grant.Workspace, d, in.SQL, func(columns []string, values []any) error {
		if rows++; rows > most.Rows {
			return endpoint.Cut("limit_rows", fmt.Sprintf("There are more than %d rows; ask for fewer.", most.Rows))
		}
		line, err := endpoint.Row(columns, values)
		if err != nil {
			return err
		}
		if l.Bytes()+int64(len(line)) > most.Bytes {
			return endpoint.Cut("limit_bytes", fmt.Sprintf("The rows are more than %d bytes; ask for less.", most.Bytes))
		}
		return l.Line(json.RawMessage(line))
	})
	if err != nil && ctx.Err() != nil && c.Context().Err() == nil {
		return endpoint.Cut("limit_time", fmt.Sprintf("The query took longer than %s.", most.Time))
	}
	return endpoint.Quoted(err)
}

// Package activation is the calls about syncs among those of a plane's view:
//
//	GET  /v1/syncs                                        syncs:read
//	POST /v1/syncs/{sync}/run                             syncs:run
//	POST /v1/syncs/{sync}/pause, /resume                  syncs:run
//	POST /v1/syncs/{sync}/approve  {"mapping"}            syncs:run
//	POST /v1/syncs/{sync}/retry, /waive  {"code"}         syncs:run
//	GET  /v1/syncs/{sync}/said                            query, {"said"}: what the warehouse says against the model, which may quote rows
//	GET  /v1/syncs/{sync}/rejects?limit=                  query
//	GET  /v1/syncs/{sync}/preview?limit=                  query
//
// A sync is given by its name or identifier. syncs answers {"syncs":[...]} by name:
//
//	{"id","name","model","destination","object","mode","state","paused","next","detail","run":{...}|null}
//
// state is disabled, paused, pending, running, healthy, warning, held or failed; next is
// when a run begins by time, or null; detail is "", or what to do when the warehouse refuses the
// model. run is the last one:
//
//	{"id","state","code","began","ended","planned","accepted","rejected","invalid","removed","waiting"}
//
// Its state is querying, writing, completed, held, interrupted or failed; ended is null
// until then. The calls that change something answer the sync as syncs does; retry and
// waive add "rows", how many rejected rows that are. approve needs mapping, resend or
// assume, where the mapping changed. rejects answers {"rejects":[{"key","identifiers","op",
// "code","tries","due","waived","at"}]}, preview {"events":[...]}: some rows as they would
// be sent.
package activation

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"weir/dataplane/syncs"
	"weir/dataplane/syncs/books"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/warehouse"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// Names are the names of objects.
type Names func(id.Workspace, id.Destination) string

// View answers the calls.
type View struct {
	engine *syncs.Engine
	names  Names
	slots  endpoint.Slots // of calls that ask a warehouse
}

// New returns a view of an engine.
func New(e *syncs.Engine, names Names) *View {
	return &View{engine: e, names: names, slots: endpoint.NewSlots()}
}

// Register adds the calls to a mux.
func (v *View) Register(m *endpoint.Mux) {
	m.Handle("GET /v1/syncs", capability.ReadSyncs, v.list)
	m.Handle("POST /v1/syncs/{sync}/run", capability.RunSyncs, v.acts(func(c *endpoint.Call, t syncs.Task, _ order) (int64, error) {
		return 0, v.engine.Start(c.Context(), t)
	}))
	m.Handle("POST /v1/syncs/{sync}/pause", capability.RunSyncs, v.acts(func(c *endpoint.Call, t syncs.Task, _ order) (int64, error) {
		return 0, v.engine.Pause(c.Context(), t, true)
	}))
	m.Handle("POST /v1/syncs/{sync}/resume", capability.RunSyncs, v.acts(func(c *endpoint.Call, t syncs.Task, _ order) (int64, error) {
		return 0, v.engine.Pause(c.Context(), t, false)
	}))
	m.Handle("POST /v1/syncs/{sync}/approve", capability.RunSyncs, v.acts(func(c *endpoint.Call, t syncs.Task, o order) (int64, error) {
		return 0, v.engine.Approve(c.Context(), t, o.Mapping)
	}))
	m.Handle("POST /v1/syncs/{sync}/retry", capability.RunSyncs, endpoint.In(v.slots, v.acts(func(c *endpoint.Call, t syncs.Task, o order) (int64, error) {
		return v.engine.Again(c.Context(), t, o.Code, false)
	})))
	m.Handle("POST /v1/syncs/{sync}/waive", capability.RunSyncs, endpoint.In(v.slots, v.acts(func(c *endpoint.Call, t syncs.Task, o order) (int64, error) {
		return v.engine.Again(c.Context(), t, o.Code, true)
	})))
	m.Handle("GET /v1/syncs/{sync}/said", capability.Query, v.said)
	m.Handle("GET /v1/syncs/{sync}/rejects", capability.Query, endpoint.In(v.slots, v.rejects))
	m.Handle("GET /v1/syncs/{sync}/preview", capability.Query, endpoint.In(v.slots, v.preview))
}

// order is the body of a call that changes something.
type order struct {
	Mapping string `json:"mapping"`
	Code    string `json:"code"`
}

// shownRun is a run as it is shown.
type shownRun struct {
	books.Run
	Ended *time.Time `json:"ended"`
}

// shown is a sync as it is shown.
type shown struct {
	ID          id.Sync    `json:"id"`
	Name        string     `json:"name"`
	Model       string     `json:"model"`
	Destination string     `json:"destination"`
	Object      string     `json:"object"`
	Mode        string     `json:"mode"`
	State       string     `json:"state"`
	Paused      bool       `json:"paused"`
	Next        *time.Time `json:"next"`
	Detail      string     `json:"detail"`
	Run         *shownRun  `json:"run"`
	Rows        *int64     `json:"rows,omitempty"`
}

func (v *View) shown(s syncs.Status) shown {
	sync := s.Task.Sync.WithDefaults()
	out := shown{ID: sync.ID, Name: sync.Name, Model: s.Task.Model.Name, Destination: v.names(s.Task.Workspace, sync.Destination), Object: sync.Object,
		Mode: sync.Mode, State: s.State, Paused: s.Paused, Next: moment(s.Next)}
	if s.Detail != "" {
		out.Detail = refused
	}
	if s.Run.ID != "" {
		out.Run = &shownRun{Run: s.Run, Ended: moment(s.Run.Ended)}
	}
	return out
}

// refused is what is said of a model that a warehouse refuses to people who may not read rows: the warehouse's own text may quote
// values of them.
const refused = "The warehouse refuses the model, or a column of the sync. Try the model's statement; what the warehouse says may quote rows, and is shown to who may query it."

// said answers what the warehouse says against a sync's model.
func (v *View) said(c *endpoint.Call) (any, error) {
	t, err := v.task(c)
	if err != nil {
		return nil, err
	}
	all, err := v.engine.Syncs(c.Grant.Workspace)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.Task.Sync.ID == t.Sync.ID {
			return map[string]string{"said": s.Detail}, nil
		}
	}
	return nil, fault.New(fault.Missing, "The sync is not there any more.")
}

// moment is a time, nil for the zero one.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (v *View) list(c *endpoint.Call) (any, error) {
	if err := c.Whole(); err != nil {
		return nil, err
	}
	all, err := v.engine.Syncs(c.Grant.Workspace)
	if err != nil {
		return nil, err
	}
	out := []shown{}
	for _, s := range all {
		if c.CoversDestination(s.Task.Sync.Destination) {
			out = append(out, v.shown(s))
		}
	}
	return map[string]any{"syncs": out}, nil
}

// task is the sync that a call names.
func (v *View) task(c *endpoint.Call) (syncs.Task, error) {
	if err := c.Whole(); err != nil {
		return syncs.Task{}, err
	}
	t, err := v.engine.Task(c.Grant.Workspace, c.PathValue("sync"))
	if err == nil && !c.CoversDestination(t.Sync.Destination) {
		err = fault.New(fault.Denied, "This capability does not cover the destination of the sync.")
	}
	return t, err
}

// acts answers a call that changes something.
func (v *View) acts(do func(*endpoint.Call, syncs.Task, order) (int64, error)) func(*endpoint.Call) (any, error) {
	return func(c *endpoint.Call) (any, error) {
		t, err := v.task(c)
		if err != nil {
			return nil, err
		}
		var o order
		if err := c.Decode(&o, endpoint.MaxBody); err != nil {
			return nil, err
		}
		rows, err := do(c, t, o)
		var failure *warehouse.Failure
		if errors.As(err, &failure) { // its text may quote rows
			return nil, fault.New(fault.Unavailable, "The warehouse failed with %s; 'weir sync rejects' shows what it says.", failure.Code)
		}
		if err != nil {
			return nil, err
		}
		all, err := v.engine.Syncs(c.Grant.Workspace)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			if s.Task.Sync.ID == t.Sync.ID {
				out := v.shown(s)
				out.Rows = &rows
				return out, nil
			}
		}
		return nil, fault.New(fault.Missing, "The sync is not there any more.")
	}
}

// limit is how many rows a call asks for.
func limit(r *http.Request, usual, most int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fault.New(fault.Invalid, "The limit is a number from 1 to %d.", most)
	}
	return n, nil
}

func (v *View) rejects(c *endpoint.Call) (any, error) {
	t, err := v.readable(c)
	if err != nil {
		return nil, err
	}
	most, err := limit(c.Request, 100, 10_000)
	if err != nil {
		return nil, err
	}
	all, err := v.engine.Rejects(c.Context(), t, most)
	if all == nil {
		all = []books.Reject{}
	}
	return map[string]any{"rejects": all}, spoken(err)
}

func (v *View) preview(c *endpoint.Call) (any, error) {
	t, err := v.readable(c)
	if err != nil {
		return nil, err
	}
	most, err := limit(c.Request, 10, 100)
	if err != nil {
		return nil, err
	}
	events, err := v.engine.Sample(c.Context(), t, most)
	if events == nil {
		events = []json.RawMessage{}
	}
	return map[string]any{"events": events}, spoken(err)
}

// readable is the sync that a call names, whose warehouse the call may read too.
func (v *View) readable(c *endpoint.Call) (syncs.Task, error) {
	t, err := v.task(c)
	if err == nil && !c.CoversDestination(t.Model.Warehouse) {
		err = fault.New(fault.Denied, "This capability does not cover the warehouse of the model.")
	}
	return t, err
}

// spoken gives a warehouse's failure the kind with which it is shown to whoever asked.
func spoken(err error) error {
	var failure *warehouse.Failure
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Code {
	case warehouse.CodeUnreachable, warehouse.CodeAuth:
		return fault.New(fault.Unavailable, "%s", fmt.Sprintf("The warehouse cannot be used: %v.", failure.Err))
	}
	return fault.New(fault.Invalid, "%v", failure.Err)
}

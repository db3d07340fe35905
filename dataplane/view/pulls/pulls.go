// Package pulls is what people may ask a plane about the sources that it pulls: how far
// each stream is and what holds it up; and what they may do to one. Cursors hold
// customers' values: they are shown to who may change pulls.
package pulls

import (
	"encoding/json"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/lag"
	"weir/dataplane/view/endpoint"
	"weir/shared/capability"
	"weir/shared/fault"
)

// Register adds the calls to mux.
func Register(mux *endpoint.Mux, b *pull.Board) {
	h := handler{b}
	mux.Handle("GET /v1/pulls", capability.ReadPulls, h.list)
	mux.Handle("POST /v1/pulls", capability.ChangePulls, h.change)
}

type handler struct{ board *pull.Board }

// shown is a stream as it is shown. States: pending, running, waiting, limited, paused,
// failing, disabled.
type shown struct {
	Source  string          `json:"source"`
	Stream  string          `json:"stream"`
	Type    string          `json:"type"`
	State   string          `json:"state"`
	Code    string          `json:"code"`
	Detail  string          `json:"detail"`
	Rows    int64           `json:"rows"`
	Deleted int64           `json:"deleted"`
	Deletes string          `json:"deletes"` // what is seen of deleted rows
	From    string          `json:"from"`    // the window that is read
	At      string          `json:"at"`
	To      string          `json:"to"`
	Done    *float64        `json:"done"` // how much of the window is read, 0 to 1
	Began   *time.Time      `json:"began"`
	Ended   *time.Time      `json:"ended"`
	Next    *time.Time      `json:"next"`
	Fields  []string        `json:"fields"`
	Behind  *behind         `json:"behind,omitempty"` // of streams of changes
	Cursor  json.RawMessage `json:"cursor,omitempty"`
}

// behind is how far a stream of changes is behind its source: bytes of changes that wait, for
// how many seconds, how many bytes the source keeps for it and may keep at most (0: not
// known), and what the source says of that.
type behind struct {
	Bytes   int64  `json:"bytes"`
	Seconds int64  `json:"seconds"`
	Kept    int64  `json:"kept"`
	Limit   int64  `json:"limit"`
	State   string `json:"state"`
	Code    string `json:"code"` // source_slot_behind, source_slot_lost, or nothing
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// show is a stream as it is shown.
func show(s pull.Status, now time.Time) shown {
	x := shown{
		Source: s.Target.Name, Stream: s.Stream, Type: s.Target.Type, Code: s.Code, Detail: s.Detail, Rows: s.Rows, Deleted: s.Deleted,
		Began: moment(s.Began), Ended: moment(s.Ended), Next: moment(s.Due), Fields: s.Fields, Cursor: s.Cursor,
	}
	for _, of := range s.Target.Streams {
		if of.Name == s.Stream {
			x.Deletes = of.Deletes
		}
	}
	switch {
	case s.Target.Disabled:
		x.State = "disabled"
	case s.Paused:
		x.State = "paused"
	case s.Code != "":
		x.State = "failing"
	case s.Running && now.Before(s.Limited):
		x.State = "limited"
	case s.Running:
		x.State = "running"
	case s.Ended.IsZero():
		x.State = "pending"
	default:
		x.State = "waiting"
	}
	if l, ok := lag.Of(s.Cursor); ok {
		x.Behind = &behind{Bytes: l.Bytes, Seconds: l.Seconds(now), Kept: l.Kept, Limit: l.Limit, State: l.State, Code: l.Code(now)}
	}
	var at struct{ From, At, To string }
	if json.Unmarshal(s.Cursor, &at) == nil {
		x.From, x.At, x.To = at.From, at.At, at.To
		x.Done = part(at.From, at.At, at.To)
	}
	return x
}

// part is how much of a window is read, nil when that is not known.
func part(from, at, to string) *float64 {
	a, err1 := time.Parse(time.RFC3339Nano, at)
	t, err2 := time.Parse(time.RFC3339Nano, to)
	f, err3 := time.Parse(time.RFC3339Nano, from)
	if err3 != nil {
		f = time.Unix(0, 0)
	}
	if err1 != nil || err2 != nil || !t.After(f) {
		return nil
	}
	done := min(max(float64(a.Sub(f))/float64(t.Sub(f)), 0), 1)
	return &done
}

func (h handler) list(c *endpoint.Call) (any, error) {
	all, err := h.board.Statuses(c.Grant.Workspace)
	if err != nil {
		return nil, err
	}
	out := []shown{}
	for _, s := range all {
		if c.CoversSource(s.Target.ID) {
			x := show(s, time.Now())
			x.Cursor = nil
			out = append(out, x)
		}
	}
	return map[string]any{"pulls": out}, nil
}

// change does something to one stream of a source, or to all of them.
func (h handler) change(c *endpoint.Call) (any, error) {
	var in struct {
		Verb   pull.Verb `json:"verb"`
		Source string    `json:"source"`
		Stream string    `json:"stream"`
		From   string    `json:"from"`
	}
	if err := c.Decode(&in, endpoint.MaxBody); err != nil {
		return nil, err
	}
	var from time.Time
	if in.Verb == pull.Backfill {
		var err error
		if from, err = time.Parse(time.RFC3339, in.From); err != nil || from.After(time.Now()) {
			return nil, fault.New(fault.Invalid, "A backfill begins at a time that has been, such as 2025-01-31T00:00:00Z.")
		}
	}
	all, err := h.board.Statuses(c.Grant.Workspace)
	if err != nil {
		return nil, err
	}
	found := false
	for _, s := range all {
		named := s.Target.Name == in.Source || string(s.Target.ID) == in.Source
		if !named || in.Stream != "" && s.Stream != in.Stream {
			continue
		}
		if !c.CoversSource(s.Target.ID) {
			return nil, fault.New(fault.Denied, "This capability does not cover the source.")
		}
		found = true
		if err := h.board.Do(c.Context(), pull.Key{Workspace: c.Grant.Workspace, Source: s.Target.ID, Stream: s.Stream}, in.Verb, from); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, fault.New(fault.Missing, "The workspace pulls no such stream: 'weir pull status' shows what there is.")
	}
	if all, err = h.board.Statuses(c.Grant.Workspace); err != nil {
		return nil, err
	}
	out := []shown{}
	for _, s := range all {
		if (s.Target.Name == in.Source || string(s.Target.ID) == in.Source) && (in.Stream == "" || s.Stream == in.Stream) {
			out = append(out, show(s, time.Now()))
		}
	}
	return map[string]any{"pulls": out}, nil
}

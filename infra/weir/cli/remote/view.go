package remote

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Row is the book of one source (Destination is empty) or of one source and
// destination. Source and Destination are names or identifiers as the plane
// gives them.
type Row struct {
	Workspace   string            `json:"workspace"` // its identifier in answers of Ledgers, else the plane says nothing of it
	Source      string            `json:"source"`
	Destination string            `json:"destination"`
	Accepted    uint64            `json:"accepted"`
	Replayed    uint64            `json:"replayed"` // accepted again from QUARANTINE
	Waiting     uint64            `json:"waiting"`  // accepted or replayed, and not read
	Duplicate   uint64            `json:"duplicate"`
	Quarantined uint64            `json:"quarantined"`
	Dropped     map[string]uint64 `json:"dropped"`
	Routed      uint64            `json:"routed"`
	Unrouted    uint64            `json:"unrouted"`
	Added       uint64            `json:"added"`
	Delivered   uint64            `json:"delivered"`
	Staged      uint64            `json:"staged"` // on its way into a warehouse
	Parked      uint64            `json:"parked"`
	Dead        uint64            `json:"dead"`
	InFlight    uint64            `json:"inFlight"`
	Balanced    bool              `json:"balanced"`
}

// Dead is one delivery that will not be tried again by itself.
type Dead struct {
	Place       string          `json:"place"`
	Destination string          `json:"destination"`
	Source      string          `json:"source"`
	MessageID   string          `json:"messageId"`
	Code        string          `json:"code"`
	Status      int             `json:"status"`
	Detail      string          `json:"detail"`
	At          time.Time       `json:"at"`
	Event       json.RawMessage `json:"event,omitempty"`
}

// Selection names the events that a job moves: those at Places, or those of a source
// and destination, names or ids, with a code; All says that no
// narrower choice was meant.
type Selection struct {
	Source      string   `json:"source,omitempty"`
	Destination string   `json:"destination"`
	Places      []string `json:"places"`
	Code        string   `json:"code"`
	All         bool     `json:"all"`
	Rate        int      `json:"rate,omitempty"`        // events per second; 0: as fast as the plane can
	Retransform bool     `json:"retransform,omitempty"` // of redrive only: from before transformations
}

// Job is a move of many events that a plane does by itself. States: running, done,
// stopped, failed.
type Job struct {
	ID          string     `json:"id"`
	Kind        string     `json:"kind"`
	State       string     `json:"state"`
	Reason      string     `json:"reason"`
	Source      string     `json:"source"`
	Destination string     `json:"destination"`
	Code        string     `json:"code"`
	Rate        int        `json:"rate"`
	Moved       int        `json:"moved"`
	Total       *int       `json:"total"` // nil: not counted
	Created     time.Time  `json:"created"`
	Ended       *time.Time `json:"ended"`
}

// View is a data plane's own API, asked with one capability.
type View struct{ end }

// NewView returns the view at address, asked with a capability's token.
// fault.Invalid: the address is none.
func NewView(address, token string) (*View, error) {
	e, err := newEnd("the plane's view", address, token)
	if err != nil {
		return nil, err
	}
	return &View{e}, nil
}

// Ledger returns the workspace's books.
func (v *View) Ledger(ctx context.Context) ([]Row, error) {
	var out struct{ Rows []Row }
	_, err := v.call(ctx, http.MethodGet, "/v1/ledger", nil, nil, &out)
	return out.Rows, err
}

// Ledgers returns the books of the workspaces that the capability is for, whose identifiers
// the rows have as Workspace. fault.Denied, fault.Missing: also of a plane that is older.
func (v *View) Ledgers(ctx context.Context) ([]Row, error) {
	var out struct{ Rows []Row }
	_, err := v.call(ctx, http.MethodGet, "/v1/ledgers", nil, nil, &out)
	return out.Rows, err
}

// Dead returns a page of dead letters from cursor ("" for the first) and the
// next page's cursor, "" at the end. Source is a name or an id, destination an id;
// empty choices choose all.
func (v *View) Dead(ctx context.Context, source, destination, code string, limit int, cursor string) ([]Dead, string, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	for k, s := range map[string]string{"source": source, "destination": destination, "code": code, "cursor": cursor} {
		if s != "" {
			q.Set(k, s)
		}
	}
	var out struct {
		Items []Dead
		Next  string
	}
	_, err := v.call(ctx, http.MethodGet, "/v1/dead?"+q.Encode(), nil, nil, &out)
	return out.Items, out.Next, err
}

// Held is Dead of events that wait: the parked ones of a destination, or with
// quarantined those of a source that broke a rule. Both are ids or names; "" is all.
func (v *View) Held(ctx context.Context, quarantined bool, object string, limit int, cursor string) ([]Dead, string, error) {
	path, name := "/v1/parked?", "destination"
	if quarantined {
		path, name = "/v1/quarantine?", "source"
	}
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	for k, s := range map[string]string{name: object, "cursor": cursor} {
		if s != "" {
			q.Set(k, s)
		}
	}
	var out struct {
		Items []Dead
		Next  string
	}
	_, err := v.call(ctx, http.MethodGet, path+q.Encode(), nil, nil, &out)
	return out.Items, out.Next, err
}

// Begin begins a job; verb is redrive, discard, replay or discard-quarantined.
// fault.Conflict: one that runs may be about the same events.
func (v *View) Begin(ctx context.Context, verb string, s Selection) (Job, error) {
	var out Job
	_, err := v.call(ctx, http.MethodPost, "/v1/jobs/"+verb, nil, s, &out)
	return out, err
}

// Count returns how many dead letters the job would move.
func (v *View) Count(ctx context.Context, verb string, s Selection) (n uint64, err error) {
	in := struct {
		Selection
		Preview bool `json:"preview"`
	}{s, true}
	var out struct{ Chosen uint64 }
	_, err = v.call(ctx, http.MethodPost, "/v1/jobs/"+verb, nil, in, &out)
	return out.Chosen, err
}

// Jobs returns the jobs of the workspace, newest first.
func (v *View) Jobs(ctx context.Context) ([]Job, error) {
	var out struct{ Jobs []Job }
	_, err := v.call(ctx, http.MethodGet, "/v1/jobs", nil, nil, &out)
	return out.Jobs, err
}

// Job returns one of them. fault.Missing: there is none.
func (v *View) Job(ctx context.Context, job string) (Job, error) {
	var out Job
	_, err := v.call(ctx, http.MethodGet, "/v1/jobs/"+url.PathEscape(job), nil, nil, &out)
	return out, err
}

// Stop stops a job and returns it.
func (v *View) Stop(ctx context.Context, job string) (Job, error) {
	var out Job
	_, err := v.call(ctx, http.MethodPost, "/v1/jobs/"+url.PathEscape(job)+"/stop", nil, struct{}{}, &out)
	return out, err
}

// Ask makes a call of the view that no other method makes: in, nil for no body, is sent as
// JSON, and the answer read into out.
func (v *View) Ask(ctx context.Context, method, path string, in, out any) error {
	_, err := v.call(ctx, method, path, nil, in, out)
	return err
}

// Load is one load of a warehouse. Code and Detail are empty unless it failed.
type Load struct {
	ID          string     `json:"id"`
	Destination string     `json:"destination"`
	At          time.Time  `json:"at"`
	State       string     `json:"state"` // staging, merging, done, failing
	Rows        int64      `json:"rows"`
	Millis      int64      `json:"ms"` // how long it took; 0: it is not done
	Attempt     int        `json:"attempt"`
	Next        *time.Time `json:"next"` // when it is tried again
	Code        string     `json:"code"`
	Detail      string     `json:"detail"`
}

// Waiting is what waits for the load of a warehouse; Next is nil during one.
type Waiting struct {
	Destination string     `json:"destination"`
	Events      int64      `json:"events"`
	Next        *time.Time `json:"next"`
	Paused      *time.Time `json:"paused"` // since when no load begins
}

// Loads returns the loads of a destination, or of all for "", newest first, and what waits.
func (v *View) Loads(ctx context.Context, destination string) ([]Load, []Waiting, error) {
	path := "/v1/loads"
	if destination != "" {
		path += "?" + url.Values{"destination": {destination}}.Encode()
	}
	var out struct {
		Loads   []Load
		Waiting []Waiting
	}
	_, err := v.call(ctx, http.MethodGet, path, nil, nil, &out)
	return out.Loads, out.Waiting, err
}

// LoadNow lets a destination be loaded without delay. Loads from at on have what waited.
func (v *View) LoadNow(ctx context.Context, destination string) (at time.Time, err error) {
	return v.changeLoads(ctx, "", destination)
}

// PauseLoads lets no load of a destination begin; ResumeLoads ends that.
func (v *View) PauseLoads(ctx context.Context, destination string) error {
	_, err := v.changeLoads(ctx, "/pause", destination)
	return err
}

// ResumeLoads ends what PauseLoads began.
func (v *View) ResumeLoads(ctx context.Context, destination string) error {
	_, err := v.changeLoads(ctx, "/resume", destination)
	return err
}

func (v *View) changeLoads(ctx context.Context, act, destination string) (at time.Time, err error) {
	var out struct{ At time.Time }
	_, err = v.call(ctx, http.MethodPost, "/v1/loads"+act, nil, map[string]string{"destination": destination}, &out)
	return out.At, err
}

// Test lets the plane try a destination, and reads its answer, a JSON object, into out.
func (v *View) Test(ctx context.Context, destination string, out any) error {
	_, err := v.call(ctx, http.MethodPost, "/v1/destinations/test", nil, map[string]string{"destination": destination}, out)
	return err
}

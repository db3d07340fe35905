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
	Workspace   string            `json:"workspace"` // the plane says nothing of it
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

// Selection names dead letters: those at Places, or those of a destination
// (by id) and code; All says that no narrower choice was meant.
type Selection struct {
	Destination string   `json:"destination"`
	Places      []string `json:"places"`
	Code        string   `json:"code"`
	All         bool     `json:"all"`
	Retransform bool     `json:"retransform,omitempty"` // Redrive only: from before transformations
	Preview     bool     `json:"preview,omitempty"`     // only count them
	Cursor      string   `json:"-"`                     // of the part before; empty at first
}

// BrokenSelection names quarantined events: those at Places, or those of a
// source and destination (names or ids) with a code; All says that no narrower
// choice was meant. Cursor is where to go on, "" at first.
type BrokenSelection struct {
	Source      string   `json:"source"`
	Destination string   `json:"destination"`
	Places      []string `json:"places"`
	Code        string   `json:"code"`
	All         bool     `json:"all"`
	Cursor      string   `json:"cursor"`
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

// Dead returns a page of dead letters from cursor ("" for the first) and the
// next page's cursor, "" at the end. Destination is an id; empty choices
// choose all.
func (v *View) Dead(ctx context.Context, destination, code string, limit int, cursor string) ([]Dead, string, error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	for k, s := range map[string]string{"destination": destination, "code": code, "cursor": cursor} {
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

// Redrive sends dead letters again, for about ten seconds, and returns how many, and
// the cursor of the next part, "" after the last; in a preview, how many are chosen.
func (v *View) Redrive(ctx context.Context, s Selection) (moved uint64, next string, err error) {
	return v.part(ctx, "/v1/dead/redrive", s)
}

// Discard removes dead letters for good; see Redrive.
func (v *View) Discard(ctx context.Context, s Selection) (discarded uint64, next string, err error) {
	return v.part(ctx, "/v1/dead/discard", s)
}

func (v *View) part(ctx context.Context, path string, s Selection) (n uint64, next string, err error) {
	q := url.Values{"parts": {"true"}}
	if s.Cursor != "" {
		q.Set("cursor", s.Cursor)
	}
	var out struct {
		Moved, Discarded, Chosen uint64
		Next                     string
	}
	_, err = v.call(ctx, http.MethodPost, path+"?"+q.Encode(), nil, s, &out)
	return out.Moved + out.Discarded + out.Chosen, out.Next, err
}

// Replay sends a part of quarantined events through the pipeline again. It
// returns how many, and the cursor of the next part, "" after the last.
func (v *View) Replay(ctx context.Context, s BrokenSelection) (replayed uint64, next string, err error) {
	var out struct {
		Replayed uint64
		Next     string
	}
	_, err = v.call(ctx, http.MethodPost, "/v1/quarantine/replay", nil, s, &out)
	return out.Replayed, out.Next, err
}

// DiscardQuarantined removes a part of quarantined events for good; see Replay.
func (v *View) DiscardQuarantined(ctx context.Context, s BrokenSelection) (discarded uint64, next string, err error) {
	var out struct {
		Discarded uint64
		Next      string
	}
	_, err = v.call(ctx, http.MethodPost, "/v1/quarantine/discard", nil, s, &out)
	return out.Discarded, out.Next, err
}

package view

import (
	"time"

	"weir/dataplane/ledger"
	"weir/dataplane/view/endpoint"
	"weir/shared/id"
)

// row is an entry of the ledger as it is shown. A source's own has no destination; that of a
// source and destination says also what the source accepted, replayed and found again, what of
// that was not read so far, and what went nowhere.
type row struct {
	Workspace   id.Workspace     `json:"workspace,omitempty"` // in answers about several
	Source      string           `json:"source"`
	Destination string           `json:"destination"`
	Accepted    int64            `json:"accepted"`
	Replayed    int64            `json:"replayed"`
	Waiting     int64            `json:"waiting"`
	Duplicate   int64            `json:"duplicate"`
	Quarantined int64            `json:"quarantined"`
	Dropped     map[string]int64 `json:"dropped"`
	Routed      int64            `json:"routed"`
	Unrouted    int64            `json:"unrouted"`
	Added       int64            `json:"added"`
	Delivered   int64            `json:"delivered"`
	Staged      int64            `json:"staged"` // in STAGE, not loaded
	Parked      int64            `json:"parked"`
	Dead        int64            `json:"dead"`
	InFlight    int64            `json:"inFlight"`
	Balanced    bool             `json:"balanced"`
	// When the oldest delivery began to wait for the destination, of whichever source; absent where none of this
	// source waits, and while it is not known.
	WaitingSince *time.Time `json:"waitingSince,omitempty"`
}

// ledger answers with the rows of one workspace, or of all that a call is about: these name it.
func (v *View) ledger(c *endpoint.Call, several bool) (any, error) {
	entries := v.entries(c)
	sources := map[id.Source]ledger.Row{}
	for _, b := range entries {
		if b.Destination == "" {
			sources[b.Source] = b
		}
	}
	var since map[id.Destination]time.Time
	if v.cfg.Since != nil {
		since = v.cfg.Since()
	}
	rows := make([]row, 0, len(entries))
	for _, b := range entries {
		r := row{
			Source: v.sourceName(b.Workspace, b.Source), Accepted: b.Accepted, Replayed: b.Replayed, Waiting: b.Waiting, Duplicate: b.Duplicate, Quarantined: b.Quarantined, Dropped: b.Dropped,
			Routed: b.SourceRouted, Unrouted: b.Unrouted, Added: b.Added, Delivered: b.Delivered, Staged: b.Staged, Parked: b.Parked, Dead: b.Dead, InFlight: b.InFlight, Balanced: b.Balanced,
		}
		if b.Destination != "" {
			of := sources[b.Source]
			r.Destination = v.destinationName(b.Workspace, b.Destination)
			r.Routed, r.Accepted, r.Replayed, r.Duplicate = b.Routed, of.Accepted, of.Replayed, of.Duplicate
			r.Waiting, r.Unrouted = of.Waiting, of.Unrouted
			if at, known := since[b.Destination]; known && b.Parked+b.InFlight > 0 {
				r.WaitingSince = &at
			}
		}
		if several {
			r.Workspace = b.Workspace
		}
		if r.Dropped == nil {
			r.Dropped = map[string]int64{}
		}
		rows = append(rows, r)
	}
	return map[string]any{"rows": rows}, nil
}

// entries returns the entries of the ledger that a call may see.
func (v *View) entries(c *endpoint.Call) []ledger.Row {
	of := c.Workspaces()
	var entries []ledger.Row
	for _, b := range v.cfg.Rows() {
		if of(b.Workspace) && c.CoversSource(b.Source) && (b.Destination == "" || c.CoversDestination(b.Destination)) {
			entries = append(entries, b)
		}
	}
	return entries
}

// Package arrivals is what people may ask a plane about what came to its sources: how much was
// accepted and refused, when last, and why. It holds counts, codes and times alone.
package arrivals

import (
	"time"

	"weir/dataplane/ingest/tally"
	"weir/dataplane/view/endpoint"
	"weir/shared/capability"
	"weir/shared/id"
)

// Config is what the call stands on. All is required.
type Config struct {
	Counts func() []tally.Count                           // of all workspaces, in this process
	Name   func(ws id.Workspace, source id.Source) string // what a source is called, else its identifier
	Since  time.Time                                      // from when on Counts count
}

// Register adds the call to mux.
func Register(mux *endpoint.Mux, cfg Config) {
	mux.Handle("GET /v1/arrivals", capability.ReadLedger, cfg.list)
}

// shown is a source as it is shown.
type shown struct {
	Source       string            `json:"source"`
	Received     uint64            `json:"received"`
	Accepted     uint64            `json:"accepted"`
	Refused      uint64            `json:"refused"`
	Reasons      map[string]uint64 `json:"reasons"`                // of refused, by code
	LastAccepted *time.Time        `json:"lastAccepted,omitempty"` // absent: none since
	LastRefused  *time.Time        `json:"lastRefused,omitempty"`
}

func (cfg Config) list(c *endpoint.Call) (any, error) {
	of := c.Workspaces()
	list := []shown{}
	for _, n := range cfg.Counts() {
		if !of(n.Workspace) || !c.CoversSource(n.Source) {
			continue
		}
		s := shown{
			Source: cfg.Name(n.Workspace, n.Source), Received: n.Received, Accepted: n.Accepted, Refused: n.Refused, Reasons: n.Reasons,
			LastAccepted: moment(n.Accepts), LastRefused: moment(n.Refuses),
		}
		if s.Reasons == nil {
			s.Reasons = map[string]uint64{}
		}
		list = append(list, s)
	}
	return map[string]any{"since": cfg.Since, "sources": list}, nil
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

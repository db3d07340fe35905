// Package capability is what a browser or CLI may ask of one plane: issued and
// signed by the control plane's authn, checked by the plane's view.
package capability

import (
	"time"

	"weir/shared/id"
)

// Lifetime is how long a capability is good.
const Lifetime = 5 * time.Minute

// Action is one thing a holder may do.
type Action string

// The actions.
const (
	ReadLedger  Action = "ledger:read"
	ReadDead    Action = "dead:read"
	RedriveDead Action = "dead:redrive"
	DiscardDead Action = "dead:discard"
	ReadLive    Action = "live:read"
	Query       Action = "query"
)

// Grant is the content of a capability: one plane, one workspace, one action.
// Empty Sources or Destinations mean all of the workspace's. Origin is the
// browser origin that may use it, empty for programs.
type Grant struct {
	Plane        id.Plane         `json:"plane"`
	Workspace    id.Workspace     `json:"workspace"`
	Action       Action           `json:"action"`
	Sources      []id.Source      `json:"sources,omitempty"`
	Destinations []id.Destination `json:"destinations,omitempty"`
	Origin       string           `json:"origin,omitempty"`
	Expires      time.Time        `json:"expires"`
}

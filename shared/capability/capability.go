// Package capability is what a browser or CLI may ask of one plane: issued and
// signed by the control plane's authn, checked by the plane's view.
package capability

import (
	"slices"
	"time"

	"weir/shared/id"
)

// Lifetime is how long a capability is good.
const Lifetime = 5 * time.Minute

// Action is one thing a holder may do.
type Action string

// The actions.
const (
	ReadLedger        Action = "ledger:read"        // the books: counts, no events
	ReadDead          Action = "dead:read"          // dead letters with their events
	RedriveDead       Action = "dead:redrive"       // sending them again
	DiscardDead       Action = "dead:discard"       // removing them for good
	ReadLive          Action = "live:read"          // events as they pass
	ReadParked        Action = "parked:read"        // events that wait for their destination
	ReadQuarantine    Action = "quarantine:read"    // events that broke a rule
	ReplayQuarantine  Action = "quarantine:replay"  // sending them through the pipeline again
	DiscardQuarantine Action = "quarantine:discard" // removing them for good
	ReadLoads         Action = "loads:read"         // loads of a warehouse, with its own error texts
	StartLoads        Action = "loads:start"        // loading a warehouse without delay, pausing its loads
	Query             Action = "query"              // SQL on a warehouse
	Preview           Action = "preview"            // trying transformations and destinations on given events
	TestDestination   Action = "destination:test"   // connecting to a destination
	ReadJobs          Action = "jobs:read"          // redrives, replays and discards: what they choose and how far they are
	StopJobs          Action = "jobs:stop"          // stopping one
	ReadSyncs         Action = "syncs:read"         // syncs and their runs: states and counts, no rows
	RunSyncs          Action = "syncs:run"          // letting syncs run, pausing them, agreeing to what holds them
	ReadProfiles      Action = "profiles:read"      // how runs of profiles stand, and counts: sizes of audiences, how scores lie, columns of inputs
	RunProfiles       Action = "profiles:run"       // running profiles without delay
	LookupProfiles    Action = "profiles:lookup"    // what is known of single persons: records, identifiers and why they belong together, previews, values of columns
	DecideProfiles    Action = "profiles:decide"    // deciding about persons: blocking, linking, erasing, publishing what was held
	ReadPulls         Action = "pulls:read"         // how far the streams of pulled sources are
	ChangePulls       Action = "pulls:change"       // running, pausing, resetting them; shows cursors, which hold values
)

// Actions lists every action.
func Actions() []Action {
	return []Action{ReadLedger, ReadDead, RedriveDead, DiscardDead, ReadLive, ReadParked, ReadQuarantine, ReplayQuarantine, DiscardQuarantine, ReadLoads, StartLoads, Query, Preview, TestDestination, ReadJobs, StopJobs, ReadSyncs, RunSyncs, ReadProfiles, RunProfiles, LookupProfiles, DecideProfiles, ReadPulls, ChangePulls}
}

// CountsOnly reports whether what is read has counts, states and codes alone, and nothing of
// events or rows.
func (a Action) CountsOnly() bool {
	return a == ReadLedger || a == ReadJobs || a == ReadSyncs || a == ReadPulls
}

// Reads reports whether what is granted shows events, rows or persons and changes nothing,
// here or elsewhere.
func (a Action) Reads() bool {
	return slices.Contains(reads, a)
}

var reads = []Action{ReadDead, ReadLive, ReadParked, ReadQuarantine, ReadLoads, Query, Preview, ReadProfiles, LookupProfiles}

// OfMany reports whether one capability may be about several workspaces.
func (a Action) OfMany() bool { return a == ReadLedger }

// Grant is the content of a capability: one plane, one workspace, one action. Of ReadLedger
// alone it may name several Workspaces in place of the one.
// Empty Sources or Destinations mean all of the workspace's, and no source or
// destination at all is not one of some. Origin is the browser origin that may use it, empty for programs.
type Grant struct {
	Plane        id.Plane         `json:"plane"`
	Workspace    id.Workspace     `json:"workspace"`
	Workspaces   []id.Workspace   `json:"workspaces,omitempty"`
	Action       Action           `json:"action"`
	Sources      []id.Source      `json:"sources,omitempty"`
	Destinations []id.Destination `json:"destinations,omitempty"`
	Origin       string           `json:"origin,omitempty"`
	Expires      time.Time        `json:"expires"`
}

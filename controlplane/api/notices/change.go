package notices

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/controlplane/store/audit"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/condition"
)

// Kind says what a notice is about.
type Kind string

// The kinds. Of a status without a workspace everything may have changed.
const (
	Sync      Kind = "sync"      // something may have been missed: ask for everything anew
	Workspace Kind = "workspace" // it has a revision, or was deleted
	Status    Kind = "status"    // what a plane says of it: what it runs, its counts
	Plane     Kind = "plane"     // what a plane says of itself; one that joined or went has no state
	Members   Kind = "members"   // members, roles or invitations of the organization
	Tokens    Kind = "tokens"    // of the organization, or of the caller
	Me        Kind = "me"        // what the caller may do
	Audit     Kind = "audit"     // the audit log has more
)

// Notice is what a caller is told.
type Notice struct {
	Kind        Kind         `json:"kind"`
	Workspace   string       `json:"workspace,omitempty"`   // its name
	WorkspaceID id.Workspace `json:"workspaceId,omitempty"` // of one that was deleted too
	Number      uint64       `json:"number,omitempty"`      // the newest revision's
	Deleted     bool         `json:"deleted,omitempty"`
	Plane       id.Plane     `json:"plane,omitempty"`
	State       *State       `json:"state,omitempty"` // of the plane
}

// State is what a plane says of itself, without what is about workspaces that the caller
// may not read.
type State struct {
	Healthy    bool              `json:"healthy"`
	LastBeat   *time.Time        `json:"lastBeat"`
	Alarms     []wire.Alarm      `json:"alarms"`
	Conditions []condition.Heard `json:"conditions"`
}

// change is something that changed, before it is known who may be told.
type change struct {
	organization string // empty: the installation
	number       uint64 // of the row, 0 for none
	kind         Kind
	action       policy.Action // that who is told may do in the organization; empty for a kind with its own rule
	object       string        // identifier, as the audit log has it
	subject      string        // who owns the object, empty for nobody in particular

	workspace id.Workspace
	name      string
	revision  uint64
	deleted   bool

	plane  id.Plane
	owner  string // of a plane: the one organization that may know of it, empty for all
	state  *State
	alarms []alarm
}

// alarm is an alarm of a plane and whose it is.
type alarm struct {
	wire.Alarm
	organization string // empty: the plane's own
}

// changeOf is what a row of the audit log tells of. A row of an action that is not known here
// is news for who reads the audit log.
func changeOf(e audit.Entry) change {
	c := change{organization: e.Organization, number: e.Number, kind: Audit}
	_, c.object, _ = strings.Cut(e.Object, " ")
	noun, verb, _ := strings.Cut(e.Action, ".")
	switch {
	case e.Action == "plane.ack":
		c.kind, c.workspace = Status, id.Workspace(e.Workspace)
	case noun == "workspace" && e.Workspace != "":
		c.kind, c.workspace, c.deleted = Workspace, id.Workspace(e.Workspace), verb == "delete"
		if _, err := fmt.Sscanf(e.Detail, "number %d", &c.revision); err != nil {
			c.revision = 0
		}
	case noun == "plane":
		c.kind, c.plane = Plane, id.Plane(c.object)
	case noun == "member", noun == "grant", noun == "invitation":
		c.kind, c.action, c.subject = Members, action.ReadMembers, c.object
	case noun == "token":
		c.kind, c.action = Tokens, action.ReadTokens
		var token struct {
			Owner string `json:"owner"`
		}
		if json.Unmarshal([]byte(cmp.Or(e.After, e.Before)), &token) == nil {
			c.subject = token.Owner
		}
	}
	return c
}

package policy

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"weir/controlplane/policy/action"
)

// Role is a set of actions that is granted under one name.
type Role string

// The roles that the control plane itself gives; all stand in actions.json.
const (
	Operator Role = "operator" // runs the installation; reads nothing of its organizations
	Owner    Role = "owner"    // everything in an organization
)

// Action is one thing that an actor may be allowed to do, a line of actions.json.
type Action = action.Action

// rule is a line of actions.json: where an action happens, and which roles have it.
type rule struct {
	At    string `json:"at"` // any, installation, organization or workspace
	Roles []Role `json:"roles"`
}

//go:embed actions.json
var actionTable []byte

func readActions() (map[Action]rule, error) {
	var all map[Action]rule
	if err := json.Unmarshal(actionTable, &all); err != nil {
		return nil, fmt.Errorf("read actions.json: %w", err)
	}
	return all, nil
}

// Grant gives a role in the installation (no Organization), in an organization, in one
// workspace of it, or on one object of that; they are named by their identifiers.
type Grant struct {
	Role         Role
	Organization string
	Workspace    string
	Object       string
	Actions      []Action // of a role that the organization made
}

// Subject is who asks: what was granted, and the actions that a token is limited to.
// Nil Scopes are no limit.
type Subject struct {
	Grants []Grant
	Scopes []Action
}

// In reports whether something was granted in an organization.
func (s Subject) In(organization string) bool {
	return slices.ContainsFunc(s.Grants, func(g Grant) bool { return g.Organization == organization })
}

// Resource is what an action is done to: an object, a workspace, an organization, or,
// empty, the installation. What does not exist is named by what it would be in.
type Resource struct {
	Organization string
	Workspace    string
	Object       string
}

// key tells subjects apart that policy could answer differently.
func (s Subject) key() string {
	var b strings.Builder
	for _, g := range s.Grants {
		for _, part := range [...]string{string(g.Role), g.Organization, g.Workspace, g.Object} {
			b.WriteString(part)
			b.WriteByte(0)
		}
		for _, a := range g.Actions {
			b.WriteString(string(a))
			b.WriteByte(1)
		}
		b.WriteByte(2)
	}
	if s.Scopes != nil {
		b.WriteByte(3)
	}
	for _, a := range s.Scopes {
		b.WriteString(string(a))
		b.WriteByte(1)
	}
	return b.String()
}

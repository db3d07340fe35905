// Package history is the part of the API about what was done: the audit log, and the
// revisions of workspaces.
//
// It guarantees that nobody reads rows of an organization in which he may not read the
// audit log.
package history

import (
	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/controlplane/store/audit"
)

// Config is what Handlers stand on. All is required.
type Config struct {
	Store  *store.Store
	Policy *policy.Policy
	Signer *audit.Signer
}

// Handlers answer this part of the API.
type Handlers struct{ Config }

// New returns handlers.
func New(cfg Config) *Handlers { return &Handlers{cfg} }

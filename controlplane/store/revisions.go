package store

import (
	"context"
	"time"

	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// Revision is a stored revision: who made it, when, and its canonical bytes.
type Revision struct {
	workspace.Revision
	Body []byte // canonical encoding of Config, Digest is over it
	At   time.Time
	By   string // the Actor, as the audit log shows it
}

// Secret is one version of one secret field, sealed for each plane that may
// open it.
type Secret struct {
	Name        secret.Name
	Fingerprint string
	Sealed      map[id.Plane]secret.Sealed
	CreatedAt   time.Time
}

// Commit is a revision to be appended.
type Commit struct {
	// Workspace names the workspace by ID. When Expected is 0 and it does not
	// exist, it is made with this Name, Region and Plane.
	Workspace Workspace
	Expected  uint64           // the newest number that the caller has seen, 0 for none
	Config    workspace.Config // what Body encodes
	Digest    workspace.Digest
	Body      []byte
	Secrets   []Secret // new ones; the others that Config refers to are stored already
}

// AppendRevision makes c the newest revision of its workspace, numbered one
// above everything that the store holds or a plane acknowledged, and returns it.
// All happens in one transaction: workspace, revision, write keys, ids, secrets.
//
// fault.Conflict: the newest number is not c.Expected. fault.Missing: Expected
// is not 0 and there is no such workspace, or it was deleted. fault.Invalid, all
// problems at once: the workspace's name is taken (name_taken), its region is
// not its plane's (wrong_region), a write key or an id belongs to another
// workspace (write_key_taken, id_taken), a secret is referred to and not stored
// (secret_missing), is not sealed for the workspace's plane (secret_not_sealed),
// or its version was used for another value (secret_version_taken).
func (s *Store) AppendRevision(ctx context.Context, who Actor, c Commit) (Revision, error) {
	return Revision{}, errEmpty
}

// Latest returns the newest revision of a workspace. fault.Missing: there is
// none, or the workspace was deleted.
func (s *Store) Latest(ctx context.Context, ws id.Workspace) (Revision, error) {
	return Revision{}, errEmpty
}

// Revision returns one revision. fault.Missing: there is none.
func (s *Store) Revision(ctx context.Context, ws id.Workspace, number uint64) (Revision, error) {
	return Revision{}, errEmpty
}

// Revisions returns at most limit revisions of a workspace below a number (0:
// from the newest), newest first, without Config and Body. A limit of 0 is 100.
func (s *Store) Revisions(ctx context.Context, ws id.Workspace, below uint64, limit int) ([]Revision, error) {
	return nil, errEmpty
}

// Secrets returns every stored version of every secret of a workspace.
func (s *Store) Secrets(ctx context.Context, ws id.Workspace) ([]Secret, error) {
	return nil, errEmpty
}

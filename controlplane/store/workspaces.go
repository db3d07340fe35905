package store

import (
	"context"
	"time"

	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// Workspace is one workspace and the revision that its plane has to run.
type Workspace struct {
	ID        id.Workspace
	Name      string // unique among those that are not deleted
	Region    string // fixed when it is made
	Plane     id.Plane
	Number    uint64           // newest revision; of a deleted workspace, the tombstone's number
	Digest    workspace.Digest // empty when deleted
	Deleted   bool
	CreatedAt time.Time
}

// Workspace returns one workspace, deleted or not. fault.Missing: there is none.
func (s *Store) Workspace(ctx context.Context, ws id.Workspace) (Workspace, error) {
	return Workspace{}, errEmpty
}

// WorkspaceByName returns the workspace of that name that is not deleted.
// fault.Missing: there is none.
func (s *Store) WorkspaceByName(ctx context.Context, name string) (Workspace, error) {
	return Workspace{}, errEmpty
}

// Workspaces returns those that are not deleted, by name.
func (s *Store) Workspaces(ctx context.Context) ([]Workspace, error) { return nil, errEmpty }

// Wanted returns every workspace that planes have to run or to remove, deleted
// ones included: what publish compares with the hub. By ID.
func (s *Store) Wanted(ctx context.Context) ([]Workspace, error) { return nil, errEmpty }

// DeleteWorkspace marks a workspace as deleted under the next number, which
// becomes its tombstone's, and forgets its write keys and secrets. The name is
// free again; the ids of its objects stay taken. Deleting a deleted one returns
// it unchanged. fault.Missing: there is none.
func (s *Store) DeleteWorkspace(ctx context.Context, who Actor, ws id.Workspace) (Workspace, error) {
	return Workspace{}, errEmpty
}

// FoldAck keeps a plane's newest word on a workspace and reports whether it
// changed anything. The highest number that was ever acknowledged only goes up.
//
// fault.Missing: the plane or the workspace is unknown. fault.Denied: the
// workspace is not on that plane. fault.Invalid: the number is beyond 2^53.
func (s *Store) FoldAck(ctx context.Context, who Actor, ack wire.Ack) (bool, error) {
	return false, errEmpty
}

// Acks returns the newest acks about a workspace, or about all of them when ws
// is empty.
func (s *Store) Acks(ctx context.Context, ws id.Workspace) ([]wire.Ack, error) {
	return nil, errEmpty
}

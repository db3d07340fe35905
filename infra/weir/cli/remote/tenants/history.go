package tenants

import (
	"context"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/approval"
	"weir/infra/weir/cli/remote/openapi"
)

// Revision is a revision of a workspace. Changes are nil where they were not kept. Former,
// Before and After are there when one was asked for.
type Revision = openapi.Revision

// Revisions returns at most limit revisions of a workspace, from 1 to 500, the newest first.
func Revisions(ctx context.Context, c *remote.Control, workspace string, limit int) ([]Revision, error) {
	page, err := remote.Do(ctx, c, api{}.Revisions(workspace, openapi.RevisionsParams{Limit: uint64(limit)}))
	return page.Revisions, err
}

// RevisionOf returns one revision of a workspace and what it changed.
func RevisionOf(ctx context.Context, c *remote.Control, workspace string, number uint64) (Revision, error) {
	return remote.Do(ctx, c, api{}.Revision(workspace, number))
}

// Rollback is which revision's configuration comes back, and why.
type Rollback = openapi.Rollback

// RollBack makes the configuration of a former revision the next one and returns its
// number and what it changes, as remote.Control.Apply does.
func RollBack(ctx context.Context, c *remote.Control, workspace string, in Rollback) (uint64, []remote.Change, *approval.Request, error) {
	out, err := remote.Do(ctx, c, api{}.Rollback(workspace, openapi.RollbackParams{}, in))
	return out.Number, out.Changes, approval.Of(out), err
}

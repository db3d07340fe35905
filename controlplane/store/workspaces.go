package store

import (
	"context"
	"fmt"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/predicate"
	"weir/controlplane/store/ent/secret"
	entworkspace "weir/controlplane/store/ent/workspace"
	"weir/controlplane/store/ent/writekey"
	"weir/controlplane/store/placement"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// Workspace is one workspace and the revision that its plane has to run.
type Workspace struct {
	ID           id.Workspace
	Organization OrganizationID // fixed when it is made
	Name         string         // unique in its organization among those that are not deleted
	Region       string         // fixed when it is made
	Plane        id.Plane
	Number       uint64           // newest revision; of a deleted workspace, the tombstone's number
	Digest       workspace.Digest // empty when deleted
	Deleted      bool
	CreatedAt    time.Time
}

// Workspace returns one workspace, deleted or not. fault.Missing: there is none.
func (s *Store) Workspace(ctx context.Context, ws id.Workspace) (Workspace, error) {
	return s.oneWorkspace(ctx, "there is no workspace "+string(ws), entworkspace.ID(string(ws)))
}

// WorkspaceByName returns the workspace of that name in an organization that is not
// deleted. fault.Missing: there is none.
func (s *Store) WorkspaceByName(ctx context.Context, org OrganizationID, name string) (Workspace, error) {
	return s.oneWorkspace(ctx, "there is no workspace of this name", entworkspace.OrganizationID(string(org)), entworkspace.Name(name), entworkspace.DeletedAtIsNil())
}

func (s *Store) oneWorkspace(ctx context.Context, missing string, where ...predicate.Workspace) (Workspace, error) {
	return database.Read(ctx, func(ctx context.Context) (Workspace, error) {
		row, err := s.ent.Workspace.Query().Where(where...).Only(ctx)
		if ent.IsNotFound(err) {
			return Workspace{}, fault.New(fault.Missing, "%s", missing)
		}
		if err != nil {
			return Workspace{}, err
		}
		return workspaceOf(row), nil
	})
}

// Workspaces returns those of an organization that are not deleted, by name.
func (s *Store) Workspaces(ctx context.Context, org OrganizationID) ([]Workspace, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Workspace, error) {
		rows, err := s.ent.Workspace.Query().Where(entworkspace.OrganizationID(string(org)), entworkspace.DeletedAtIsNil()).Order(ent.Asc(entworkspace.FieldName)).All(ctx)
		return each(rows, workspaceOf), err
	})
}

// Wanted returns what planes have to run or to remove, deleted workspaces included: what
// publish compares with the hub. It returns those of some workspaces, at most
// 500, or of all when none is given. By ID.
func (s *Store) Wanted(ctx context.Context, of ...id.Workspace) ([]Workspace, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Workspace, error) {
		q := s.ent.Workspace.Query().Order(ent.Asc(entworkspace.FieldID))
		if len(of) > 0 {
			q = q.Where(entworkspace.IDIn(texts(of)...))
		}
		rows, err := q.All(ctx)
		return each(rows, workspaceOf), err
	})
}

// DeleteWorkspace marks a workspace as deleted under the next number, which
// becomes its tombstone's, and forgets its write keys and secrets. The name is
// free again; the ids of its objects stay taken. Deleting a deleted one returns
// it unchanged. fault.Missing: there is none.
func (s *Store) DeleteWorkspace(ctx context.Context, who Actor, ws id.Workspace) (Workspace, error) {
	var out Workspace
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		row, err := tx.Workspace.Get(ctx, string(ws))
		if ent.IsNotFound(err) {
			return trail{}, fault.New(fault.Missing, "there is no workspace %s", ws)
		}
		if err != nil {
			return trail{}, err
		}
		if row.DeletedAt != nil {
			out = workspaceOf(row)
			return trail{}, nil
		}
		number, err := placement.NextNumber(ctx, tx, row)
		if err != nil {
			return trail{}, err
		}
		before := fields{"name": row.Name, "region": row.Region, "number": row.Number, "digest": row.Digest}
		row, err = tx.Workspace.UpdateOne(row).SetNumber(number).SetDigest("").SetDeletedAt(s.now()).Save(ctx)
		if err != nil {
			return trail{}, err
		}
		if _, err := tx.WriteKey.Delete().Where(writekey.WorkspaceID(row.ID)).Exec(ctx); err != nil {
			return trail{}, err
		}
		if _, err := tx.Secret.Delete().Where(secret.WorkspaceID(row.ID)).Exec(ctx); err != nil {
			return trail{}, err
		}
		out = workspaceOf(row)
		return trail{Action: "workspace.delete", Object: "workspace " + row.ID, Detail: fmt.Sprintf("number %d", number), Before: before}, nil
	})
	if err != nil {
		return Workspace{}, wrap(err, "delete workspace %s", ws)
	}
	return out, nil
}

// Raise says that the hub holds a pointer of number seen for a workspace, signed
// by this control plane: the store was restored from a backup older than it. The
// next number will be above it. The tombstone of a deleted workspace, which can
// only be wanted, moves above it at once. fault.Missing: there is no such
// workspace. fault.Invalid: the number is beyond 2^53.
func (s *Store) Raise(ctx context.Context, who Actor, ws id.Workspace, seen uint64) error {
	if seen > maxNumber {
		return fault.New(fault.Invalid, "the hub points %s at an impossible number", ws)
	}
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		row, err := tx.Workspace.Get(ctx, string(ws))
		if ent.IsNotFound(err) {
			return trail{}, fault.New(fault.Missing, "there is no workspace %s", ws)
		}
		if err != nil {
			return trail{}, err
		}
		before := row.Seen
		row.Seen = max(before, seen)
		next, err := placement.NextNumber(ctx, tx, row)
		if err != nil {
			return trail{}, err
		}
		update := tx.Workspace.UpdateOne(row).SetSeen(row.Seen)
		switch {
		case next <= row.Number+1: // nobody is ahead of the store
			return trail{}, nil
		case row.DeletedAt == nil && seen <= before: // known already
			return trail{}, nil
		case row.DeletedAt != nil:
			update.SetNumber(next)
		}
		return trail{Action: "workspace.raise", Object: "workspace " + row.ID, Detail: fmt.Sprintf("number %d was seen, %d is the newest", next-1, row.Number),
			Before: fields{"seen": before}, After: fields{"seen": row.Seen}}, update.Exec(ctx)
	})
	return wrap(err, "raise the numbers of %s", ws)
}

func texts(of []id.Workspace) []string {
	return each(of, func(ws id.Workspace) string { return string(ws) })
}

func workspaceOf(row *ent.Workspace) Workspace {
	return Workspace{
		ID: id.Workspace(row.ID), Organization: OrganizationID(row.OrganizationID), Name: row.Name, Region: row.Region, Plane: id.Plane(row.PlaneID), Number: row.Number,
		Digest: workspace.Digest(row.Digest), Deleted: row.DeletedAt != nil, CreatedAt: row.CreatedAt.UTC(),
	}
}

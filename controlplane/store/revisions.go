package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weir/controlplane/store/changes"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/revision"
	entworkspace "weir/controlplane/store/ent/workspace"
	"weir/controlplane/store/placement"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// Revision is a stored revision: who made it, when, and its canonical bytes.
type Revision struct {
	workspace.Revision
	Body       []byte // canonical encoding of Config, Digest is over it
	At         time.Time
	By         string // the Actor, as the audit log shows it
	ApprovedBy string // the second person of a commit that needed one, as By; else empty
	// Reason is why, in the author's words, and Changes a JSON list of what differs from the
	// former revision; empty where they were not kept.
	Reason  string
	Changes json.RawMessage
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
	// exist, it is made with this Organization, Name, Region and Plane.
	Workspace Workspace
	Expected  uint64           // the newest number that the caller has seen, 0 for none
	Config    workspace.Config // what Body encodes
	Digest    workspace.Digest
	Body      []byte
	Secrets   []Secret // new ones; what Config refers to beyond them is stored already

	Reason  string          // why, in the author's words; may be empty
	Changes json.RawMessage // what differs from the former revision, as Revision has it
	// Before and After are what differs, for the audit log: see database.Trail.
	Before, After any

	Author   string           // who proposed what the actor of the write approves
	Approval changes.Approval // nil without such
}

// placed is c as the room of placement takes it.
func (c Commit) placed() placement.Commit {
	out := placement.Commit{
		Workspace: c.Workspace.ID, Organization: string(c.Workspace.Organization), Name: c.Workspace.Name, Region: c.Workspace.Region, Plane: c.Workspace.Plane,
		Expected: c.Expected, Config: c.Config, Digest: c.Digest,
	}
	for _, s := range c.Secrets {
		out.Secrets = append(out.Secrets, placement.Secret(s))
	}
	return out
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
	ws := c.Workspace.ID
	if c.Config.Workspace != ws || workspace.DigestOf(c.Body) != c.Digest {
		return Revision{}, fault.New(fault.Internal, "the body, digest and workspace of a commit to %s do not belong together", ws)
	}
	var out Revision
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		now := s.now()
		number, err := placement.Place(ctx, tx, now, c.placed())
		if err != nil {
			return trail{}, err
		}
		by, approved, detail := who.String(), "", ""
		if c.Approval != nil {
			by, approved, detail = c.Author, who.String(), ", of "+c.Author
			if err := c.Approval(ctx, tx, number); err != nil {
				return trail{}, err
			}
		}
		err = tx.Revision.Create().SetWorkspaceID(string(ws)).SetNumber(number).SetDigest(string(c.Digest)).
			SetBody(c.Body).SetCreatedAt(now).SetCreatedBy(by).SetApprovedBy(approved).SetReason(c.Reason).SetChanges(string(c.Changes)).Exec(ctx)
		if err != nil {
			return trail{}, err
		}
		out = Revision{
			Revision: workspace.Revision{Workspace: ws, Number: number, Digest: c.Digest, Config: c.Config},
			Body:     c.Body, At: now, By: by, ApprovedBy: approved, Reason: c.Reason, Changes: c.Changes,
		}
		return trail{Action: "workspace.commit", Object: "workspace " + string(ws), Detail: fmt.Sprintf("number %d, digest %s%s", number, c.Digest, detail), Before: c.Before, After: c.After}, nil
	})
	return out, wrap(err, "append a revision of %s", ws)
}

// Latest returns the newest revision of a workspace. fault.Missing: there is
// none, or the workspace was deleted.
func (s *Store) Latest(ctx context.Context, ws id.Workspace) (Revision, error) {
	return database.Read(ctx, func(ctx context.Context) (Revision, error) {
		row, err := s.ent.Revision.Query().Where(revision.WorkspaceID(string(ws)),
			revision.HasWorkspaceWith(entworkspace.DeletedAtIsNil())).Order(ent.Desc(revision.FieldNumber)).First(ctx)
		if ent.IsNotFound(err) {
			return Revision{}, fault.New(fault.Missing, "workspace %s has no revision", ws)
		}
		if err != nil {
			return Revision{}, err
		}
		return revisionOf(row)
	})
}

// Revision returns one revision. fault.Missing: there is none.
func (s *Store) Revision(ctx context.Context, ws id.Workspace, number uint64) (Revision, error) {
	return database.Read(ctx, func(ctx context.Context) (Revision, error) {
		row, err := s.ent.Revision.Query().Where(revision.WorkspaceID(string(ws)), revision.Number(number)).Only(ctx)
		if ent.IsNotFound(err) {
			return Revision{}, fault.New(fault.Missing, "workspace %s has no revision %d", ws, number)
		}
		if err != nil {
			return Revision{}, err
		}
		return revisionOf(row)
	})
}

func revisionOf(row *ent.Revision) (Revision, error) {
	config, err := workspace.Decode(row.Body)
	if err != nil {
		return Revision{}, fmt.Errorf("decode revision %d of %s: %w", row.Number, row.WorkspaceID, err)
	}
	out := bare(row)
	out.Config, out.Body = config, row.Body
	return out, nil
}

// bare is row without what is in its body.
func bare(row *ent.Revision) Revision {
	return Revision{
		Revision: workspace.Revision{Workspace: id.Workspace(row.WorkspaceID), Number: row.Number, Digest: workspace.Digest(row.Digest)},
		At:       row.CreatedAt.UTC(), By: row.CreatedBy, ApprovedBy: row.ApprovedBy, Reason: row.Reason, Changes: json.RawMessage(row.Changes),
	}
}

// Revisions returns at most limit revisions of a workspace below a number (0:
// from the newest), newest first, without Config and Body. A limit of 0 is 100.
func (s *Store) Revisions(ctx context.Context, ws id.Workspace, below uint64, limit int) ([]Revision, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Revision, error) {
		q := s.ent.Revision.Query().Where(revision.WorkspaceID(string(ws))).Order(ent.Desc(revision.FieldNumber)).Limit(or(limit, page))
		if below > 0 {
			q = q.Where(revision.NumberLT(below))
		}
		rows, err := q.Select(revision.FieldWorkspaceID, revision.FieldNumber, revision.FieldDigest,
			revision.FieldCreatedAt, revision.FieldCreatedBy, revision.FieldReason, revision.FieldChanges, revision.FieldApprovedBy).All(ctx)
		return each(rows, bare), err
	})
}

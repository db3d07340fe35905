// Package listing reads what lists of workspaces show, a page at a time: the workspaces of
// an organization with what their planes said of them, and what their planes counted.
//
// It reads nothing of workspaces that it was not asked for.
package listing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/ack"
	"weir/controlplane/store/ent/predicate"
	"weir/controlplane/store/ent/revision"
	"weir/controlplane/store/ent/tally"
	entworkspace "weir/controlplane/store/ent/workspace"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// Listing is this part of an open database. It is safe for concurrent use.
type Listing struct{ db *database.DB }

// New returns the listing of db.
func New(db *database.DB) *Listing { return &Listing{db} }

// Filter says which workspaces a list has, by name. What is zero does not limit.
type Filter struct {
	Organization string         // identifier; always limits
	Of           []id.Workspace // none but these; nil for all
	Names        []string       // none but those with these names; nil for all
	Like         string         // in the name, whatever the case
	Region       string
	Plane        id.Plane
	Descending   bool
	After        string // a name: go on behind it
	Limit        int    // at most; always limits
}

// Row is a workspace that is not deleted, and the newest word of its plane on it.
type Row struct {
	ID        id.Workspace
	Name      string
	Region    string
	Plane     id.Plane
	Number    uint64 // newest revision
	Digest    workspace.Digest
	CreatedAt time.Time
	Ack       wire.Ack // zero before the first one
}

// Workspaces returns a page of the workspaces of an organization.
func (l *Listing) Workspaces(ctx context.Context, f Filter) ([]Row, error) {
	out, err := database.Read(ctx, func(ctx context.Context) ([]Row, error) {
		q := l.db.Ent().Workspace.Query().Where(f.where()...).Limit(f.Limit)
		if f.Descending {
			q = q.Order(ent.Desc(entworkspace.FieldName))
		} else {
			q = q.Order(ent.Asc(entworkspace.FieldName))
		}
		rows, err := q.All(ctx)
		if err != nil {
			return nil, err
		}
		out := make([]Row, len(rows))
		at := make(map[string]*Row, len(rows))
		for i, r := range rows {
			out[i] = Row{ID: id.Workspace(r.ID), Name: r.Name, Region: r.Region, Plane: id.Plane(r.PlaneID), Number: r.Number,
				Digest: workspace.Digest(r.Digest), CreatedAt: r.CreatedAt.UTC()}
			at[r.ID] = &out[i]
		}
		return out, l.acks(ctx, at)
	})
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	return out, nil
}

func (f Filter) where() []predicate.Workspace {
	where := []predicate.Workspace{entworkspace.OrganizationID(f.Organization), entworkspace.DeletedAtIsNil()}
	add := func(limits bool, p predicate.Workspace) {
		if limits {
			where = append(where, p)
		}
	}
	add(f.Of != nil, entworkspace.IDIn(texts(f.Of)...))
	add(f.Names != nil, entworkspace.NameIn(f.Names...))
	add(f.Like != "", entworkspace.NameContainsFold(f.Like))
	add(f.Region != "", entworkspace.Region(f.Region))
	add(f.Plane != "", entworkspace.PlaneID(string(f.Plane)))
	add(f.After != "" && f.Descending, entworkspace.NameLT(f.After))
	add(f.After != "" && !f.Descending, entworkspace.NameGT(f.After))
	return where
}

func texts(list []id.Workspace) []string {
	out := make([]string, len(list))
	for i, ws := range list {
		out[i] = string(ws)
	}
	return out
}

// acks gives rows the words of their planes.
func (l *Listing) acks(ctx context.Context, at map[string]*Row) error {
	for some := range slices.Chunk(keys(at), database.Batch) {
		rows, err := l.db.Ent().Ack.Query().Where(ack.WorkspaceIDIn(some...)).All(ctx)
		if err != nil {
			return err
		}
		for _, r := range rows {
			row := at[r.WorkspaceID]
			if r.PlaneID != string(row.Plane) {
				continue
			}
			row.Ack = wire.Ack{Format: wire.Version, Plane: row.Plane, Workspace: row.ID, Number: r.Number, Running: r.Running,
				Digest: workspace.Digest(r.Digest), State: wire.State(r.State), At: r.AckedAt.UTC()}
			if r.Problems == "[]" {
				continue
			}
			if err := json.Unmarshal([]byte(r.Problems), &row.Ack.Problems); err != nil {
				return fmt.Errorf("decode the problems of an ack: %w", err)
			}
		}
	}
	return nil
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// Config is a configuration and its digest.
type Config struct {
	workspace.Config
	Digest workspace.Digest
}

// Configs returns the newest configurations of workspaces that are not deleted.
func (l *Listing) Configs(ctx context.Context, of []id.Workspace) (map[id.Workspace]Config, error) {
	out, err := database.Read(ctx, func(ctx context.Context) (map[id.Workspace]Config, error) {
		out := make(map[id.Workspace]Config, len(of))
		for some := range slices.Chunk(texts(of), database.Batch) {
			rows, err := l.db.Ent().Revision.Query().Where(revision.WorkspaceIDIn(some...), newest).
				Select(revision.FieldWorkspaceID, revision.FieldNumber, revision.FieldDigest, revision.FieldBody).All(ctx)
			if err != nil {
				return nil, err
			}
			for _, r := range rows {
				config, err := workspace.Decode(r.Body)
				if err != nil {
					return nil, fmt.Errorf("decode revision %d of %s: %w", r.Number, r.WorkspaceID, err)
				}
				out[id.Workspace(r.WorkspaceID)] = Config{config, workspace.Digest(r.Digest)}
			}
		}
		return out, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the configurations of workspaces: %w", err)
	}
	return out, nil
}

// newest is true of the newest revision of a workspace that is not deleted.
func newest(s *entsql.Selector) {
	t := entsql.Table(entworkspace.Table)
	s.Join(t).On(s.C(revision.FieldWorkspaceID), t.C(entworkspace.FieldID))
	s.Where(entsql.And(entsql.ColumnsEQ(s.C(revision.FieldNumber), t.C(entworkspace.FieldNumber)), entsql.IsNull(t.C(entworkspace.FieldDeletedAt))))
}

// Placed returns how many of the workspaces that f limits are on each plane; page and order
// count for nothing.
func (l *Listing) Placed(ctx context.Context, f Filter) (map[id.Plane]int, error) {
	out, err := database.Read(ctx, func(ctx context.Context) (map[id.Plane]int, error) {
		var rows []struct {
			Plane string `json:"plane_id"`
			Count int    `json:"count"`
		}
		err := l.db.Ent().Workspace.Query().Where(f.where()...).GroupBy(entworkspace.FieldPlaneID).Aggregate(ent.Count()).Scan(ctx, &rows)
		out := make(map[id.Plane]int, len(rows))
		for _, r := range rows {
			out[id.Plane(r.Plane)] = r.Count
		}
		return out, err
	})
	if err != nil {
		return nil, fmt.Errorf("count workspaces: %w", err)
	}
	return out, nil
}

// Counts returns what the planes of workspaces counted of them, by plane, source and
// destination.
func (l *Listing) Counts(ctx context.Context, of []id.Workspace) (map[id.Plane][]wire.Count, error) {
	out, err := database.Read(ctx, func(ctx context.Context) (map[id.Plane][]wire.Count, error) {
		out := map[id.Plane][]wire.Count{}
		for some := range slices.Chunk(texts(of), database.Batch) {
			rows, err := l.db.Ent().Tally.Query().Where(tally.WorkspaceIDIn(some...)).
				Order(ent.Asc(tally.FieldWorkspaceID, tally.FieldSourceID, tally.FieldDestinationID)).All(ctx)
			if err != nil {
				return nil, err
			}
			for _, r := range rows {
				var c wire.Count
				if err := json.Unmarshal([]byte(r.Book), &c); err != nil {
					return nil, fmt.Errorf("decode counts: %w", err)
				}
				out[id.Plane(r.PlaneID)] = append(out[id.Plane(r.PlaneID)], c)
			}
		}
		return out, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the counts of workspaces: %w", err)
	}
	return out, nil
}

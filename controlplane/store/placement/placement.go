// Package placement puts a new revision in its place: the workspace's row, its write
// keys, the identifiers of its objects and its secrets.
//
// It guarantees that all problems of a commit are told at once. After an error its
// caller must roll the transaction back.
package placement

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/ack"
	"weir/controlplane/store/ent/object"
	entworkspace "weir/controlplane/store/ent/workspace"
	"weir/controlplane/store/ent/writekey"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// Commit is a revision that is to get its place.
type Commit struct {
	Workspace    id.Workspace
	Organization string // of a workspace that is to be made, like Name, Region and Plane
	Name         string
	Region       string
	Plane        id.Plane
	Expected     uint64 // the newest number that the caller has seen, 0 for none
	Config       workspace.Config
	Digest       workspace.Digest
	Secrets      []Secret // new ones; what Config refers to beyond them is stored already
}

// Secret is one version of one secret field, sealed for each plane that may
// open it.
type Secret struct {
	Name        secret.Name
	Fingerprint string
	Sealed      map[id.Plane]secret.Sealed
	CreatedAt   time.Time
}

// placement is the work on one Commit. It gathers problems and returns them together.
type placement struct {
	tx       *ent.Tx
	now      time.Time
	commit   Commit
	problems []fault.Problem
}

func (p *placement) add(path, code, format string, args ...any) {
	p.problems = append(p.problems, fault.Problem{Path: path, Code: code, Text: fmt.Sprintf(format, args...)})
}

// Place checks c against what others have, writes all but the revision itself, and
// returns the revision's number: one above everything that the store holds or a
// plane acknowledged.
//
// fault.Conflict: the newest number is not c.Expected. fault.Missing: Expected is not
// 0 and there is no such workspace, or it was deleted. fault.Invalid lists the
// problems; their codes: name_fixed, name_taken, wrong_region, write_key_taken,
// id_taken, secret_missing, secret_not_sealed, secret_version_taken.
func Place(ctx context.Context, tx *ent.Tx, now time.Time, c Commit) (uint64, error) {
	p := placement{tx: tx, now: now, commit: c}
	row, err := p.workspace(ctx)
	if err != nil {
		return 0, err
	}
	if err := p.writeKeys(ctx); err != nil {
		return 0, err
	}
	if err := p.objects(ctx); err != nil {
		return 0, err
	}
	if row != nil { // nil when the workspace cannot be: there is a problem already
		if err := p.secrets(ctx, row.PlaneID); err != nil {
			return 0, err
		}
	}
	if err := fault.Problems("the configuration cannot be committed", p.problems); err != nil {
		return 0, err
	}
	return row.Number, nil
}

// workspace returns the row with the new number and digest, or makes it. It
// returns nil when there is a problem with it.
func (p *placement) workspace(ctx context.Context) (*ent.Workspace, error) {
	ws := p.commit.Workspace
	row, err := p.tx.Workspace.Get(ctx, string(ws))
	switch {
	case ent.IsNotFound(err) && p.commit.Expected == 0:
		return p.create(ctx)
	case ent.IsNotFound(err):
		return nil, fault.New(fault.Missing, "there is no workspace %s", ws)
	case err != nil:
		return nil, err
	case row.OrganizationID != p.commit.Organization:
		return nil, fault.Problems("the configuration cannot be committed", []fault.Problem{{Path: "id", Code: "id_taken",
			Text: "The identifier belongs to another object. Leave it out to get a new one."}})
	case row.DeletedAt != nil:
		return nil, fault.New(fault.Missing, "workspace %s was deleted", ws)
	case row.Number != p.commit.Expected:
		return nil, fault.New(fault.Conflict, "the newest revision of workspace %s is %d, not %d: read it again", ws, row.Number, p.commit.Expected)
	}
	if p.commit.Config.Name != row.Name {
		p.add("workspace", "name_fixed", "The workspace is called %s; its name cannot change.", row.Name)
	}
	if p.commit.Config.Region != row.Region {
		p.add("region", "wrong_region", "The workspace is in region %s; its region cannot change.", row.Region)
	}
	number, err := NextNumber(ctx, p.tx, row)
	if err != nil {
		return nil, err
	}
	return p.tx.Workspace.UpdateOne(row).SetNumber(number).SetDigest(string(p.commit.Digest)).Save(ctx)
}

func (p *placement) create(ctx context.Context) (*ent.Workspace, error) {
	c, before := p.commit, len(p.problems)
	taken, err := p.tx.Workspace.Query().Where(entworkspace.OrganizationID(c.Organization), entworkspace.Name(c.Name), entworkspace.DeletedAtIsNil()).Exist(ctx)
	if err != nil {
		return nil, err
	}
	if taken {
		p.add("workspace", "name_taken", "There is a workspace called %s.", c.Name)
	}
	pl, err := p.tx.Plane.Get(ctx, string(c.Plane))
	switch {
	case ent.IsNotFound(err):
		return nil, fault.New(fault.Missing, "there is no plane %s", c.Plane)
	case err != nil:
		return nil, err
	}
	if pl.Region != c.Region || c.Config.Region != c.Region {
		p.add("region", "wrong_region", "The workspace is for region %s and its plane is in %s.", c.Config.Region, pl.Region)
	}
	if c.Config.Name != c.Name {
		p.add("workspace", "name_fixed", "The workspace is called %s.", c.Name)
	}
	if len(p.problems) > before {
		return nil, nil
	}
	return p.tx.Workspace.Create().SetID(string(c.Workspace)).SetOrganizationID(c.Organization).SetName(c.Name).SetRegion(c.Region).SetPlaneID(string(c.Plane)).
		SetNumber(1).SetDigest(string(c.Digest)).SetCreatedAt(p.now).Save(ctx)
}

// writeKeys makes the workspace's keys those of the configuration.
func (p *placement) writeKeys(ctx context.Context) error {
	ws, before := string(p.commit.Workspace), len(p.problems)
	wanted := map[string]string{} // key -> path
	for i, s := range p.commit.Config.Sources {
		wanted[s.WriteKey] = fmt.Sprintf("sources[%d].writeKey", i)
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), database.Batch) {
		taken, err := p.tx.WriteKey.Query().Where(writekey.IDIn(some...), writekey.WorkspaceIDNEQ(ws)).IDs(ctx)
		if err != nil {
			return err
		}
		for _, key := range taken {
			p.add(wanted[key], "write_key_taken", "Another workspace has this write key. Choose another one, or leave it out.")
		}
	}
	if len(p.problems) > before {
		return nil
	}
	have, err := p.tx.WriteKey.Query().Where(writekey.WorkspaceID(ws)).IDs(ctx)
	if err != nil {
		return err
	}
	var gone []string
	for _, key := range have {
		if _, ok := wanted[key]; !ok {
			gone = append(gone, key)
		}
		delete(wanted, key)
	}
	for some := range slices.Chunk(gone, database.Batch) {
		if _, err := p.tx.WriteKey.Delete().Where(writekey.IDIn(some...)).Exec(ctx); err != nil {
			return err
		}
	}
	if len(p.problems) > 0 {
		return nil // the workspace's row may be missing
	}
	var creates []*ent.WriteKeyCreate
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		creates = append(creates, p.tx.WriteKey.Create().SetID(key).SetWorkspaceID(ws))
	}
	for some := range slices.Chunk(creates, database.Batch) {
		if err := p.tx.WriteKey.CreateBulk(some...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// use is where and as what a configuration uses an id.
type use struct{ kind, path string }

// objects takes the ids of the configuration for the workspace.
func (p *placement) objects(ctx context.Context) error {
	ws := string(p.commit.Workspace)
	wanted := p.uses()
	for some := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), database.Batch) {
		known, err := p.tx.Object.Query().Where(object.IDIn(some...)).All(ctx)
		if err != nil {
			return err
		}
		for _, o := range known {
			if o.WorkspaceID != ws || o.Kind != wanted[o.ID].kind {
				p.add(wanted[o.ID].path, "id_taken", "The identifier %s belongs to another object. Leave it out to get a new one.", o.ID)
			}
			delete(wanted, o.ID)
		}
	}
	if len(p.problems) > 0 {
		return nil
	}
	var creates []*ent.ObjectCreate
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		creates = append(creates, p.tx.Object.Create().SetID(key).SetKind(wanted[key].kind).SetWorkspaceID(ws))
	}
	for some := range slices.Chunk(creates, database.Batch) {
		if err := p.tx.Object.CreateBulk(some...).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// uses lists the ids of the configuration. One that stands for two kinds of
// object is a problem.
func (p *placement) uses() map[string]use {
	all := map[string]use{}
	add := func(key, kind, path string) {
		if _, twice := all[key]; twice {
			p.add(path, "id_taken", "The identifier %s belongs to another object. Leave it out to get a new one.", key)
			return
		}
		all[key] = use{kind, path}
	}
	for i, s := range p.commit.Config.Sources {
		add(string(s.ID), "source", fmt.Sprintf("sources[%d].id", i))
	}
	for i, t := range p.commit.Config.Transformations {
		add(string(t.ID), "transformation", fmt.Sprintf("transformations[%d].id", i))
	}
	for i, d := range p.commit.Config.Destinations {
		add(string(d.ID), "destination", fmt.Sprintf("destinations[%d].id", i))
	}
	return all
}

// NextNumber returns the number after the newest one of a workspace, after the
// highest one that any plane ever acknowledged, and after what the hub held.
func NextNumber(ctx context.Context, tx *ent.Tx, row *ent.Workspace) (uint64, error) {
	acks, err := tx.Ack.Query().Where(ack.WorkspaceID(row.ID)).All(ctx)
	if err != nil {
		return 0, err
	}
	most := max(row.Number, row.Seen)
	for _, a := range acks {
		most = max(most, a.Highest)
	}
	return most + 1, nil
}

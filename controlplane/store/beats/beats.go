// Package beats keeps what planes say about themselves: their health, alarms and
// kinds, and the counts of their sources and destinations.
package beats

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	entsql "entgo.io/ent/dialect/sql"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/object"
	"weir/controlplane/store/ent/tally"
	"weir/controlplane/store/ent/workspace"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/condition"
)

// Fold keeps b as its plane's newest word on itself, with its counts. A beat that is
// not newer than the kept one changes nothing, unless that has a time to come: the
// clock stepped back since. Counts and alarms about workspaces
// that are not on this plane, and counts of objects that are not theirs, are left
// out. change says what an operator would ask about, "" when nothing of that changed.
// fault.Missing: there is no such plane.
func Fold(ctx context.Context, tx *ent.Tx, b wire.Beat, now time.Time) (change string, err error) {
	row, err := tx.Plane.Get(ctx, string(b.Plane))
	if ent.IsNotFound(err) {
		return "", fault.New(fault.Missing, "there is no plane %s", b.Plane)
	}
	if err != nil {
		return "", err
	}
	at := database.Stored(b.At)
	if row.LastBeat != nil && !database.Newer(at, *row.LastBeat, now) {
		return "", nil
	}
	mine, err := placed(ctx, tx, b)
	if err != nil {
		return "", err
	}
	alarms, err := ownAlarms(ctx, tx, b, mine)
	if err != nil {
		return "", err
	}
	alarmText, err := database.List(alarms)
	if err != nil {
		return "", err
	}
	kinds, err := database.List(b.Kinds)
	if err != nil {
		return "", err
	}
	update := tx.Plane.UpdateOne(row).SetLastBeat(at).SetVersion(b.Version).SetHealthy(b.Healthy).
		SetAlarms(alarmText).SetKinds(kinds)
	conditions, err := Conditions(row)
	if err != nil {
		return "", err
	}
	if b.Condition != nil {
		conditions = condition.Fold(conditions, *b.Condition, at)
	} else {
		conditions = nil // the plane went back to an older version
	}
	conditionText, err := database.List(conditions)
	if err != nil {
		return "", err
	}
	update.SetConditions(conditionText)
	if b.Gateway != "" {
		update.SetGatewayURL(b.Gateway)
	}
	if b.View != "" {
		update.SetViewURL(b.View)
	}
	err = update.Exec(ctx)
	if err != nil {
		return "", err
	}
	if err := foldCounts(ctx, tx, b, mine); err != nil {
		return "", err
	}
	if row.Healthy == b.Healthy && row.Version == b.Version {
		return "", nil
	}
	return fmt.Sprintf("healthy %t, version %s", b.Healthy, b.Version), nil
}

// Conditions is how the processes of a plane did when they were heard last.
func Conditions(row *ent.Plane) (all []condition.Heard, err error) {
	if row.Conditions == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(row.Conditions), &all); err != nil {
		return nil, fmt.Errorf("decode how plane %s does: %w", row.ID, err)
	}
	return all, nil
}

// ownAlarms returns the alarms of a beat without those of workspaces that are not on
// its plane, and without objects that are not their workspace's.
func ownAlarms(ctx context.Context, tx *ent.Tx, b wire.Beat, mine map[id.Workspace]bool) ([]wire.Alarm, error) {
	alarms := slices.DeleteFunc(slices.Clone(b.Alarms), func(a wire.Alarm) bool { return a.Workspace != "" && !mine[a.Workspace] })
	named := map[string]bool{}
	for _, a := range alarms {
		for _, o := range a.Objects {
			named[o] = true
		}
	}
	owner, err := owners(ctx, tx, named)
	if err != nil {
		return nil, err
	}
	for i := range alarms {
		a := &alarms[i]
		a.Objects = slices.DeleteFunc(slices.Clone(a.Objects), func(o string) bool {
			return owner["source "+o] != a.Workspace && owner["destination "+o] != a.Workspace
		})
	}
	return alarms, nil
}

// placed returns which of the workspaces that a beat names are on its plane.
func placed(ctx context.Context, tx *ent.Tx, b wire.Beat) (map[id.Workspace]bool, error) {
	named := map[string]bool{}
	for _, c := range b.Counts {
		named[string(c.Workspace)] = true
	}
	for _, a := range b.Alarms {
		named[string(a.Workspace)] = true
	}
	mine := map[id.Workspace]bool{}
	for some := range slices.Chunk(slices.Collect(maps.Keys(named)), database.Batch) {
		found, err := tx.Workspace.Query().Where(workspace.PlaneID(string(b.Plane)), workspace.IDIn(some...)).IDs(ctx)
		if err != nil {
			return nil, err
		}
		for _, ws := range found {
			mine[id.Workspace(ws)] = true
		}
	}
	return mine, nil
}

// row is the key of a row of counts.
type row struct {
	workspace   id.Workspace
	source      id.Source
	destination id.Destination
}

// foldCounts writes the counts that changed.
func foldCounts(ctx context.Context, tx *ent.Tx, b wire.Beat, mine map[id.Workspace]bool) error {
	named := map[string]bool{}
	for _, c := range b.Counts {
		named[string(c.Source)], named[string(c.Destination)] = true, true
	}
	owner, err := owners(ctx, tx, named)
	if err != nil {
		return err
	}
	kept, err := tx.Tally.Query().Where(tally.PlaneID(string(b.Plane))).All(ctx)
	if err != nil {
		return err
	}
	have := make(map[row]string, len(kept))
	for _, k := range kept {
		have[row{id.Workspace(k.WorkspaceID), id.Source(k.SourceID), id.Destination(k.DestinationID)}] = k.Book
	}
	changed := map[row]string{}
	for _, c := range b.Counts {
		if !mine[c.Workspace] || owner["source "+string(c.Source)] != c.Workspace ||
			c.Destination != "" && owner["destination "+string(c.Destination)] != c.Workspace {
			continue
		}
		book, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("encode counts: %w", err)
		}
		at := row{c.Workspace, c.Source, c.Destination}
		if have[at] != string(book) {
			changed[at] = string(book)
		}
	}
	creates := make([]*ent.TallyCreate, 0, len(changed))
	for at, book := range changed {
		creates = append(creates, tx.Tally.Create().SetPlaneID(string(b.Plane)).SetWorkspaceID(string(at.workspace)).
			SetSourceID(string(at.source)).SetDestinationID(string(at.destination)).SetBook(book))
	}
	for some := range slices.Chunk(creates, database.Batch) {
		err := tx.Tally.CreateBulk(some...).OnConflict(
			entsql.ConflictColumns(tally.FieldPlaneID, tally.FieldWorkspaceID, tally.FieldSourceID, tally.FieldDestinationID),
		).Update(func(u *ent.TallyUpsert) { u.UpdateBook() }).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// owners returns the workspace of every source and destination that is named, by
// "kind id".
func owners(ctx context.Context, tx *ent.Tx, named map[string]bool) (map[string]id.Workspace, error) {
	owner := map[string]id.Workspace{}
	for some := range slices.Chunk(slices.Collect(maps.Keys(named)), database.Batch) {
		found, err := tx.Object.Query().Where(object.IDIn(some...)).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			owner[o.Kind+" "+o.ID] = id.Workspace(o.WorkspaceID)
		}
	}
	return owner, nil
}

// Counts returns the newest counts of a plane, by workspace, source and
// destination.
func Counts(ctx context.Context, client *ent.Client, pl id.Plane) ([]wire.Count, error) {
	rows, err := client.Tally.Query().Where(tally.PlaneID(string(pl))).
		Order(ent.Asc(tally.FieldWorkspaceID, tally.FieldSourceID, tally.FieldDestinationID)).All(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Count, len(rows))
	for i, r := range rows {
		if err := json.Unmarshal([]byte(r.Book), &out[i]); err != nil {
			return nil, fmt.Errorf("decode counts: %w", err)
		}
	}
	return out, nil
}

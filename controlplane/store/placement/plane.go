package placement

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/plane"
	"weir/controlplane/store/ent/setting"
	entworkspace "weir/controlplane/store/ent/workspace"
	"weir/shared/fault"
	"weir/shared/id"
)

// removedPlane begins the names of settings that keep planes which were removed.
const removedPlane = "plane.removed."

// RemovedPlane is what is kept of a plane that was removed: whom the hub refuses since.
type RemovedPlane struct {
	ID           id.Plane        `json:"id"`
	Name         string          `json:"name"`
	Region       string          `json:"region"`
	Organization id.Organization `json:"organization,omitempty"`
	NATSKey      string          `json:"natsKey"`
	At           time.Time       `json:"at"`
}

// RemovePlane removes the plane with that name or id, with what it said and with the
// workspaces on it that are deleted, whose tombstones nobody waits for any more. Of one
// that was removed before it returns what was kept; again is true then.
//
// fault.Missing: there is and was none. fault.Conflict: workspaces are on it.
func RemovePlane(ctx context.Context, tx *ent.Tx, now time.Time, named string) (p RemovedPlane, again bool, err error) {
	row, err := tx.Plane.Query().Where(plane.Or(plane.ID(named), plane.Name(named))).First(ctx)
	if ent.IsNotFound(err) {
		p, err = removedBefore(ctx, tx, named)
		return p, true, err
	}
	if err != nil {
		return RemovedPlane{}, false, err
	}
	names, err := tx.Workspace.Query().Where(entworkspace.PlaneID(row.ID), entworkspace.DeletedAtIsNil()).
		Order(ent.Asc(entworkspace.FieldName)).Select(entworkspace.FieldName).Strings(ctx)
	if err != nil {
		return RemovedPlane{}, false, err
	}
	if len(names) > 0 {
		return RemovedPlane{}, false, fault.New(fault.Conflict, "plane %s has workspaces: %s; delete them first", row.Name, strings.Join(names, ", "))
	}
	if _, err := tx.Workspace.Delete().Where(entworkspace.PlaneID(row.ID)).Exec(ctx); err != nil {
		return RemovedPlane{}, false, err
	}
	p = RemovedPlane{ID: id.Plane(row.ID), Name: row.Name, Region: row.Region, Organization: id.Organization(row.Organization), NATSKey: row.NatsKey, At: now}
	value, err := json.Marshal(p)
	if err != nil {
		return RemovedPlane{}, false, fmt.Errorf("encode a removed plane: %w", err)
	}
	if err := tx.Setting.Create().SetID(removedPlane + row.ID).SetValue(value).Exec(ctx); err != nil {
		return RemovedPlane{}, false, err
	}
	return p, false, tx.Plane.DeleteOne(row).Exec(ctx)
}

// removedBefore finds the newest removed plane with that name or id.
func removedBefore(ctx context.Context, tx *ent.Tx, named string) (RemovedPlane, error) {
	all, err := RemovedPlanes(ctx, tx.Client())
	if err != nil {
		return RemovedPlane{}, err
	}
	var newest RemovedPlane
	for _, p := range all {
		if (string(p.ID) == named || p.Name == named) && p.At.After(newest.At) {
			newest = p
		}
	}
	if newest.ID == "" {
		return RemovedPlane{}, fault.New(fault.Missing, "there is no plane %s; weir plane list shows them", named)
	}
	return newest, nil
}

// RemovedPlanes returns the planes that were removed.
func RemovedPlanes(ctx context.Context, client *ent.Client) ([]RemovedPlane, error) {
	rows, err := client.Setting.Query().Order(ent.Asc(setting.FieldID)).All(ctx) // there are few others
	if err != nil {
		return nil, err
	}
	var out []RemovedPlane
	for _, row := range rows {
		if !strings.HasPrefix(row.ID, removedPlane) {
			continue
		}
		var p RemovedPlane
		if err := json.Unmarshal(row.Value, &p); err != nil {
			return nil, fmt.Errorf("decode the setting %s: %w", row.ID, err)
		}
		out = append(out, p)
	}
	return out, nil
}

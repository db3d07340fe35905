package beats

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/revision"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// Applied takes the alarms from an ack's plane that are about what the applied revision,
// or tombstone, has no more: the plane's next beat has none of them, and comes later. Of
// an ack that says something else it changes nothing.
func Applied(ctx context.Context, tx *ent.Tx, a wire.Ack) error {
	if a.State != wire.Applied {
		return nil
	}
	row, err := tx.Plane.Get(ctx, string(a.Plane))
	if err != nil {
		return err
	}
	var alarms []wire.Alarm
	if err := json.Unmarshal([]byte(row.Alarms), &alarms); err != nil {
		return fmt.Errorf("decode the alarms of plane %s: %w", row.ID, err)
	}
	if !slices.ContainsFunc(alarms, func(alarm wire.Alarm) bool { return alarm.Workspace == a.Workspace }) {
		return nil
	}
	has := map[string]bool{}
	if a.Digest != "" { // a tombstone has none
		applied, err := tx.Revision.Query().Where(revision.WorkspaceID(string(a.Workspace)), revision.Number(a.Number)).Only(ctx)
		if ent.IsNotFound(err) {
			return nil // of a time from which the store has nothing; the next beat tells
		}
		if err != nil {
			return err
		}
		config, err := workspace.Decode(applied.Body)
		if err != nil {
			return fmt.Errorf("decode revision %d of %s: %w", a.Number, a.Workspace, err)
		}
		for _, s := range config.Sources {
			has[string(s.ID)] = true
		}
		for _, d := range config.Destinations {
			has[string(d.ID)] = true
		}
	}
	var left []wire.Alarm
	for _, alarm := range alarms {
		still, stays := alarm.Without(func(ws id.Workspace, object string) bool {
			return ws == a.Workspace && (a.Digest == "" || object != "" && !has[object])
		})
		if stays {
			left = append(left, still)
		}
	}
	text, err := database.List(left)
	if err != nil || text == row.Alarms {
		return err
	}
	return tx.Plane.UpdateOne(row).SetAlarms(text).Exec(ctx)
}

package store

import (
	"context"

	"weir/controlplane/store/beats"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/shared/id"
	"weir/shared/wire"
)

// FoldBeat keeps the plane's newest word on itself and its counts. A beat that is
// not newer than the kept one changes nothing, unless that has a time to come. Counts and alarms about
// workspaces that are not on this plane, and counts of objects that are not
// theirs, are left out. It leaves an audit row when the plane's health or version
// changed. fault.Missing: there is no such plane.
func (s *Store) FoldBeat(ctx context.Context, who Actor, b wire.Beat) error {
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		change, err := beats.Fold(ctx, tx, b, s.now())
		if err != nil || change == "" {
			return trail{}, err
		}
		return trail{Action: "plane.change", Object: "plane " + string(b.Plane), Detail: change}, nil
	})
	return wrap(err, "fold a beat of plane %s", b.Plane)
}

// Counts returns the newest counts of a plane, by workspace, source and
// destination.
func (s *Store) Counts(ctx context.Context, pl id.Plane) ([]wire.Count, error) {
	return database.Read(ctx, func(ctx context.Context) ([]wire.Count, error) { return beats.Counts(ctx, s.ent, pl) })
}

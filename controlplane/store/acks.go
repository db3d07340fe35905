package store

import (
	"context"
	"encoding/json"
	"fmt"

	"weir/controlplane/store/beats"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/ack"
	"weir/controlplane/store/ent/plane"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// maxNumber is the highest revision number that a plane may acknowledge. A plane
// that could name any number could use up all of a workspace's.
const maxNumber = 1 << 53

// FoldAck keeps a plane's newest word on a workspace and reports whether it
// changed anything; a word that is neither later than the kept one nor about a
// higher number does not. The highest number that was ever acknowledged only goes up. It leaves an audit row
// when the number, what runs, or the state changed.
//
// fault.Missing: the plane or the workspace is unknown. fault.Denied: the
// workspace is not on that plane. fault.Invalid: the number is 0 or beyond 2^53.
func (s *Store) FoldAck(ctx context.Context, who Actor, a wire.Ack) (bool, error) {
	if a.Number == 0 || a.Number > maxNumber || a.Running > maxNumber {
		return false, fault.New(fault.Invalid, "plane %s acknowledged %s under an impossible number", a.Plane, a.Workspace)
	}
	changed := false
	err := s.write(ctx, who, func(ctx context.Context, tx *ent.Tx) (trail, error) {
		changed = false
		if err := mayAck(ctx, tx, a); err != nil {
			return trail{}, err
		}
		kept, err := tx.Ack.Query().Where(ack.PlaneID(string(a.Plane)), ack.WorkspaceID(string(a.Workspace))).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return trail{}, err
		}
		at, highest := database.Stored(a.At), max(a.Number, a.Running)
		// A higher number is newer whatever the time says, and what was kept under a time
		// to come hides nothing: clocks step back.
		if kept != nil && !database.Newer(at, kept.AckedAt, s.now()) && a.Number <= kept.Number {
			return trail{}, nil
		}
		problems, err := database.List(a.Problems)
		if err != nil {
			return trail{}, err
		}
		changed = true
		if err := beats.Applied(ctx, tx, a); err != nil {
			return trail{}, err
		}
		told := trail{Action: "plane.ack", Object: "workspace " + string(a.Workspace), Detail: fmt.Sprintf("plane %s, number %d, %s, running %d, %d problems", a.Plane, a.Number, a.State, a.Running, len(a.Problems))}
		if kept == nil {
			return told, tx.Ack.Create().SetPlaneID(string(a.Plane)).SetWorkspaceID(string(a.Workspace)).SetNumber(a.Number).
				SetRunning(a.Running).SetHighest(highest).SetDigest(string(a.Digest)).SetState(string(a.State)).
				SetProblems(problems).SetAckedAt(at).Exec(ctx)
		}
		if kept.Number == a.Number && kept.Running == a.Running && kept.State == string(a.State) {
			told = trail{}
		}
		return told, tx.Ack.UpdateOne(kept).SetNumber(a.Number).SetRunning(a.Running).SetHighest(max(kept.Highest, highest)).
			SetDigest(string(a.Digest)).SetState(string(a.State)).SetProblems(problems).SetAckedAt(at).Exec(ctx)
	})
	return changed && err == nil, wrap(err, "fold an ack of plane %s", a.Plane)
}

// mayAck refuses acks about what is not on the plane: one plane must not raise
// the numbers of another's workspaces.
func mayAck(ctx context.Context, tx *ent.Tx, a wire.Ack) error {
	known, err := tx.Plane.Query().Where(plane.ID(string(a.Plane))).Exist(ctx)
	if err != nil {
		return err
	}
	if !known {
		return fault.New(fault.Missing, "there is no plane %s", a.Plane)
	}
	row, err := tx.Workspace.Get(ctx, string(a.Workspace))
	if ent.IsNotFound(err) {
		return fault.New(fault.Missing, "there is no workspace %s", a.Workspace)
	}
	if err != nil {
		return err
	}
	if row.PlaneID != string(a.Plane) {
		return fault.New(fault.Denied, "workspace %s is not on plane %s", a.Workspace, a.Plane)
	}
	return nil
}

// Acks returns the newest acks about some workspaces, at most 500, or about
// all of them when none is given, by workspace and plane.
func (s *Store) Acks(ctx context.Context, of ...id.Workspace) ([]wire.Ack, error) {
	return database.Read(ctx, func(ctx context.Context) ([]wire.Ack, error) {
		q := s.ent.Ack.Query().Order(ent.Asc(ack.FieldWorkspaceID, ack.FieldPlaneID))
		if len(of) > 0 {
			q = q.Where(ack.WorkspaceIDIn(texts(of)...))
		}
		rows, err := q.All(ctx)
		if err != nil {
			return nil, err
		}
		out := make([]wire.Ack, len(rows))
		for i, r := range rows {
			out[i] = wire.Ack{
				Format: wire.Version, Plane: id.Plane(r.PlaneID), Workspace: id.Workspace(r.WorkspaceID), Number: r.Number,
				Running: r.Running, Digest: workspace.Digest(r.Digest), State: wire.State(r.State), At: r.AckedAt.UTC(),
			}
			if err := json.Unmarshal([]byte(r.Problems), &out[i].Problems); err != nil {
				return nil, fmt.Errorf("decode the problems of an ack: %w", err)
			}
			if len(out[i].Problems) == 0 {
				out[i].Problems = nil
			}
		}
		return out, nil
	})
}

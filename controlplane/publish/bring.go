package publish

import (
	"context"
	"fmt"
	"time"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/hub"
)

// step is what has to be done about one workspace on one plane.
type step int

const (
	nothing step = iota // the pointer is right
	point               // move the pointer to the wanted number
	raise               // hub or plane are ahead of the store: raise its numbers
	renew               // as raise, and what is wanted was decided later: give it a new number
)

// decide compares what the store wants with what the hub holds and the plane
// said. The zero pointer means that the hub holds none, the zero ack that the
// plane said nothing. decided is when the wanted revision was made.
func decide(ws store.Workspace, at wire.Pointer, ack wire.Ack, decided time.Time) step {
	var other time.Time // when what is ahead of the store was made
	switch {
	case foreign(ws, at):
		other = at.IssuedAt
	case ahead(ws, ack): // the plane would refuse an older number than one it has seen
		other = ack.At
	case at.Number == ws.Number:
		return nothing
	case ws.Deleted && at.Number == 0 && ack.Number == ws.Number && ack.State == wire.Applied && ack.Running == 0:
		return nothing // removed, and the plane said so: a hub that was emptied need not hear of it
	default:
		return point
	}
	if ws.Deleted || decided.After(other) {
		return renew
	}
	return raise
}

// foreign reports whether the hub's pointer is not from this store's history.
func foreign(ws store.Workspace, at wire.Pointer) bool {
	return at.Number > ws.Number || at.Number == ws.Number && (at.Digest != ws.Digest || at.Tombstone != ws.Deleted)
}

// ahead reports whether the plane has seen a number that the store never gave.
func ahead(ws store.Workspace, ack wire.Ack) bool { return max(ack.Number, ack.Running) > ws.Number }

// tries is how often a conflict is answered by reading again.
const tries = 5

// bring does what has to be done about one workspace.
func (p *Publisher) bring(ctx context.Context, to hub.Recipient, ws store.Workspace, ack wire.Ack) error {
	for n := 1; ; n++ {
		at, err := p.cfg.Hub.Pointed(ctx, to, ws.ID)
		if err != nil && fault.KindOf(err) != fault.Missing {
			return fmt.Errorf("read the pointer: %w", err)
		}
		if err != nil {
			at = wire.Pointer{}
		}
		var rev store.Revision
		if at.Number != ws.Number || foreign(ws, at) || ahead(ws, ack) {
			if rev, err = p.revision(ctx, ws); err != nil {
				return err
			}
		}
		next := decide(ws, at, ack, rev.At)
		switch next {
		case nothing:
			if err := p.repair(ctx, to, ws, ack); err != nil {
				return err
			}
			return nil
		case raise, renew:
			return p.catchUp(ctx, ws, rev, at, ack, next)
		case point:
		}
		err = p.point(ctx, to, ws, rev)
		if err == nil {
			p.cfg.Log.InfoContext(ctx, "pointer moved", "plane", to.Plane, "workspace", ws.ID, "number", ws.Number, "tombstone", ws.Deleted)
			return nil
		}
		// A conflict may also be our own move whose answer was lost: look again.
		if fault.KindOf(err) != fault.Conflict || n == tries {
			return err
		}
	}
}

// repair brings the secrets again of a revision that its plane does not run
// though the pointer is right: a hub that was emptied between the secrets and
// the pointer lacks them.
func (p *Publisher) repair(ctx context.Context, to hub.Recipient, ws store.Workspace, ack wire.Ack) error {
	if ws.Deleted || ack.Number == ws.Number && ack.State == wire.Applied {
		return nil
	}
	rev, err := p.revision(ctx, ws)
	if err != nil {
		return err
	}
	return p.secrets(ctx, to, rev)
}

// revision returns what the pointer of ws has to name, nothing for a tombstone.
func (p *Publisher) revision(ctx context.Context, ws store.Workspace) (store.Revision, error) {
	if ws.Deleted {
		return store.Revision{}, nil
	}
	rev, err := p.cfg.Store.Revision(ctx, ws.ID, ws.Number)
	if err != nil {
		return store.Revision{}, fmt.Errorf("read revision %d: %w", ws.Number, err)
	}
	return rev, nil
}

// point brings the secrets that the revision refers to, then its body and the
// pointer.
func (p *Publisher) point(ctx context.Context, to hub.Recipient, ws store.Workspace, rev store.Revision) error {
	pointer := wire.Pointer{Plane: to.Plane, Workspace: ws.ID, Region: ws.Region, Number: ws.Number, Tombstone: ws.Deleted}
	if ws.Deleted {
		if err := p.cfg.Hub.Point(ctx, to, pointer, nil); err != nil {
			return fmt.Errorf("put the tombstone: %w", err)
		}
		return nil
	}
	if err := p.secrets(ctx, to, rev); err != nil {
		return err
	}
	pointer.Digest = rev.Digest
	if err := p.cfg.Hub.Point(ctx, to, pointer, rev.Body); err != nil {
		return fmt.Errorf("move the pointer: %w", err)
	}
	return nil
}

// secrets puts what the revision refers to. fault.Conflict: some of that is stored no more.
func (p *Publisher) secrets(ctx context.Context, to hub.Recipient, rev store.Revision) error {
	named := map[secret.Name]bool{}
	for ref := range rev.Config.Secrets() {
		named[ref.Name] = true
	}
	if len(named) == 0 {
		return nil
	}
	stored, err := p.cfg.Store.Secrets(ctx, rev.Workspace)
	if err != nil {
		return fmt.Errorf("read secrets: %w", err)
	}
	for _, s := range stored {
		envelope := s.Sealed[to.Plane]
		if !named[s.Name] {
			continue
		}
		delete(named, s.Name)
		if len(envelope) == 0 { // what the plane cannot open it will nack
			continue
		}
		if err := p.cfg.Hub.PutSecret(ctx, to, s.Name, envelope); err != nil {
			return fmt.Errorf("put a secret: %w", err)
		}
	}
	if len(named) > 0 { // the workspace was deleted after its revision was read: the plane hears of that next
		p.Nudge(rev.Workspace)
		return fault.New(fault.Conflict, "secrets of revision %d of workspace %s are not stored any more", rev.Number, rev.Workspace)
	}
	return nil
}

// system is who publishes.
func system() store.Actor { return store.Actor{Kind: store.BySystem, Name: "publish"} }

// catchUp makes the store number above what hub and plane have seen, and for
// renew gives what is wanted such a number.
func (p *Publisher) catchUp(ctx context.Context, ws store.Workspace, rev store.Revision, at wire.Pointer, ack wire.Ack, next step) error {
	seen := max(at.Number, ack.Number, ack.Running)
	if err := p.cfg.Store.Raise(ctx, system(), ws.ID, seen); err != nil {
		return fmt.Errorf("raise the numbers: %w", err)
	}
	now, err := p.cfg.Store.Workspace(ctx, ws.ID)
	if err != nil {
		return fmt.Errorf("read again: %w", err)
	}
	if now.Number != ws.Number { // somebody committed meanwhile, or Raise moved the tombstone
		p.Nudge(ws.ID)
		return nil
	}
	if next == raise {
		p.cfg.Log.WarnContext(ctx, "plane runs a revision that the store does not know", "workspace", ws.ID, "plane", ws.Plane, "seen", seen, "newest", ws.Number)
		return nil
	}
	_, err = p.cfg.Store.AppendRevision(ctx, system(), store.Commit{
		Workspace: store.Workspace{ID: ws.ID, Organization: ws.Organization}, Expected: ws.Number, Config: rev.Config, Digest: rev.Digest, Body: rev.Body,
	})
	if err != nil && fault.KindOf(err) != fault.Conflict { // somebody committed meanwhile: that is above, too
		return fmt.Errorf("give the newest revision a higher number: %w", err)
	}
	p.Nudge(ws.ID)
	return nil
}

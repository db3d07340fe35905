package record

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"weir/dataplane/delivery"
	"weir/dataplane/queue"
)

// Missed calls fn for every settlement that records of the two logs behind the
// given numbers prove: EndParked for PARKED; EndDead, and EndDropped of dead letters
// that were discarded or retransformed, for DEAD. They are what the journal did not
// come to have. What happened first comes first: a delivery is parked before it is
// dead, and dead before it is redriven. It ends with fn's error. Records that cannot
// be read prove nothing.
func Missed(ctx context.Context, parked, dead queue.Log, parkedThrough, deadThrough uint64, fn func(delivery.Settled) error) error {
	nextParked, stopParked := iter.Pull2(proofs(ctx, parked, parkedThrough+1))
	defer stopParked()
	nextDead, stopDead := iter.Pull2(proofs(ctx, dead, deadThrough+1))
	defer stopDead()
	p, perr, pok := nextParked()
	d, derr, dok := nextDead()
	for pok || dok {
		if err := errors.Join(perr, derr); err != nil {
			return err
		}
		// A record of PARKED waits for those of DEAD from which it has something.
		now := p
		if dok && (!pok || p.after >= d.seq) {
			now = d
			d, derr, dok = nextDead()
		} else {
			p, perr, pok = nextParked()
		}
		for _, s := range now.settled {
			if err := fn(s); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// proof is what one record proves.
type proof struct {
	seq     uint64
	after   uint64 // the newest record of the other log that was there before
	settled []delivery.Settled
}

// proofs yields what the records of log prove, from number from on.
func proofs(ctx context.Context, log queue.Log, from uint64) iter.Seq2[proof, error] {
	return func(yield func(proof, error) bool) {
		for rec, err := range log.ReadTo(ctx, from, "") {
			if err != nil {
				yield(proof{}, fmt.Errorf("scan from %d: %w", from, err))
				return
			}
			r, err := Decode(rec)
			if err != nil || r.Kind == Damaged || r.Kind == Gone && !r.Settles {
				continue
			}
			if !yield(proofOf(&r), nil) {
				return
			}
		}
	}
}

func proofOf(r *Record) proof {
	end, other := delivery.EndParked, delivery.FromDead
	switch r.Kind {
	case Dead:
		end, other = delivery.EndDead, delivery.FromParked
	case Gone:
		end, other = delivery.EndDropped, delivery.FromParked
	}
	p := proof{seq: r.Seq, settled: make([]delivery.Settled, len(r.Items))}
	for i := range r.Items {
		it := &r.Items[i]
		p.settled[i] = it.Settled(end, delivery.Place{Seq: r.Seq, Item: uint32(i)})
		if it.Stage == other {
			p.after = max(p.after, it.From.Seq)
		}
	}
	return p
}

package pipeline

import (
	"context"
	"time"

	"weir/dataplane/retention"
	"weir/shared/delay"
)

// When it is looked for quarantined events and dead letters that are too old, and how
// much of the work is done at a time.
const (
	firstRetain = time.Minute
	retainEvery = time.Hour
	retainCalls = 16 // of an Expire: at most 256 MiB of events, or 320,000 dead letters
)

// retain ends quarantined events and dead letters that were kept long enough. Nothing
// here is needed for delivery, so what fails is done an hour later.
func (o *owner) retain(ctx context.Context) {
	for wait := firstRetain; delay.For(ctx, wait); wait = retainEvery {
		oldest, sure := o.clock.Oldest()
		if !sure {
			continue
		}
		now := oldest.Add(retention.Kept)
		o.expire(ctx, "quarantined events", func() (int, bool, error) { return o.quarantine.Expire(ctx, oldest, now, o.journal.Settle) })
		o.expire(ctx, "dead letters", func() (int, bool, error) { return o.lanes.Store().Expire(ctx, oldest, now) })
	}
}

// expire ends what was kept long enough, some at a time.
func (o *owner) expire(ctx context.Context, what string, some func() (n int, more bool, err error)) {
	all := 0
	for range retainCalls {
		n, more, err := some()
		all += n
		if err != nil && ctx.Err() == nil {
			o.cfg.Log.WarnContext(ctx, "not expired", "what", what, "partition", o.cfg.Partition, "error", err)
		}
		if err != nil || !more {
			break
		}
	}
	if all > 0 {
		o.cfg.Log.InfoContext(ctx, "expired", "what", what, "partition", o.cfg.Partition, "count", all)
	}
}

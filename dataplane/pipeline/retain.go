package pipeline

import (
	"context"
	"time"

	"weir/dataplane/retention"
)

// When it is looked for quarantined events that are too old, and how much of the
// work is done at a time.
const (
	firstRetain = time.Minute
	retainEvery = time.Hour
	retainCalls = 16 // of quarantine.Store.Expire: at most 256 MiB of events
)

// retain ends quarantined events that were kept long enough. Nothing here is
// needed for delivery, so what fails is done an hour later.
func (o *owner) retain(ctx context.Context) {
	for wait := firstRetain; sleep(ctx, wait); wait = retainEvery {
		oldest, sure := o.clock.Oldest()
		if !sure {
			continue
		}
		all := 0
		for range retainCalls {
			n, more, err := o.quarantine.Expire(ctx, oldest, oldest.Add(retention.Kept), o.journal.Settle)
			all += n
			if err != nil && ctx.Err() == nil {
				o.cfg.Log.WarnContext(ctx, "quarantined events not expired", "partition", o.cfg.Partition, "error", err)
			}
			if err != nil || !more {
				break
			}
		}
		if all > 0 {
			o.cfg.Log.InfoContext(ctx, "quarantined events expired", "partition", o.cfg.Partition, "count", all)
		}
	}
}

package places

import (
	"context"
	"fmt"
	"time"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
	"weir/shared/delay"
)

// How long Accepted waits: a destination that does not answer keeps events in the event log until
// its request is given up.
const (
	acceptedTime = 10 * time.Second
	acceptedLook = 20 * time.Millisecond
)

// Accepted returns what waits until the events that were accepted before the call have left the
// event log, which is that they are parked, staged or delivered, 10 seconds at most.
func Accepted(store *natsstore.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		var logs []queue.Log
		for _, kind := range []queue.Kind{queue.Events, queue.Detour} {
			logs = append(logs, store.Logs(kind)...)
		}
		ctx, cancel := context.WithTimeout(ctx, acceptedTime)
		defer cancel()
		for _, l := range logs {
			st, err := l.State(ctx)
			if err != nil {
				return fmt.Errorf("look what was accepted: %w", err)
			}
			for last := st.Last; st.Records > 0 && st.First <= last && delay.For(ctx, acceptedLook); {
				if st, err = l.State(ctx); err != nil {
					break // it is loaded without what it has
				}
			}
		}
		return nil
	}
}

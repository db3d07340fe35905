package places

import (
	"fmt"

	"weir/dataplane/erasures"
	"weir/dataplane/partition"
	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
)

// Partitions returns those of a plane, with the logs of events that are on their way, and with
// several the way to the process that runs each.
func Partitions(all []*partition.Partition, store *natsstore.Store, several bool) (parts []erasures.Partition) {
	for n, p := range all {
		one := erasures.Partition{Store: func() (erasures.Store, error) { return p.Store() }, Quarantine: p.Quarantine(nil), Rows: p.Ledger} // which is not asked to replay
		for _, kind := range []queue.Kind{queue.Events, queue.Detour} {
			if n < len(store.Logs(kind)) {
				one.Logs = append(one.Logs, store.Log(kind, n))
			}
		}
		if several {
			one.Relay = store.Relay(fmt.Sprintf("erasures%d", n))
		}
		parts = append(parts, one)
	}
	return parts
}

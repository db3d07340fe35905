package cli

import (
	"fmt"
	"slices"

	"weir/shared/wire"
)

// bottlenecks are the alarms that say what holds a plane up, what holds up most
// first: what it means, and what helps.
var bottlenecks = [...]struct {
	code wire.Code
	text string
}{
	{"queue_unavailable", "its event log takes nothing. It restarts by itself after a write error; see the plane's log for the cause"},
	{"disk_full", "its disk is full, so events are refused. Make invocation"},
	{"disk_low", "its disk is almost full, so events are refused. Make invocation; deliveries make some, too"},
	{"partition_stopped", "a partition stopped and starts again. See the plane's log"},
	{"parked_full", "too many deliveries are parked, so their sources are refused. Bring the destination back, or remove it"},
	{"processor_busy", "the processors are busy all the time. Give the plane more cores, or lower what it does with transformations"},
	{"code_slow", "transformations: every worker is busy and work waits. Give the plane more cores, or make the code cheaper"},
	{"destination_slow", "a destination takes events more slowly than they come (%d). Raise its concurrency if it bears more; what waits is kept"},
	{"destination_down", "a destination does not answer (%d); its events wait in order and are sent when it is back. See which with weir ledger"},
	{"load_unreachable", "a warehouse does not answer; its events wait. Check its address and that it runs"},
	{"load_auth", "a warehouse refuses to sign in; its events wait. Check user and password, then apply with --reseal"},
	{"load_failed", "a warehouse refuses a load; its events wait. The console's page of warehouses says what it said"},
}

// bottleneck says in one sentence what holds a plane up most, "" for nothing.
func bottleneck(alarms []wire.Alarm) string {
	for _, b := range bottlenecks {
		if i := slices.IndexFunc(alarms, func(a wire.Alarm) bool { return a.Code == b.code }); i >= 0 {
			if b.code == "destination_slow" || b.code == "destination_down" {
				return fmt.Sprintf(b.text, alarms[i].Count) + "."
			}
			return b.text + "."
		}
	}
	return ""
}

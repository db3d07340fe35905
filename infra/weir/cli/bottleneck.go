package cli

import (
	"cmp"
	"fmt"
	"strings"

	"weir/infra/weir/cli/remote"
	"weir/shared/command"
	"weir/shared/wire"
)

// bottlenecks are the alarms that say what holds a plane up, what holds up most
// first: what it means, and what helps.
var bottlenecks = [...]struct {
	code wire.Code
	text string
}{
	{"queue_unavailable", "its event log takes nothing. It restarts by itself after a write error; see the plane's log for the cause"},
	{"events_degraded", "servers of its event cluster are away (%s). Events are taken and delivered while most are there; bring them back before another one fails"},
	{"disk_full", "its disk is full, so events are refused. Make room"},
	{"disk_low", "its disk is almost full, so events are refused. Make room; deliveries make some, too"},
	{"partition_stopped", "a partition stopped and starts again. See the plane's log"},
	{"journal_full", "its journal is almost full, so events are refused. Give its disk more room"},
	{"parked_full", "too many deliveries are parked for %s, so the sources that feed it are refused. Bring the destination back, or remove it"},
	{"dead_full", "too many dead letters are kept for %s, so the sources that feed it are refused. See them with weir dlq list, then redrive or discard them"},
	{"quarantine_full", "too many events of %s are in quarantine, so it is refused. See them with weir dlq list --quarantined, then replay or discard them"},
	{"stage_full", "too many events wait to be loaded into %s, so the sources that feed it are refused. Bring the warehouse back, or remove it"},
	{"dedupe_blocked", "dedupe keys cannot be written, so a partition waits. Make room on its disk, or repair it"},
	{"workspace_unloaded", "the plane cannot load workspace %s, so its sources are refused and events that it had accepted wait. See why in the plane's log, and apply a revision that it takes"},
	{"destination_unloaded", "the plane cannot read the spec of a custom destination (%s), so its events wait in order. Upgrade the plane, or apply a spec that weir destination lint of its version takes"},
	{"processor_busy", "the processors are busy all the time. Give the plane more cores, or lower what it does with transformations"},
	{"code_slow", "transformations are slower than the events that come (%s); they wait in order. Make their code cheaper, or give the plane more cores"},
	{"destination_slow", "a destination takes events more slowly than they come (%s). Raise its concurrency if it bears more; what waits is kept"},
	{"destination_down", "a destination does not answer (%s); its events wait in order and are sent when it is back"},
	{"egress_denied", "a destination's name leads to addresses that this plane may not talk to (%s); its events wait in order. Check its name in DNS; private addresses are allowed with --allow-private"},
	{"bad_full", "the log of frames that nobody could read is almost full. Look into the plane's log for why they are damaged"},
	{"load_unreachable", "a warehouse does not answer (%s); its events wait. Check its address and that it runs"},
	{"warehouse_slow", "a warehouse takes too long to answer (%s); its events wait. Check that it is not overloaded and that nobody locks its tables"},
	{"load_auth", "a warehouse refuses to sign in (%s); its events wait. Check user and password, then apply with --reseal"},
	{"load_failed", "a warehouse refuses a load (%s); its events wait. The console's page of warehouses says what it said"},
	{"load_schema", "a warehouse refuses to make or change tables (%s); its events wait. Give the user the right to it. The console's page of warehouses says which table, and what the warehouse said"},
	{"table_refused", "a table of a warehouse refuses rows (%s); others are loaded. The console's page of warehouses names the table; its events are in quarantine (weir dlq list --quarantined) and can be replayed when the table is mended"},
	{"pull_behind", "changes of a source are pulled more slowly than they come, or it has given changes up (%s). See how far it is with weir pull status; source_slot_lost: its tables are being read anew; source_slot_behind: let the plane reach the server, and raise max_slot_wal_keep_size and slotLimit where its disk has room"},
	{"warehouse_drift", "somebody changed tables of a warehouse (%s) that loads fill; they go on as far as they can. See which and what to do with weir warehouse drift"},
	{"pull_failed", "rows of a source cannot be pulled (%s). See why with weir pull status; source_reauthorize: apply with credentials that the vendor takes"},
	{"sync_held", "a sync waits for a person to agree (%s). See it with weir sync list, then weir sync approve"},
	{"sync_failed", "a sync failed (%s). See why with weir sync list and weir sync rejects"},
	{"profiles_held", "a run of profiles is held, so those of before stand (%s). See why with weir profiles status; weir profiles publish overrides it"},
	{"profiles_failed", "a run of profiles failed, so those of before stand (%s). See why with weir profiles status"},
	{"view_slow", "queries, previews, connection tests or lists take so long that others have to wait (%s). Ask for less at once"},
	{"senders_slow", "many requests come so slowly that the gateway ends them. Its log names their addresses"},
	{"dedupe_damaged", "dedupe keys were damaged on its disk; retries of older events may be delivered twice. Check the disk"},
	{"events_unsynced", "servers of its event cluster sync to their disks only now and then (%s), so a power cut loses acknowledged events. Write sync_interval: always into their configuration"},
	{"dedupe_window_short", "dedupe keys are forgotten before seven days, for lack of room (%s). Give the plane more disk and memory, or let it send less"},
}

// bottleneck says in one sentence what holds a plane up most, "" for nothing.
func bottleneck(alarms []wire.Alarm, names objects) string {
	for _, b := range bottlenecks {
		var found []wire.Alarm // one of each workspace
		for _, a := range alarms {
			if a.Code == b.code {
				found = append(found, a)
			}
		}
		if len(found) == 0 {
			continue
		}
		text, about := b.text, names.listed(found)
		if about == "" { // planes of older versions name nothing
			text, about = strings.Replace(text, " (%s)", "", 1), "one of them"
		}
		return strings.Replace(text, "%s", about, 1) + "."
	}
	return ""
}

// objects are the names of workspaces, and of sources and destinations with their
// workspaces', by id.
type objects map[string]string

func objectNames(workspaces []remote.Workspace) objects {
	names := objects{}
	for _, w := range workspaces {
		names[string(w.ID)] = command.Clean(w.Name)
		for _, s := range w.Sources {
			names[string(s.ID)] = command.Clean(w.Name + "/" + s.Name)
		}
		for _, d := range w.Destinations {
			names[string(d.ID)] = command.Clean(w.Name + "/" + d.Name)
		}
	}
	return names
}

// of lists what an alarm is about, or says which workspace; what was removed keeps
// its id.
func (o objects) of(a wire.Alarm) string {
	if len(a.Servers) > 0 {
		return command.Clean(strings.Join(a.Servers, ", "))
	}
	if len(a.Objects) == 0 && a.Workspace != "" {
		return cmp.Or(o[string(a.Workspace)], command.Clean(string(a.Workspace)))
	}
	var all []string
	for _, key := range a.Objects {
		all = append(all, cmp.Or(o[key], command.Clean(key)))
	}
	if len(all) == 0 && a.Workspace != "" {
		return cmp.Or(o[string(a.Workspace)], command.Clean(string(a.Workspace)))
	}
	if len(all) > 0 && a.Reason != "" {
		all[len(all)-1] += ": " + string(a.Reason)
	}
	if n := a.Count - min(a.Count, uint64(len(all))); n > 0 && len(all) > 0 {
		all = append(all, fmt.Sprintf("%d more", n))
	}
	return strings.Join(all, ", ")
}

func (o objects) listed(alarms []wire.Alarm) string {
	var all []string
	for _, a := range alarms {
		if text := o.of(a); text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}

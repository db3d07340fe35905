package health_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/health"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
)

// TestWhoFeedsAFullKeyIsRefusedAlone, in every kind of log, and the alarm names the key
// to its own workspace.
func TestWhoFeedsAFullKeyIsRefusedAlone(t *testing.T) {
	t.Parallel()
	rows := []ledger.Row{
		{Workspace: "ws_evil", Source: "src_evil", Accepted: 9},
		{Workspace: "ws_evil", Source: "src_evil", Destination: "dst_evil", Routed: 9, Parked: 3, Dead: 3, InFlight: 3},
		{Workspace: "ws_evil", Source: "src_idle", Destination: "dst_evil"},
		{Workspace: "ws_evil", Source: "src_idle", Destination: "dst_other", Routed: 9, Parked: 9},
		{Workspace: "ws_good", Source: "src_good", Destination: "dst_good", Routed: 9, Parked: 3, Dead: 6},
	}
	for code, c := range map[wire.Code]struct {
		kind queue.Kind
		key  string
	}{
		"parked_full": {queue.Parked, "dst_evil"}, "dead_full": {queue.Dead, "dst_evil"},
		"stage_full": {queue.Stage, "dst_evil"}, "quarantine_full": {queue.Quarantine, "src_evil"},
	} {
		look := health.Looks(nil)
		alarms, take := look([]health.Log{{Kind: c.kind, Full: []string{c.key, c.key}}, {Kind: queue.Journal, Fill: 0.5}}, rows)
		if diff := cmp.Diff([]wire.Alarm{{Code: code, Workspace: "ws_evil", Count: 1, Objects: []string{c.key}}}, alarms); diff != "" {
			t.Errorf("%s: alarms -want +got:\n%s", code, diff)
		}
		for source, want := range map[id.Source]string{"src_evil": string(code), "src_idle": "", "src_good": ""} {
			ws := id.Workspace("ws_evil")
			if source == "src_good" {
				ws = "ws_good"
			}
			if got := refusal(take(t.Context(), []event.Event{{Workspace: ws, Source: source}})); got != want {
				t.Errorf("%s: %s is refused with %q, want %q", code, source, got, want)
			}
		}
		alarms, take = look([]health.Log{{Kind: c.kind}}, rows)
		if err := take(t.Context(), []event.Event{{Workspace: "ws_evil", Source: "src_evil"}}); err != nil || len(alarms) != 0 {
			t.Errorf("%s: when there is room again: %v, %v", code, err, alarms)
		}
	}
}

// refusal is the code with which events are refused, "" when they are taken.
func refusal(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Limited {
		return f.Problems[0].Code
	}
	return ""
}

func TestALogWithoutKeysRaisesItsAlarm(t *testing.T) {
	t.Parallel()
	look := health.Looks(nil)
	for _, step := range []struct {
		fill float64
		on   bool
	}{{0.75, false}, {0.85, true}, {0.75, true}, {0.65, false}} {
		alarms, _ := look([]health.Log{{Kind: queue.Journal, Fill: step.fill}, {Kind: queue.Bad, Fill: step.fill}}, nil)
		var codes []wire.Code
		for _, a := range alarms {
			codes = append(codes, a.Code)
		}
		want := []wire.Code(nil)
		if step.on {
			want = []wire.Code{"journal_full", "bad_full"}
		}
		if !cmp.Equal(codes, want) {
			t.Errorf("at %v: %v, want %v", step.fill, codes, want)
		}
	}
}

// TestWhatIsRemovedIsNotFull: what is kept of it ends with its time, and nobody feeds it.
func TestWhatIsRemovedIsNotFull(t *testing.T) {
	t.Parallel()
	rows := []ledger.Row{
		{Workspace: "ws_a", Source: "src_a", Destination: "dst_gone", Routed: 9, Parked: 3, Dead: 6},
		{Workspace: "ws_b", Source: "src_b", Destination: "dst_b", Routed: 9, Parked: 3, Dead: 6},
	}
	gone := false
	look := health.Looks(func(ws id.Workspace, object string) bool {
		return gone && ws == "ws_a" && (object == "dst_gone" || object == "src_a")
	})
	full := []health.Log{{Kind: queue.Dead, Full: []string{"dst_gone", "dst_b"}}, {Kind: queue.Quarantine, Full: []string{"src_a", queue.AsideKey("ws_a", false)}}}
	if alarms, _ := look(full, rows); len(alarms) != 3 {
		t.Fatalf("alarms %+v, want two of DEAD and one of QUARANTINE", alarms)
	}
	gone = true
	alarms, take := look(full, rows)
	want := []wire.Alarm{
		{Code: "dead_full", Workspace: "ws_b", Count: 1, Objects: []string{"dst_b"}},
		{Code: "quarantine_full", Workspace: "ws_a", Count: 1, Objects: []string{queue.AsideKey("ws_a", false)}},
	}
	if d := cmp.Diff(want, alarms); d != "" {
		t.Errorf("alarms (-want +got):\n%s", d)
	}
	for source, want := range map[feed]string{{"ws_a", "src_a"}: "quarantine_full", {"ws_b", "src_b"}: "dead_full"} {
		if got := refusal(take(t.Context(), []event.Event{{Workspace: source.workspace, Source: source.source}})); got != want {
			t.Errorf("%v is refused with %q, want %q", source, got, want)
		}
	}
}

type feed struct {
	workspace id.Workspace
	source    id.Source
}

// TestServersThatHoldFarMoreThanPlannedTakeNothing: what was acknowledged may fill a log
// past its limit, and nobody watches the disks of servers outside.
func TestServersThatHoldFarMoreThanPlannedTakeNothing(t *testing.T) {
	t.Parallel()
	look := health.Looks(nil)
	for bytes, want := range map[int64]string{199: "", 200: "disk_low"} {
		alarms, take := look([]health.Log{{Kind: queue.Quarantine, Bytes: bytes, Limit: 100, Fill: 3}}, nil)
		if got := refusal(take(t.Context(), []event.Event{{Workspace: "ws", Source: "src"}})); got != want || len(alarms) != len(want)/8 {
			t.Errorf("%d bytes of 100: refused with %q, want %q; alarms %v", bytes, got, want, alarms)
		}
	}
}

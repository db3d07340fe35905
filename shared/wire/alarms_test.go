package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/shared/id"
	"weir/shared/wire"
)

func TestAlarmsAboutWhatIsGoneGo(t *testing.T) {
	t.Parallel()
	alarms := []wire.Alarm{
		{Code: "disk_low", Count: 1},
		{Code: "destination_down", Workspace: "ws_a", Count: 2, Objects: []string{"dst_gone", "dst_stays"}},
		{Code: "dead_full", Workspace: "ws_a", Count: 1, Objects: []string{"dst_gone"}},
		{Code: "parked_full", Workspace: "ws_a", Count: 12, Objects: []string{"dst_gone"}},
		{Code: "code_slow", Workspace: "ws_a", Count: 3},
		{Code: "code_slow", Workspace: "ws_gone", Count: 3},
		{Code: "destination_slow", Workspace: "ws_gone", Count: 1, Objects: []string{"dst_other"}},
	}
	var got []wire.Alarm
	for _, a := range alarms {
		if left, stays := a.Without(func(ws id.Workspace, object string) bool { return ws == "ws_gone" || object == "dst_gone" }); stays {
			got = append(got, left)
		}
	}
	want := []wire.Alarm{
		{Code: "disk_low", Count: 1},
		{Code: "destination_down", Workspace: "ws_a", Count: 1, Objects: []string{"dst_stays"}},
		{Code: "parked_full", Workspace: "ws_a", Count: 11, Objects: []string{}},
		{Code: "code_slow", Workspace: "ws_a", Count: 3},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if len(alarms[1].Objects) != 2 || alarms[1].Objects[0] != "dst_gone" {
		t.Errorf("the alarms given were changed: %+v", alarms[1])
	}
}

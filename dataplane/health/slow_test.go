package health_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/deliver"
	"weir/dataplane/health"
	"weir/dataplane/ledger"
	"weir/dataplane/transform"
	"weir/shared/id"
	"weir/shared/wire"
)

func TestLimitsAreNamed(t *testing.T) {
	t.Parallel()
	free := transform.Load{Workers: 2, Running: 1}
	books := []ledger.Row{{Workspace: "ws_a", Source: "src_a"}, {Workspace: "ws_a", Source: "src_a", Destination: "dst_a"}, {Workspace: "ws_b", Source: "src_b", Destination: "dst_b"}}
	var many []deliver.State
	var objects []string
	for n := range 15 {
		d := fmt.Sprintf("dst_%02d", n)
		many = append(many, deliver.State{Destination: id.Destination(d), Down: true})
		books = append(books, ledger.Row{Workspace: "ws_c", Destination: id.Destination(d)})
		if objects = append(objects, d); len(objects) > wire.MaxObjects {
			objects = objects[:wire.MaxObjects]
		}
	}
	for name, c := range map[string]struct {
		lanes []deliver.State
		code  transform.Load
		cpu   float64
		want  []wire.Alarm
	}{
		"nothing": {[]deliver.State{{Sending: 16, Most: 16, Age: time.Second}}, free, 0.5, nil},
		"down": {[]deliver.State{{Destination: "dst_b", Down: true}, {Destination: "dst_a", Down: true, Age: time.Hour}, {}}, free, 0, []wire.Alarm{
			{Code: "destination_down", Workspace: "ws_a", Count: 1, Objects: []string{"dst_a"}}, {Code: "destination_down", Workspace: "ws_b", Count: 1, Objects: []string{"dst_b"}}}},
		"denied": {[]deliver.State{{Destination: "dst_a", Down: true, Reason: "egress_denied"}}, free, 0, []wire.Alarm{
			{Code: "egress_denied", Workspace: "ws_a", Count: 1, Objects: []string{"dst_a"}}}},
		"many":                     {many, free, 0, []wire.Alarm{{Code: "destination_down", Workspace: "ws_c", Count: 15, Objects: objects}}},
		"in no book":               {[]deliver.State{{Destination: "dst_z", Down: true}}, free, 0, []wire.Alarm{{Code: "destination_down", Count: 1}}},
		"at its concurrency":       {[]deliver.State{{Sending: 4, Most: 4, Age: 3 * time.Second}}, free, 0, []wire.Alarm{{Code: "destination_slow", Count: 1}}},
		"asked to wait":            {[]deliver.State{{Paused: time.Minute, Most: 4, Age: 3 * time.Second}}, free, 0, []wire.Alarm{{Code: "destination_slow", Count: 1}}},
		"waits for something else": {[]deliver.State{{Sending: 3, Most: 4, Age: 3 * time.Second}}, free, 0, nil},
		"no worker":                {nil, transform.Load{Workers: 2, Running: 2, Waiting: 9}, 0, []wire.Alarm{{Code: "code_slow", Count: 9}}},
		"slow code": {nil, transform.Load{Workers: 2, Running: 1, Waiting: 9, Slow: map[id.Workspace]int{"ws_b": 8}}, 0, []wire.Alarm{
			{Code: "code_slow", Workspace: "ws_b", Count: 8}}},
		"every worker, none waits":  {nil, transform.Load{Workers: 2, Running: 2}, 0, nil},
		"no processor, and no more": {nil, free, 0.97, []wire.Alarm{{Code: "processor_busy", Count: 97}}},
	} {
		if diff := cmp.Diff(c.want, health.Limits(c.lanes, c.code, c.cpu, books)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

package health_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/deliver"
	"weir/dataplane/health"
	"weir/dataplane/transform"
	"weir/shared/wire"
)

func TestLimitsAreNamed(t *testing.T) {
	t.Parallel()
	free := transform.Load{Workers: 2, Running: 1}
	for name, c := range map[string]struct {
		lanes []deliver.State
		code  transform.Load
		cpu   float64
		want  map[wire.Code]uint64
	}{
		"nothing": {[]deliver.State{{Sending: 16, Most: 16, Age: time.Second}}, free, 0.5, map[wire.Code]uint64{}},
		"down": {[]deliver.State{{Down: true}, {Down: true, Age: time.Hour}, {}}, free, 0, map[wire.Code]uint64{
			"destination_down": 2}},
		"at its concurrency": {[]deliver.State{{Sending: 4, Most: 4, Age: 3 * time.Second}}, free, 0, map[wire.Code]uint64{
			"destination_slow": 1}},
		"asked to wait":             {[]deliver.State{{Paused: time.Minute, Most: 4, Age: 3 * time.Second}}, free, 0, map[wire.Code]uint64{"destination_slow": 1}},
		"waits for something else":  {[]deliver.State{{Sending: 3, Most: 4, Age: 3 * time.Second}}, free, 0, map[wire.Code]uint64{}},
		"no worker":                 {nil, transform.Load{Workers: 2, Running: 2, Waiting: 9}, 0, map[wire.Code]uint64{"code_slow": 9}},
		"every worker, none waits":  {nil, transform.Load{Workers: 2, Running: 2}, 0, map[wire.Code]uint64{}},
		"no processor, and no more": {nil, free, 0.97, map[wire.Code]uint64{"processor_busy": 97}},
	} {
		if diff := cmp.Diff(c.want, health.Limits(c.lanes, c.code, c.cpu)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

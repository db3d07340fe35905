package condition_test

import (
	"strings"
	"testing"
	"time"

	"weir/shared/wire/condition"
)

func TestAProcessThatIsSilentIsForgotten(t *testing.T) {
	t.Parallel()
	var heard []condition.Heard
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		process string
		after   time.Duration
		want    string
	}{
		{"b", 0, "b"},
		{"a", 10 * time.Second, "a b"},
		{"b", 10 * time.Second, "a b"},
		{"a", 10 * time.Second, "a b"},
		{"a", 55 * time.Second, "a"},
	} {
		at = at.Add(step.after)
		heard = condition.Fold(heard, condition.Report{Process: step.process, LagMs: uint64(at.Unix())}, at)
		var got []string
		for _, h := range heard {
			got = append(got, h.Process)
			if h.Process == step.process && (h.LagMs != uint64(at.Unix()) || !h.At.Equal(at)) {
				t.Errorf("of %s there is %+v, want the newest report", step.process, h)
			}
		}
		if strings.Join(got, " ") != step.want {
			t.Errorf("after %s at %s: %v, want %s", step.process, at, got, step.want)
		}
	}
}

func TestAReportHoldsFiguresAlone(t *testing.T) {
	t.Parallel()
	good := condition.Report{Process: "p1", DiskSize: 10, DiskFree: 4, DiskNeeded: 1}
	for name, tc := range map[string]struct {
		change func(*condition.Report)
		sound  bool
	}{
		"as it is":          {func(*condition.Report) {}, true},
		"without a disk":    {func(r *condition.Report) { r.DiskSize, r.DiskFree, r.DiskNeeded = 0, 0, 0 }, true},
		"a text":            {func(r *condition.Report) { r.Process = "ann@example.com was here" }, false},
		"no process":        {func(r *condition.Report) { r.Process = "" }, false},
		"more free than is": {func(r *condition.Report) { r.DiskFree = 11 }, false},
	} {
		r := good
		if tc.change(&r); r.Sound() != tc.sound {
			t.Errorf("%s: sound is %v, want %v", name, !tc.sound, tc.sound)
		}
	}
}

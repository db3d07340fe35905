package report_test

import (
	"bytes"
	"regexp"
	"slices"
	"testing"
	"time"

	"weir/infra/weir/bench/report"
)

func TestTheTableMarksWhatMissedItsTarget(t *testing.T) {
	t.Parallel()
	var r report.Report
	r.Goal("slow thing", 120, "ms", 100, 2, "")
	r.Goal("fast thing", 12.3456, "ms", 100, 0, "")
	r.Least("rare thing", 9, "events/s", 10, 0, "")
	r.Least("frequent thing", 11, "events/s", 10, 0, "")
	var out bytes.Buffer
	r.Table(&out)
	for _, want := range []string{`slow thing +120 ms +<= 100 ms +MISSED +2 ms +60`, `fast thing +12.3 ms +<= 100 ms +ok +- +-`,
		`rare thing +9 events/s +>= 10 events/s +MISSED`, `frequent thing +11 events/s +>= 10 events/s +ok`} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestQuantilesAreOfTheSortedValues(t *testing.T) {
	t.Parallel()
	all := []time.Duration{5, 1, 4, 2, 3, 10, 9, 8, 7, 6}
	if got := []time.Duration{report.Quantile(all, 0.5), report.Quantile(all, 0.99), report.Quantile(nil, 0.5)}; !slices.Equal(got, []time.Duration{6, 10, 0}) {
		t.Errorf("quantiles %v, want [6 10 0]", got)
	}
}

package processors_test

import (
	"runtime"
	"testing"

	"weir/shared/processors"
)

func TestShareLeavesTheCountOfProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	processors.Share()
	if got := runtime.GOMAXPROCS(0); got <= before {
		t.Errorf("%d goroutines run at once after Share, and %d before", got, before)
	}
	if got := processors.Count(); got != before {
		t.Errorf("Count is %d after Share, want %d", got, before)
	}
}

package pace_test

import (
	"testing"
	"time"

	"weir/dataplane/load/pace"
)

func TestALoadHasWhatAWarehouseTakes(t *testing.T) {
	t.Parallel()
	const most = 400_000
	for _, one := range []struct {
		name      string
		perSecond float64 // events that the warehouse merges
		want      int
	}{
		{"a fast one gets the largest loads", 1e6, most},
		{"a slow one gets the smallest", 100, most / 32},
		{"others what they merge in ten seconds", 5000, 50_000},
	} {
		var s pace.Size
		for range 20 {
			n := s.Events(most)
			s.Took(int64(n), time.Duration(float64(n)/one.perSecond*float64(time.Second)))
		}
		if got := s.Events(most); got != one.want {
			t.Errorf("%s: %d events, want %d", one.name, got, one.want)
		}
	}
	var s pace.Size
	before := s.Events(most)
	s.Took(10, time.Millisecond)
	if got := s.Events(most); got != before {
		t.Errorf("a load of ten events made %d of %d", got, before)
	}
	if got := new(pace.Size).Events(20); got != 20 {
		t.Errorf("loads of %d events where 20 are the most", got)
	}
}

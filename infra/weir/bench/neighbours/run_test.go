package neighbours

import (
	"slices"
	"testing"
	"time"

	"weir/infra/weir/bench/load"
)

func TestAnAcknowledgedEventThatDoesNotArriveIsLost(t *testing.T) {
	t.Parallel()
	sent := &load.Sent{Acked: []load.Span{{Seq: 0, N: 1}, {Seq: 2, N: 1}, {Seq: 3, N: 1}}, Planned: []int64{10, 20, 30, 40}} // 1 was refused
	took, lost := arrived(sent, []int64{15, 0, 0})
	if lost != 2 || !slices.Equal(took, []time.Duration{5}) {
		t.Errorf("%d lost, %v taken, want 2 and 5 ns", lost, took)
	}
}

func TestEveryHarmHasANameAndBegins(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, h := range harms() {
		if h.name == "" || seen[h.name] || h.objects == nil || h.begin == nil {
			t.Errorf("%q: it needs a name of its own, a configuration and a begin", h.name)
		}
		seen[h.name] = true
	}
}

package health

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestSchedulingDelayIsTheWaitForAProcessor(t *testing.T) {
	late := SchedulingDelay()
	late()
	var busy sync.WaitGroup
	for range 20 * runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for range 20 {
				runtime.Gosched()
				spin(time.Now().Add(time.Millisecond))
			}
		})
	}
	busy.Wait()
	if got := late(); got < 2*time.Millisecond {
		t.Errorf("late by %v with 20 goroutines a processor, each for a millisecond, want about 20 ms", got)
	}
}

func spin(until time.Time) {
	for time.Now().Before(until) {
	}
}

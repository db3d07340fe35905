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
	until := time.Now().Add(200 * time.Millisecond)
	for range 20 * runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for time.Now().Before(until) {
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

package queuetest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
)

func TestLogKeepsTheContract(t *testing.T) {
	t.Parallel()
	queuetest.Kit(t, func(*testing.T) queue.Log { return queuetest.NewLog(1, queuetest.Faults{}) })
}

func TestDelayedLogKeepsTheContract(t *testing.T) {
	t.Parallel()
	queuetest.Kit(t, func(*testing.T) queue.Log {
		return queuetest.NewLog(1, queuetest.Faults{Delayed: 20, Delay: time.Millisecond})
	})
}

func TestLostAnswersLeaveTheRecordAndRefusalsDoNot(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		faults queuetest.Faults
		want   int
	}{
		"lost":    {queuetest.Faults{Lost: 100}, 10},
		"refused": {queuetest.Faults{Refused: 100}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			log := queuetest.NewLog(1, tc.faults)
			for range 10 {
				if _, err := log.Append(t.Context(), "", []byte("x")); err == nil || fault.KindOf(err) != fault.Unavailable {
					t.Fatalf("Append = %v, want unavailable", err)
				}
			}
			if got := len(log.Snapshot().Records); got != tc.want {
				t.Errorf("%d records are there, want %d", got, tc.want)
			}
		})
	}
}

// run lets 20 appends be under way when the log crashes, and returns what was
// acknowledged and what is there afterwards.
func run(t *testing.T, seed uint64) (acked, kept []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := queuetest.NewLog(seed, queuetest.Faults{Delayed: 50, Lost: 10, Refused: 10})
		answers := make(chan string, 20)
		for i := range 20 {
			go func() {
				time.Sleep(time.Duration(i) * time.Millisecond) // calls come in an order of their own
				text := fmt.Sprint(i)
				if _, err := log.Append(t.Context(), "", []byte(text)); err != nil {
					if fault.KindOf(err) != fault.Unavailable {
						t.Errorf("Append = %v, want unavailable", err)
					}
					text = ""
				}
				answers <- text
			}()
		}
		ended := make(chan error, 1)
		go func() {
			var last error
			for _, err := range log.Read(t.Context(), 1, "") {
				last = err
			}
			ended <- last
		}()
		time.Sleep(50 * time.Millisecond)
		log.Crash()
		for range 20 {
			if text := <-answers; text != "" {
				acked = append(acked, text)
			}
		}
		if err := <-ended; err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("the reader ended with %v, want unavailable", err)
		}
		if _, err := log.Append(t.Context(), "", nil); err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Append after Crash = %v, want unavailable", err)
		}
		for r, err := range log.Restart().ReadTo(t.Context(), 1, "") {
			if err != nil {
				t.Fatalf("ReadTo after Restart: %v", err)
			}
			kept = append(kept, string(r.Data))
		}
	})
	slices.Sort(acked) // callers wake in any order
	return acked, kept
}

func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	more := 0
	for seed := range uint64(50) {
		acked, kept := run(t, seed)
		there := map[string]bool{}
		for _, text := range kept {
			there[text] = true
		}
		for _, text := range acked {
			if !there[text] {
				t.Fatalf("seed %d: %q was acknowledged and is gone", seed, text)
			}
		}
		more += len(kept) - len(acked)
		again, keptAgain := run(t, seed)
		if diff := cmp.Diff(kept, keptAgain) + cmp.Diff(acked, again); diff != "" {
			t.Fatalf("seed %d gives another run:\n%s", seed, diff)
		}
	}
	if more == 0 {
		t.Error("no record without an acknowledgement was ever kept, so the fault does not happen")
	}
}

func TestFullLogRefusesUntilItIsPurged(t *testing.T) {
	t.Parallel()
	log := queuetest.NewLog(1, queuetest.Faults{MaxBytes: 1000})
	var err error
	for range 100 {
		if _, err = log.Append(t.Context(), "", make([]byte, 100)); err != nil {
			break
		}
	}
	if err == nil || fault.KindOf(err) != fault.Limited {
		t.Fatalf("Append = %v, want limited", err)
	}
	if err := log.Purge(t.Context(), 3, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(t.Context(), "", make([]byte, 100)); err != nil {
		t.Errorf("Append after Purge: %v", err)
	}
}

func TestSnapshotIsACopy(t *testing.T) {
	t.Parallel()
	log := queuetest.NewLog(1, queuetest.Faults{})
	for i := range 3 {
		if _, err := log.Append(t.Context(), "", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	snap := log.Snapshot()
	if err := log.Delete(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(t.Context(), "", []byte("later")); err != nil {
		t.Fatal(err)
	}
	log.Restore(snap)
	if diff := cmp.Diff(snap, log.Snapshot()); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	if seq, err := log.AppendAfter(context.Background(), 3, "", nil); err != nil || seq != 4 {
		t.Errorf("AppendAfter(3) = %d, %v, want 4", seq, err)
	}
}

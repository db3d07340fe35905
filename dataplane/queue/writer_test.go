package queue_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
	"weir/shared/id"
)

// writer is a Writer over logs in memory that runs until the test ends.
func writer(t *testing.T, logs ...*queuetest.Log) *queue.Writer {
	t.Helper()
	slots, err := queue.EvenSlots(len(logs))
	if err != nil {
		t.Fatal(err)
	}
	var all []queue.Log
	for _, l := range logs {
		all = append(all, l)
	}
	w := queue.NewWriter(all, slots)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return w
}

// numbered returns an event of a user with a number that order can be told by.
func numbered(user string, n, size int) event.Event {
	return event.Event{Source: "src", User: user, MessageID: id.Event(fmt.Sprintf("%s/%d", user, n)), ReceivedAt: time.UnixMilli(int64(n)).UTC(), JSON: make([]byte, size)}
}

// frames decodes all of a log.
func frames(t *testing.T, log queue.Log) []queue.Frame {
	t.Helper()
	var all []queue.Frame
	for r, err := range log.ReadTo(context.Background(), 1, "") {
		if err != nil {
			t.Fatalf("ReadTo: %v", err)
		}
		f, err := queue.DecodeFrame(r.Data)
		if err != nil {
			t.Fatalf("DecodeFrame of record %d: %v", r.Seq, err)
		}
		f.Seq = r.Seq
		all = append(all, f)
	}
	return all
}

func ids(fs []queue.Frame) map[id.Event]int {
	all := map[id.Event]int{}
	for _, f := range fs {
		for _, e := range f.Events {
			all[e.MessageID]++
		}
	}
	return all
}

func TestEventsOfAUserShareAPartitionInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		logs := []*queuetest.Log{
			queuetest.NewLog(1, queuetest.Faults{Delayed: 50}),
			queuetest.NewLog(2, queuetest.Faults{Delayed: 50}),
			queuetest.NewLog(3, queuetest.Faults{Delayed: 50}),
		}
		w := writer(t, logs...)
		var wg sync.WaitGroup
		for u := range 30 {
			wg.Go(func() {
				for n := 0; n < 40; n += 2 { // a request has two events of this user and one of another
					user := fmt.Sprintf("u%d", u)
					err := w.Append(t.Context(), []event.Event{numbered(user, n, 10), numbered("other"+user, n, 10), numbered(user, n+1, 10)})
					if err != nil {
						t.Errorf("Append: %v", err)
					}
				}
			})
		}
		wg.Wait()
		where, newest, total := map[string]int{}, map[string]int64{}, 0
		for p, log := range logs {
			for _, f := range frames(t, log) {
				for _, e := range f.Events {
					total++
					if was, ok := where[e.User]; ok && was != p {
						t.Errorf("user %s is in partitions %d and %d", e.User, was, p)
					}
					if last, ok := newest[e.User]; ok && e.ReceivedAt.UnixMilli() <= last {
						t.Errorf("%s comes after %d of its user", e.MessageID, last)
					}
					where[e.User], newest[e.User] = p, e.ReceivedAt.UnixMilli()
				}
			}
		}
		if total != 30*60 {
			t.Errorf("%d events are in the logs, want %d", total, 30*60)
		}
	})
}

func TestRequestsGatherWhileAFrameIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := queuetest.NewLog(1, queuetest.Faults{Delayed: 100, Delay: 10 * time.Millisecond})
		w := writer(t, log)
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				if err := w.Append(t.Context(), []event.Event{numbered("u", i, 100)}); err != nil {
					t.Errorf("Append: %v", err)
				}
			})
			if i == 0 {
				synctest.Wait() // its frame is under way
			}
		}
		wg.Wait()
		if got := len(frames(t, log)); got > 4 {
			t.Errorf("500 requests made %d frames, want a few", got)
		}
	})
}

func TestFramesCloseAtTheirSizeAndALargeEventHasItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := queuetest.NewLog(1, queuetest.Faults{})
		w := writer(t, log)
		var events []event.Event
		for i := range 20 {
			events = append(events, numbered("u", i, 100<<10))
		}
		events = append(events, numbered("u", 20, 1<<20), numbered("u", 21, 10))
		if err := w.Append(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		next := int64(0)
		for _, f := range frames(t, log) {
			size := 0
			for _, e := range f.Events {
				if e.ReceivedAt.UnixMilli() != next {
					t.Errorf("frame %d has %s, want number %d", f.Seq, e.MessageID, next)
				}
				next++
				size += len(e.JSON)
			}
			if size > queue.FrameBytes && len(f.Events) != 1 {
				t.Errorf("frame %d has %d events and %d bytes", f.Seq, len(f.Events), size)
			}
		}
		if next != 22 {
			t.Errorf("%d events are in the log, want 22", next)
		}
	})
}

func TestAnEventThatNoLogTakesIsRefusedWithItsRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := queuetest.NewLog(1, queuetest.Faults{})
		w := writer(t, log)
		err := w.Append(t.Context(), []event.Event{numbered("u", 1, 10), numbered("u", 2, queue.MaxPayload)})
		if err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("Append = %v, want invalid", err)
		}
		if err := w.Append(t.Context(), nil); err != nil {
			t.Errorf("Append of nothing = %v", err)
		}
		if got := len(frames(t, log)); got != 0 {
			t.Errorf("%d frames were written, want none", got)
		}
	})
}

func TestARequestOverPartitionsNeedsAllOfThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good, bad := queuetest.NewLog(1, queuetest.Faults{}), queuetest.NewLog(2, queuetest.Faults{Refused: 100})
		w := writer(t, good, bad)
		var events []event.Event
		for u := range 20 {
			events = append(events, numbered(fmt.Sprintf("u%d", u), 0, 10))
		}
		if err := w.Append(t.Context(), events); err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Append with one partition away = %v, want unavailable", err)
		}
		bad.SetFaults(queuetest.Faults{})
		if err := w.Append(t.Context(), events); err != nil {
			t.Errorf("Append again = %v", err)
		}
		if got := len(frames(t, bad)); got != 1 {
			t.Errorf("the partition that was away has %d frames, want 1", got)
		}
	})
}

func TestTooMuchWaitingIsLimitedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := queuetest.NewLog(1, queuetest.Faults{Delayed: 100, Delay: 4 * time.Second})
		w := writer(t, log)
		begun := time.Now()
		var limited, good atomic.Int32
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				switch err := w.Append(t.Context(), []event.Event{numbered("u", i, 400<<10)}); {
				case err == nil:
					good.Add(1)
				case fault.KindOf(err) == fault.Limited && time.Since(begun) == 0:
					limited.Add(1)
				case fault.KindOf(err) != fault.Unavailable:
					t.Errorf("Append after %v = %v", time.Since(begun), err)
				}
			})
		}
		wg.Wait()
		if n := limited.Load(); n != 60 { // 16 MiB hold 40 of them
			t.Errorf("%d requests were refused at once, want 60", n)
		}
		time.Sleep(time.Minute)
		log.SetFaults(queuetest.Faults{})
		for i := range 80 { // what was reserved is given back
			if err := w.Append(t.Context(), []event.Event{numbered("u", i, 400<<10)}); err != nil {
				t.Fatalf("Append %d afterwards = %v", i, err)
			}
		}
	})
}

func TestAnswersComeWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := writer(t, queuetest.NewLog(3, queuetest.Faults{Delayed: 100, Delay: time.Hour}))
		begun := time.Now()
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				err := w.Append(t.Context(), []event.Event{numbered("u", i, 10)})
				if err == nil || fault.KindOf(err) != fault.Unavailable || time.Since(begun) > 5*time.Second {
					t.Errorf("Append = %v after %v, want unavailable after 5 s", err, time.Since(begun))
				}
			})
		}
		wg.Wait()
	})
}

func TestAGoneClientLosesNobodyElsesEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := queuetest.NewLog(1, queuetest.Faults{Delayed: 100, Delay: 50 * time.Millisecond})
		w := writer(t, log)
		rng := rand.New(rand.NewPCG(5, 5))
		var mu sync.Mutex
		acked := map[id.Event]bool{}
		var gone int
		var wg sync.WaitGroup
		for i := range 300 {
			patience := time.Duration(rng.IntN(100)) * time.Millisecond
			start := time.Duration(rng.IntN(300)) * time.Millisecond
			wg.Go(func() {
				time.Sleep(start)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				e := numbered("u", i, 100)
				err := w.Append(ctx, []event.Event{e})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					acked[e.MessageID] = true
				} else if gone++; ctx.Err() == nil {
					t.Errorf("Append of a client that was there: %v", err)
				}
			})
		}
		wg.Wait()
		if gone == 0 || len(acked) == 0 {
			t.Fatalf("%d clients went and %d stayed: the test tests nothing", gone, len(acked))
		}
		there := ids(frames(t, log))
		for m := range acked {
			if there[m] != 1 {
				t.Errorf("%s was acknowledged and is there %d times", m, there[m])
			}
		}
	})
}

func TestNothingAcknowledgedIsLostWhenEverythingGoesWrong(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			faults := queuetest.Faults{Lost: 10, Refused: 10, Delayed: 40, Delay: 8 * time.Second}
			logs := []*queuetest.Log{queuetest.NewLog(seed, faults), queuetest.NewLog(seed+1000, faults)}
			w := writer(t, logs...)
			var mu sync.Mutex
			acked := map[id.Event]bool{}
			var wg sync.WaitGroup
			for c := range 20 {
				wg.Go(func() {
					for n := range 20 {
						events := []event.Event{numbered(fmt.Sprintf("a%d", c), n, 1000), numbered(fmt.Sprintf("b%d", c), n, 1000)}
						if w.Append(t.Context(), events) == nil {
							mu.Lock()
							acked[events[0].MessageID], acked[events[1].MessageID] = true, true
							mu.Unlock()
						}
					}
				})
			}
			time.Sleep(30 * time.Second)
			for _, l := range logs {
				l.Crash()
			}
			wg.Wait()
			there := map[id.Event]int{}
			for _, l := range logs {
				for m, n := range ids(frames(t, l.Restart())) {
					there[m] += n
				}
			}
			for m := range acked {
				if there[m] == 0 {
					t.Errorf("seed %d: %s was acknowledged and is gone", seed, m)
				}
			}
			if len(acked) == 0 {
				t.Errorf("seed %d: nothing was acknowledged", seed)
			}
		})
	}
}

func TestAStoppedWriterAnswersEveryone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := queuetest.NewLog(1, queuetest.Faults{Delayed: 100, Delay: 2 * time.Second})
		slots, err := queue.EvenSlots(1)
		if err != nil {
			t.Fatal(err)
		}
		w := queue.NewWriter([]queue.Log{log}, slots)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		answers := make(chan error, 2)
		go func() { answers <- w.Append(t.Context(), []event.Event{numbered("u", 0, 10)}) }()
		synctest.Wait()
		go func() { answers <- w.Append(t.Context(), []event.Event{numbered("u", 1, 10)}) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		var good, away int
		for range 2 {
			if err := <-answers; err == nil {
				good++
			} else if fault.KindOf(err) == fault.Unavailable {
				away++
			}
		}
		if good != 1 || away != 1 {
			t.Errorf("%d were written and %d refused, want the frame under way finished and the other refused", good, away)
		}
		if err := w.Append(t.Context(), []event.Event{numbered("u", 2, 10)}); err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Append to a stopped writer = %v, want unavailable", err)
		}
	})
}

func TestUsersAreSpreadOverSlotsForEver(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]uint8{"": 194, "user-1": 201, "anonymous-ü": 179} {
		if got := queue.Slot(user); got != want {
			t.Errorf("Slot(%q) = %d, want %d, as in all logs there are", user, got, want)
		}
	}
	var count [256]int
	for i := range 256 * 100 {
		count[queue.Slot(fmt.Sprintf("user-%d", i))]++
	}
	for s, n := range count {
		if n < 50 || n > 150 {
			t.Errorf("slot %d has %d of 25,600 users, want about 100", s, n)
		}
	}
	for _, n := range []int{0, -1, 257} {
		if _, err := queue.EvenSlots(n); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("EvenSlots(%d) = %v, want invalid", n, err)
		}
	}
}

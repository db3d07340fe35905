package detour

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
	"weir/shared/id"
)

// led is a log whose leader can be away: then no call is answered, and an append may
// be done all the same, also later.
type led struct {
	queue.Log

	takes time.Duration // until an append, or a look, is answered

	mu   sync.Mutex
	rng  *rand.Rand
	away chan struct{} // nil: the leader is there; else closed when it is again
}

func (l *led) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away == nil {
		l.away = make(chan struct{})
	}
}

func (l *led) comeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		close(l.away)
		l.away = nil
	}
}

// answers waits for an answer; late says that an append without one is done once the
// leader is back.
func (l *led) answers(ctx context.Context) (back chan struct{}, late bool, err error) {
	l.mu.Lock()
	back, late = l.away, l.rng.IntN(2) == 0
	l.mu.Unlock()
	if back == nil {
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, queue.CallTimeout)
	defer cancel()
	<-ctx.Done()
	return back, late, fault.New(fault.Unavailable, "no answer")
}

func (l *led) Append(ctx context.Context, key string, data []byte) (uint64, error) {
	back, late, err := l.answers(ctx)
	if err == nil {
		seq, err := l.Log.Append(ctx, key, data)
		time.Sleep(l.takes)
		return seq, err
	}
	if late {
		go func() {
			<-back
			_, _ = l.Log.Append(context.WithoutCancel(ctx), key, data)
		}()
	}
	return 0, err
}

func (l *led) State(ctx context.Context) (queue.State, error) {
	if _, _, err := l.answers(ctx); err != nil {
		return queue.State{}, err
	}
	st, err := l.Log.State(ctx)
	time.Sleep(l.takes)
	return st, err
}

func (l *led) Purge(ctx context.Context, before uint64, key string) error {
	if _, _, err := l.answers(ctx); err != nil {
		return err
	}
	return l.Log.Purge(ctx, before, key)
}

// world is a log and its detour, with what was acknowledged.
type world struct {
	t          *testing.T
	main, side *led
	acked      []string
	json       []byte        // of each event
	pause      time.Duration // after each of them
	longest    time.Duration // that an acknowledgement took
}

func newWorld(t *testing.T, seed uint64, faults queuetest.Faults) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	return &world{
		t: t, json: []byte(`{}`), pause: 10 * time.Millisecond, main: &led{Log: queuetest.NewLog(seed, faults), rng: rng}, side: &led{Log: queuetest.NewLog(seed+1, faults), rng: rng},
	}
}

// open starts a process; the function that is returned ends it.
func (w *world) open() (*Log, func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	l := New(ctx, w.main, w.side, slog.New(slog.DiscardHandler))
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	return l, func() { cancel(); running.Wait() }
}

// send appends events until each is acknowledged, one after the other.
func (w *world) send(l *Log, from, to int) {
	for n := from; n < to; n++ {
		mid := fmt.Sprintf("e%05d", n)
		frame := queue.EncodeFrame([]event.Event{{Workspace: "w", Source: "s", MessageID: id.Event(mid), User: "u", JSON: w.json}})
		for begun := time.Now(); ; {
			ctx, cancel := context.WithTimeout(w.t.Context(), queue.CallTimeout)
			_, err := l.Append(ctx, "", frame)
			cancel()
			if err == nil {
				w.longest = max(w.longest, time.Since(begun))
				break
			}
		}
		w.acked = append(w.acked, mid)
		time.Sleep(w.pause)
	}
}

// check waits until all that was acknowledged is in the log, and looks at its order:
// the first of each comes as they were acknowledged.
func (w *world) check() {
	w.t.Helper()
	for {
		st, err := w.side.Log.State(w.t.Context())
		if err == nil && st.Records == 0 {
			break
		}
		time.Sleep(time.Second)
	}
	var found []string
	seen := map[id.Event]bool{}
	for rec, err := range w.main.Log.ReadTo(w.t.Context(), 1, "") {
		if err != nil {
			w.t.Fatal(err)
		}
		f, err := queue.DecodeFrame(rec.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range f.Events {
			if !seen[e.MessageID] {
				seen[e.MessageID] = true
				found = append(found, string(e.MessageID))
			}
		}
	}
	if len(found) != len(w.acked) {
		w.t.Fatalf("%d events are in the log, %d were acknowledged", len(found), len(w.acked))
	}
	for i := range found {
		if found[i] != w.acked[i] {
			w.t.Fatalf("event %d in the log is %s, %s was acknowledged", i, found[i], w.acked[i])
		}
	}
}

func TestAppendsGoOnWhileALeaderIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, queuetest.Faults{})
		l, end := w.open()
		defer end()
		w.send(l, 0, 100)
		w.main.leave()
		w.send(l, 100, 900) // 8 s
		if st, err := w.side.Log.State(t.Context()); err != nil || st.Records < 700 {
			t.Errorf("the detour has %d frames: %v", st.Records, err)
		}
		w.main.comeBack()
		w.send(l, 900, 2000)
		if w.longest > 2*time.Second {
			t.Errorf("an acknowledgement took %v", w.longest)
		}
		if l.diverted() {
			t.Error("appends are not direct again")
		}
		w.check()
	})
}

func TestAnAnswerThatTheDetourLosesCostsAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, queuetest.Faults{})
		l, end := w.open()
		defer end()
		w.main.leave()
		w.send(l, 0, 100)
		w.side.leave()
		time.AfterFunc(200*time.Millisecond, w.side.comeBack)
		w.send(l, 100, 200)
		if w.longest > 2*time.Second {
			t.Errorf("an acknowledgement took %v", w.longest)
		}
		w.main.comeBack()
		w.check()
	})
}

func TestFullFramesWithoutPauseComeBackToTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, queuetest.Faults{})
		w.json, w.pause = []byte(`"`+strings.Repeat("x", queue.FrameBytes*2/3)+`"`), 0
		w.main.takes, w.side.takes = 20*time.Millisecond, 20*time.Millisecond
		l, end := w.open()
		defer end()
		w.main.leave()
		w.send(l, 0, 100)
		w.main.comeBack()
		w.send(l, 100, 300)
		if l.diverted() {
			t.Error("appends are not direct again")
		}
		w.check()
	})
}

func TestADetourThatIsAwayHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, queuetest.Faults{})
		l, end := w.open()
		defer end()
		w.send(l, 0, 100)
		w.side.leave()
		w.main.leave() // for a moment, as when a connection breaks
		time.AfterFunc(200*time.Millisecond, w.main.comeBack)
		w.send(l, 100, 200)
		if w.longest > 3*time.Second {
			t.Errorf("an acknowledgement took %v", w.longest)
		}
		w.side.comeBack()
		w.check()
	})
}

func TestTheNextProcessMovesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, queuetest.Faults{})
		l, end := w.open()
		w.main.leave()
		w.send(l, 0, 100)
		end()
		w.main.comeBack()
		l, end = w.open()
		defer end()
		w.send(l, 100, 200)
		w.check()
	})
}

func TestAnotherProcessMovesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, queuetest.Faults{})
		other, endOther := w.open()
		defer endOther()
		l, end := w.open()
		w.main.leave()
		w.send(l, 0, 100)
		end()
		w.main.comeBack()
		time.Sleep(10 * time.Second)
		w.send(other, 100, 200)
		w.check()
	})
}

func TestNothingIsAcknowledgedWithoutLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, queuetest.Faults{})
		l, end := w.open()
		defer end()
		w.main.leave()
		w.side.leave()
		defer w.main.comeBack()
		defer w.side.comeBack()
		ctx, cancel := context.WithTimeout(t.Context(), queue.CallTimeout)
		defer cancel()
		if _, err := l.Append(ctx, "", queue.EncodeFrame(nil)); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("append = %v, want Unavailable", err)
		}
	})
}

func TestADamagedFrameIsMovedAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, queuetest.Faults{})
		if _, err := w.side.Append(t.Context(), "", []byte("no frame")); err != nil {
			t.Fatal(err)
		}
		_, end := w.open()
		defer end()
		time.Sleep(time.Second)
		rec, err := w.main.Last(t.Context())
		if err != nil || string(rec.Data) != "no frame" {
			t.Errorf("the log has %q: %v", rec.Data, err)
		}
	})
}

// TestOrderHoldsWhateverFails lets leaders leave and processes die, with lost answers and slow
// writes.
func TestOrderHoldsWhateverFails(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed, queuetest.Faults{Lost: 5, Refused: 5, Delayed: 5})
			w.main.takes, w.side.takes = 5*time.Millisecond, 25*time.Millisecond
			rng := rand.New(rand.NewPCG(seed, 2))
			ctx, stop := context.WithCancel(t.Context())
			var weather sync.WaitGroup
			weather.Go(func() {
				for ctx.Err() == nil {
					which := []*led{w.main, w.side}[rng.IntN(2)]
					time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
					which.leave()
					time.Sleep(time.Duration(rng.IntN(9000)) * time.Millisecond)
					which.comeBack()
				}
			})
			for n := range 10 {
				l, end := w.open()
				w.send(l, 100*n, 100*(n+1))
				end()
			}
			stop()
			weather.Wait()
			_, end := w.open()
			defer end()
			w.check()
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

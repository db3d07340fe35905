package staged_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/load/staged"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/id"
)

// stage is a STAGE log, what closed loads have of it, and a counter that is told of
// every append.
type stage struct {
	t    *testing.T
	log  *queuetest.Log
	next map[id.Destination]uint64
	c    *staged.Counter
	end  context.CancelFunc
	done chan struct{}
}

// start begins a life of the process.
func (s *stage) start() {
	s.c = staged.New([]staged.Log{s.log})
	ctx, cancel := context.WithCancel(context.Background())
	s.end, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		s.c.Run(ctx, func(d id.Destination) ([]uint64, error) { return []uint64{s.next[d]}, nil })
	}()
}

func (s *stage) stop() {
	s.end()
	<-s.done
}

// add stages n events of a source.
func (s *stage) add(d id.Destination, source id.Source, n int) error {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{Workspace: "ws", Source: source, JSON: []byte(`{}`)}
	}
	seq, err := s.log.Append(context.Background(), string(d), queue.EncodeFrame(events))
	s.c.Add(0, d, events, seq, err)
	return err
}

// load closes a load of d up to before a record, and purges.
func (s *stage) load(d id.Destination, next uint64) {
	s.next[d] = max(next, s.next[d])
	s.c.Pass(context.Background(), d, []uint64{s.next[d]})
}

// truth counts what is in the log.
func (s *stage) truth() map[ledger.Key]int64 {
	sums := map[ledger.Key]int64{}
	for _, r := range s.log.Snapshot().Records {
		if r.Seq < s.next[id.Destination(r.Key)] {
			continue
		}
		f, err := queue.DecodeFrame(r.Data)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range f.Events {
			sums[ledger.Key{Workspace: e.Workspace, Source: e.Source, Destination: id.Destination(r.Key)}]++
		}
	}
	return sums
}

// counts returns what is counted, and wants it to be whole.
func (s *stage) counts() map[ledger.Key]int64 {
	s.t.Helper()
	sums, whole := s.c.Counts()
	if !whole {
		s.t.Error("something is said to be not read yet")
	}
	return sums
}

// settled waits until nothing has to be read any more and compares.
func (s *stage) settled(what string) {
	s.t.Helper()
	time.Sleep(time.Minute)
	synctest.Wait()
	if d := cmp.Diff(s.truth(), s.counts()); d != "" {
		s.t.Fatalf("%s: staged (-want +got):\n%s", what, d)
	}
}

// Appends with lost answers, loads that close anywhere, starts of the process, and more
// records than are counted one by one.
func TestCountsWhatTheLogHolds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				s := &stage{t: t, log: queuetest.NewLog(seed, queuetest.Faults{Lost: 5, Refused: 5}), next: map[id.Destination]uint64{}}
				s.start()
				for range 60 {
					d := id.Destination(fmt.Sprint("dst_", rng.IntN(2)))
					switch rng.IntN(8) {
					case 0:
						st, err := s.log.State(context.Background())
						if err != nil {
							continue
						}
						s.load(d, st.First+rng.Uint64N(st.Last-st.First+2))
						_ = s.log.Purge(context.Background(), s.next[d], string(d)) // what is left is not counted
					case 1:
						s.stop()
						s.start()
					case 2:
						s.settled("in between")
					case 3:
						for range rng.IntN(700) {
							_ = s.add(d, "src_a", 1)
						}
					default:
						for range 1 + rng.IntN(5) {
							_ = s.add(d, id.Source(fmt.Sprint("src_", rng.IntN(2))), 1+rng.IntN(4)) // lost ones are read
						}
					}
				}
				s.settled("in the end")
				s.stop()
			})
		})
	}
}

// What is appended while the log answers is counted at once, and a load that closes
// takes away what it has at once.
func TestCountsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, log: queuetest.NewLog(1, queuetest.Faults{}), next: map[id.Destination]uint64{}}
		s.start()
		defer s.stop()
		key := ledger.Key{Workspace: "ws", Source: "src", Destination: "dst"}
		for i := range int64(5000) {
			if err := s.add("dst", "src", 2); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				synctest.Wait() // the first one of a destination is read
			}
			if got := s.counts()[key]; got != 2*(i+1) {
				t.Fatalf("%d are counted after %d", got, 2*(i+1))
			}
		}
		for _, next := range []uint64{4, 1001, 4000, 4990, 5001} {
			s.load("dst", next)
			if got, want := s.counts()[key], int64(2*(5001-next)); got != want {
				t.Errorf("%d are counted when everything before record %d is loaded, want %d", got, next, want)
			}
		}
	})
}

// A destination whose log cannot be read hinders the counting of no other.
func TestALogThatIsAwayDelaysItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good := queuetest.NewLog(1, queuetest.Faults{})
		c := staged.New([]staged.Log{good, away{good}})
		events := []event.Event{{Workspace: "ws", Source: "src", JSON: []byte(`{}`)}}
		seq, err := good.Append(context.Background(), "dst", queue.EncodeFrame(events))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(ctx, func(id.Destination) ([]uint64, error) { return nil, nil })
		}()
		c.Add(1, "dst", events, seq, nil)
		time.Sleep(time.Minute)
		sums, whole := c.Counts()
		if got := sums[ledger.Key{Workspace: "ws", Source: "src", Destination: "dst"}]; got != 1 || whole {
			t.Errorf("%d are counted, and that these are all: %v; want the 1 of the log that can be read", got, whole)
		}
		cancel()
		<-done
	})
}

// away is a log that does not answer.
type away struct{ staged.Log }

func (away) Keys(ctx context.Context) (map[string]uint64, error) {
	<-ctx.Done()
	return nil, errors.New("away")
}

func (away) State(ctx context.Context) (queue.State, error) {
	<-ctx.Done()
	return queue.State{}, errors.New("away")
}

// TestWhatAnotherProcessStagedIsCountedOnceItIsTakenOver: of destinations that are known
// and of new ones, and nothing twice.
func TestWhatAnotherProcessStagedIsCountedOnceItIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, log: queuetest.NewLog(1, queuetest.Faults{}), next: map[id.Destination]uint64{}}
		s.start()
		defer s.stop()
		if err := s.add("known", "src", 3); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for round := range 3 {
			for _, d := range []id.Destination{"known", "new"} {
				events := []event.Event{{Workspace: "ws", Source: "src", JSON: []byte(`{}`)}}
				if _, err := s.log.Append(t.Context(), string(d), queue.EncodeFrame(events)); err != nil {
					t.Fatal(err)
				}
			}
			s.c.Again(0)
			if _, whole := s.c.Counts(); whole {
				t.Errorf("round %d: the counts are whole before the log was looked at", round)
			}
			time.Sleep(time.Minute)
			got, whole := s.c.Counts()
			if d := cmp.Diff(s.truth(), got); d != "" || !whole {
				t.Errorf("round %d: whole %v, counts (-want +got)\n%s", round, whole, d)
			}
		}
	})
}

package e2e_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load posts events of numbered users, each user's in order and one at a time,
// and retries an event until it is acknowledged, as an SDK does. Each says when it was
// sent.
type load struct {
	mu    sync.Mutex
	acked map[string]bool // messageIds
	sent  atomic.Int64
	quit  chan struct{}
	wg    sync.WaitGroup
}

// startLoad starts a load that tells each acknowledgement to acked.
func startLoad(gateway func() string, key string, users int, pause time.Duration, acked ...func(user int)) *load {
	return startLoadOf(gateway, key, users, pause, func(user, n int) string {
		return fmt.Sprintf(`{"userId":"u%d","event":"Load","messageId":%q,"properties":{"user":%d,"n":%d,"at":%d}}`, user, messageID(user, n), user, n, time.Now().UnixMilli())
	}, acked...)
}

// messageID is that of the n-th event of a user of a load.
func messageID(user, n int) string { return fmt.Sprintf("u%d-%06d", user, n) }

// startLoadOf starts a load of track calls with these bodies.
func startLoadOf(gateway func() string, key string, users int, pause time.Duration, body func(user, n int) string, acked ...func(user int)) *load {
	l := &load{acked: map[string]bool{}, quit: make(chan struct{})}
	for u := range users {
		l.wg.Go(func() {
			for n := 0; ; n++ {
				mid := messageID(u, n)
				for {
					select {
					case <-l.quit:
						return
					case <-time.After(pause):
					}
					if code, _ := post(gateway(), "/v1/track", key, body(u, n)); code == http.StatusOK {
						l.mu.Lock()
						l.acked[mid] = true
						l.mu.Unlock()
						l.sent.Add(1)
						for _, see := range acked {
							see(u)
						}
						break
					}
				}
			}
		})
	}
	return l
}

func (l *load) stop() {
	close(l.quit)
	l.wg.Wait()
}

// arrived checks what came out of a webhook against what was acknowledged:
// nothing lost, and a user's events in order. A number may come again after
// newer ones only as a repetition: the first arrivals must be ascending.
func (l *load) arrived(t *testing.T, s *sink) (duplicates int) {
	t.Helper()
	until(t, "every acknowledged event at the webhook", func() bool {
		ids := s.ids()
		l.mu.Lock()
		defer l.mu.Unlock()
		for mid := range l.acked {
			if ids[mid] == 0 {
				return false
			}
		}
		return true
	})
	last, seen := map[int]int{}, map[string]bool{}
	for _, a := range s.all() {
		var e struct {
			MessageID  string
			Properties struct{ User, N int }
		}
		if err := json.Unmarshal(a.Body, &e); err != nil {
			t.Fatalf("%s: %v", a.Body, err)
		}
		if seen[e.MessageID] {
			duplicates++
			continue
		}
		seen[e.MessageID] = true
		u, n := e.Properties.User, e.Properties.N
		if was, ok := last[u]; ok && n < was {
			t.Errorf("user %d: event %d came for the first time after event %d", u, n, was)
		}
		last[u] = n
	}
	return duplicates
}

var kills = flag.Int("kills", 20, "how often TestKilledUnderLoad kills the product; other tests do a quarter of it")

// TestKilledUnderLoad kills everything at random moments, with a destination
// that is well, one that fails three times of ten, and one that hangs until the
// kills are over.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const users = 16
	well, flaky, hanging := newSink(t), newSink(t), newSink(t)
	hooks := map[string]string{"well": well.URL, "flaky": flaky.URL, "hanging": hanging.URL}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var dice sync.Mutex
	chance := rand.New(rand.NewPCG(seed, 1))
	flaky.set(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		dice.Lock()
		fails := chance.IntN(10) < 3
		dice.Unlock()
		if fails {
			http.Error(w, "not now", http.StatusInternalServerError)
		}
		return fails
	})
	free := make(chan struct{})
	hanging.set(hangs(free))
	dir := t.TempDir()
	ports := addresses(t)
	p, in := dev(t, dir, hookConfig("acme", "eu", "wk_web", hooks), ports...)
	l := startLoad(func() string { return in.Gateway }, "wk_web", users, 2*time.Millisecond)
	var away time.Duration
	for n := range *kills {
		if n > 0 && n%10 == 0 {
			t.Logf("%d kills, %d acknowledged", n, l.sent.Load())
		}
		before := l.sent.Load()
		until(t, "load that flows", func() bool { return l.sent.Load() > before+50 })
		<-time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
		p.kill()
		killed := time.Now()
		p, in = dev(t, dir, hookConfig("acme", "eu", "wk_web", hooks), ports...)
		away += time.Since(killed)
	}
	close(free)
	hanging.set(nil)
	flaky.set(nil)
	l.stop()
	t.Logf("%d acknowledged, %d kills, ready again after %v on average", l.sent.Load(), *kills, away/time.Duration(*kills))
	// A crash repeats requests in flight (one per user here) and 10 ms of settlements.
	bound := *kills * (users + users*5)
	for name, s := range map[string]*sink{"well": well, "flaky": flaky, "hanging": hanging} {
		dups := l.arrived(t, s)
		t.Logf("%s: %d events, %d came again (bound %d)", name, len(s.ids()), dups, bound)
		if dups > bound {
			t.Errorf("%s: %d came again after %d kills, want at most %d", name, dups, *kills, bound)
		}
		until(t, "a balanced book with nothing in flight", func() bool {
			b := bookOf(t, in, "web", name)
			return b.Balanced && b.InFlight == 0 && b.Parked == 0 && b.Delivered >= l.sent.Load()
		})
	}
}

// TestAHangingDestinationHurtsNobody parks what cannot be delivered, keeps its
// order, and leaves the neighbour alone.
func TestAHangingDestinationHurtsNobody(t *testing.T) {
	t.Parallel()
	good, bad := newSink(t), newSink(t)
	free := make(chan struct{})
	bad.set(hangs(free))
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"good": good.URL, "bad": bad.URL}))
	l := startLoad(func() string { return in.Gateway }, "wk_web", 8, 20*time.Millisecond)
	until(t, "parked deliveries of the one that hangs", func() bool { return bookOf(t, in, "web", "bad").Parked > 200 })
	sent := l.sent.Load()
	until(t, "the neighbour's deliveries meanwhile", func() bool { return int64(len(good.ids())) >= sent })
	if b := bookOf(t, in, "web", "bad"); !b.Balanced {
		t.Errorf("the book of the one that hangs does not balance: %+v", b)
	}
	close(free)
	bad.set(nil)
	until(t, "some more load", func() bool { return l.sent.Load() > sent+200 })
	l.stop()
	l.arrived(t, good)
	l.arrived(t, bad)
	until(t, "nothing parked", func() bool {
		b := bookOf(t, in, "web", "bad")
		return b.Parked == 0 && b.InFlight == 0 && b.Balanced
	})
}

// TestDeadLetters shows what a destination refuses, and sends it again.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	refuse := atomic.Bool{}
	refuse.Store(true)
	hook.set(func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if refuse.Load() {
			http.Error(w, "no such field", http.StatusUnprocessableEntity)
		}
		return refuse.Load()
	})
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	for i := range 5 {
		accept(t, in.Gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":"u","event":"E","messageId":"d%d"}`, i))
	}
	until(t, "five dead letters in the book", func() bool { return bookOf(t, in, "web", "hook").Dead == 5 })
	list := run(t, 0, "", "dlq", "list", "--destination", "hook", "--data-dir", in.Dir)
	for i := range 5 {
		if want := fmt.Sprintf("d%d", i); !contains(list, want) {
			t.Errorf("dlq list does not name %s:\n%s", want, list)
		}
	}
	refuse.Store(false)
	for verb, want := range map[string]string{"redrive": "5 would be sent again.", "discard": "5 would be discarded."} {
		if out := run(t, 0, "", "dlq", verb, "--destination", "hook", "--all", "--dry-run", "--data-dir", in.Dir); !contains(out, want) {
			t.Errorf("dlq %s --dry-run: %q, want %q", verb, out, want)
		}
	}
	if out := run(t, 0, "", "dlq", "redrive", "--code", "no_such_code", "--dry-run", "--data-dir", in.Dir); !contains(out, "0 would be sent again.") {
		t.Errorf("dlq redrive --dry-run of a code that nothing has: %q", out)
	}
	if b := bookOf(t, in, "web", "hook"); b.Dead != 5 || b.Delivered != 0 {
		t.Errorf("a preview changed the book: %+v", b)
	}
	run(t, 0, "", "dlq", "redrive", "--destination", "hook", "--all", "--data-dir", in.Dir)
	until(t, "five delivered", func() bool {
		b := bookOf(t, in, "web", "hook")
		return b.Dead == 0 && b.Parked == 0 && b.Delivered == 5 && b.Balanced
	})
	if ids := hook.ids(); len(ids) != 5 {
		t.Errorf("arrived: %v", ids)
	}
}

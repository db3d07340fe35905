package e2e_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLoadThatGrowsTenfoldLosesNothing sends as a crowd does: without waiting
// for answers, at a steady rate, then ten times of it within 5 s. What the product
// cannot take it sends away, and once it has caught up it takes everything again.
func TestLoadThatGrowsTenfoldLosesNothing(t *testing.T) {
	t.Parallel()
	const (
		steady = 250 // requests a second
		before = 2 * time.Second
		growth = 5 * time.Second
		full   = 3 * time.Second
		after  = 2 * time.Second
	)
	hook := newSink(t)
	p, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	gun := &salvo{t: t, gateway: in.Gateway, kept: map[string]bool{}}
	gun.fire(before, steady, steady)
	gun.fire(growth, steady, 10*steady)
	gun.fire(full, 10*steady, 10*steady)
	gun.wait()
	until(t, "a steady rate with nothing sent away", func() bool {
		busy := gun.busy
		gun.fire(after, steady, steady)
		gun.wait()
		return gun.busy == busy
	})
	t.Logf("%d sent, %d kept, %d sent away, slowest answer after %v", gun.sent, len(gun.kept), gun.busy, gun.slowest)
	until(t, "every kept event at the webhook", func() bool {
		got := hook.ids()
		for id := range gun.kept {
			if got[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, n := range hook.ids() {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
	until(t, "balanced books", func() bool {
		b := bookOf(t, in, "web", "hook")
		return b.Balanced && b.InFlight == 0 && b.Parked == 0 && int(b.Delivered) >= len(gun.kept)
	})
	p.stop()
}

// salvo sends events and keeps what became of them.
type salvo struct {
	t       *testing.T
	gateway string
	under   sync.WaitGroup

	sent int
	mu   sync.Mutex
	kept map[string]bool // answered with 200
	busy int             // answered with 503, or not at all
	// slowest is the longest time that an answer took.
	slowest time.Duration
}

// fire sends requests for some time at a rate that goes from one to another, a
// second. It does not wait for the answers.
func (s *salvo) fire(span time.Duration, from, to float64) {
	begin, tick := time.Now(), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	due, first := 0.0, s.sent
	for now := begin; now.Sub(begin) < span; now = <-tick.C {
		x := now.Sub(begin).Seconds()
		due = x * (from + (to-from)*x/span.Seconds()/2)
		for ; float64(s.sent-first) < due; s.sent++ {
			n := s.sent
			s.under.Go(func() { s.send(n) })
		}
	}
}

func (s *salvo) wait() { s.under.Wait() }

// closed is what a client says of a connection that was closed before an answer.
var closed = regexp.MustCompile("(EOF|connection reset by peer|broken pipe|server closed idle connection)$")

func (s *salvo) send(n int) {
	id := fmt.Sprintf("load-%d", n)
	body := fmt.Sprintf(`{"userId":"u%d","event":"Load","messageId":%q,"properties":{"text":%q}}`, n%500, id, strings.Repeat("x", 800))
	began := time.Now()
	code, answer := post(s.gateway, "/v1/track", "wk_web", body)
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slowest = max(s.slowest, took)
	switch {
	case code == http.StatusOK:
		s.kept[id] = true
	case code == http.StatusServiceUnavailable:
		s.busy++
	case code == 0 && closed.MatchString(answer):
		s.busy++ // a connection more than an address may have is closed at once
	default:
		s.t.Errorf("%s: %d %s", id, code, answer)
	}
}

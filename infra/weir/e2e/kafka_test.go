package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestKilledWhileRecordsAreWritten kills everything while records are under way to a cluster that
// breaks connections: every acknowledged event is a record, the first ones of each user
// are in order, and the book balances.
func TestKilledWhileRecordsAreWritten(t *testing.T) {
	t.Parallel()
	const users, partitions = 8, 3
	times := max(3, *kills/5)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(partitions, "events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	var requests atomic.Int64
	var well atomic.Bool
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if requests.Add(1)%20 == 0 && !well.Load() {
			return nil, errors.New("the connection breaks"), true
		}
		return nil, nil, false
	})
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: log
    type: kafka
    settings: { brokers: %q, tls: false, topic: events }
connections:
  - { source: web, destination: log }
`, strings.Join(cluster.ListenAddrs(), ","))
	dir, ports := t.TempDir(), addresses(t)
	p, in := dev(t, dir, config, ports...)
	l := startLoad(func() string { return in.Gateway }, "wk_web", users, 2*time.Millisecond)
	for range times {
		before := l.sent.Load()
		until(t, "load that flows", func() bool { return l.sent.Load() > before+200 })
		<-time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
		p.kill()
		p, in = dev(t, dir, config, ports...)
	}
	l.stop()
	well.Store(true)
	until(t, "a balanced book with nothing in flight", func() bool {
		b := bookOf(t, in, "web", "log")
		return b.Balanced && b.InFlight == 0 && b.Parked == 0 && b.Dead == 0 && b.Delivered >= l.sent.Load()
	})
	reader, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("events"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen, last, again := map[string]bool{}, map[int]int{}, 0
	missing := func() (n int) {
		for mid := range l.acked {
			if !seen[mid] {
				n++
			}
		}
		return n
	}
	for missing() > 0 && ctx.Err() == nil {
		for _, r := range reader.PollFetches(ctx).Records() {
			var e struct {
				MessageID  string
				Properties struct{ User, N int }
			}
			if err := json.Unmarshal(r.Value, &e); err != nil {
				t.Fatal(err)
			}
			if seen[e.MessageID] {
				again++
				continue
			}
			seen[e.MessageID] = true
			if was, some := last[e.Properties.User]; some && e.Properties.N < was {
				t.Errorf("user %d: event %d came for the first time after event %d", e.Properties.User, e.Properties.N, was)
			}
			last[e.Properties.User] = e.Properties.N
		}
	}
	t.Logf("%d acknowledged, %d kills, %d requests, %d came again", l.sent.Load(), times, requests.Load(), again)
	if n := missing(); n > 0 {
		t.Errorf("%d acknowledged events are no record", n)
	}
}

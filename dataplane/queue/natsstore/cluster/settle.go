package cluster

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Times of waiting for copies.
const (
	lookEvery = 250 * time.Millisecond
	sayEvery  = 5 * time.Second
	stillFor  = 30 * time.Second // without progress
	settleFor = 10 * time.Minute // in all
)

// Settle waits until every stream that got more copies has them, and says in the log
// how far they are. It gives up waiting, not the copies, when for half a minute none
// has come nearer, or after ten minutes: until then the streams are as safe as before.
func (c *Cluster) Settle(ctx context.Context) {
	if len(c.raised) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	begun := time.Now()
	said, moved, least := begun, begun, ^uint64(0)
	for {
		behind, lag := c.behind(ctx)
		now := time.Now()
		if len(behind) == 0 {
			c.cfg.Log.InfoContext(ctx, "copies of logs are complete", "logs", len(c.raised), "took", now.Sub(begun).Round(time.Millisecond))
			return
		}
		if lag < least {
			least, moved = lag, now
		}
		if now.Sub(said) >= sayEvery {
			said = now
			c.cfg.Log.InfoContext(ctx, "copies of logs are made", "logs", len(c.raised), "behind", len(behind), "records", lag)
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
		if ctx.Err() != nil || time.Since(moved) > stillFor {
			c.cfg.Log.WarnContext(ctx, "copies of logs are not complete; they are made while the plane runs", "behind", behind)
			return
		}
	}
}

// behind returns which raised streams have a copy that is not current, and how many
// steps all these copies are from it.
func (c *Cluster) behind(ctx context.Context) (names []string, lag uint64) {
	for _, name := range c.raised {
		s, err := c.cfg.JS.Stream(ctx, name)
		if err != nil {
			names, lag = append(names, name), lag+1
			continue
		}
		if n := missing(s.CachedInfo()); n > 0 {
			names, lag = append(names, name), lag+n
		}
	}
	return names, lag
}

// missing is how many steps the copies of a stream are from being current.
func missing(info *jetstream.StreamInfo) uint64 {
	if info.Cluster == nil || info.Cluster.Leader == "" {
		return 1
	}
	n := uint64(max(info.Config.Replicas-1-len(info.Cluster.Replicas), 0))
	for _, r := range info.Cluster.Replicas {
		if !r.Current || r.Pending {
			n += 1 + r.Lag
		}
	}
	if info.Cluster.Desired != nil {
		n++
	}
	return n
}

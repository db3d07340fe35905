// Package peers watches the servers of a NATS cluster that keeps a plane's logs,
// as a client can: it leaves a server that no longer answers, says which servers are
// away, and keeps the leaders of two streams apart of which one takes the other's place.
package peers

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"weir/shared/delay"
	"weir/shared/fault"
)

// Times of a watch.
const (
	linkEvery  = 250 * time.Millisecond // between two questions to the server of the connection
	linkLimit  = time.Second            // without its answer
	peersEvery = time.Second            // between two looks at the servers
	peersLimit = 2 * time.Second        // for the answer about one stream
	// awayAfter is for how long a stream's leader has not heard of a server that is
	// away; leaders hear of all every second.
	awayAfter = 4 * time.Second
	// moveEvery is for how long a leader is left alone that was told to step down.
	moveEvery = 3 * time.Second
)

// Pair is two streams that the same server should not lead; the second one's leader
// moves.
type Pair [2]string

// openPatience is how long Patiently tries.
const openPatience = time.Minute

// Patiently repeats open while it returns fault.Unavailable: a cluster that comes up
// elects its leaders first.
func Patiently(ctx context.Context, log *slog.Logger, open func(context.Context) error) error {
	for begun := time.Now(); ; {
		err := open(ctx)
		if err == nil || fault.KindOf(err) != fault.Unavailable || time.Since(begun) > openPatience {
			return err
		}
		log.WarnContext(ctx, "event log is not ready", "error", err)
		if !delay.For(ctx, time.Second) {
			return err
		}
	}
}

// Watch is one process's look at a cluster.
type Watch struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	streams []string
	apart   []Pair
	log     *slog.Logger
	moved   map[Pair]time.Time // when a leader was told to step down; look's
	away    atomic.Pointer[[]string]
}

// New returns a watch of the servers that keep streams, with the pairs among them that
// are kept apart. Run looks at them.
func New(nc *nats.Conn, js jetstream.JetStream, streams []string, apart []Pair, log *slog.Logger) *Watch {
	return &Watch{nc: nc, js: js, streams: streams, apart: apart, log: log, moved: map[Pair]time.Time{}}
}

// Away returns the names of servers that are away, sorted.
func (w *Watch) Away() []string {
	if away := w.away.Load(); away != nil {
		return *away
	}
	return nil
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	var g errgroup.Group
	g.Go(func() error { w.keepLink(ctx); return nil })
	g.Go(func() error { w.look(ctx); return nil })
	_ = g.Wait() // neither returns an error
}

// keepLink leaves the server of the connection when it does not answer: one that is
// frozen, or whose machine is gone, keeps the connection open for long.
func (w *Watch) keepLink(ctx context.Context) {
	for delay.For(ctx, linkEvery) {
		if !w.nc.IsConnected() {
			continue
		}
		server := w.nc.ConnectedServerName()
		if err := w.nc.FlushTimeout(linkLimit); err == nil || !w.nc.IsConnected() || w.nc.ConnectedServerName() != server {
			continue
		}
		w.log.Warn("event server does not answer, so another one is tried", "server", server)
		_ = w.nc.ForceReconnect() // an error says that the connection was closed
	}
}

// look keeps the list of servers that are away.
func (w *Watch) look(ctx context.Context) {
	for {
		leaders, away, known := w.ask(ctx)
		w.part(ctx, leaders)
		if known && !slices.Equal(away, w.Away()) {
			if len(away) > 0 {
				w.log.Warn("event servers are away", "servers", away)
			} else {
				w.log.Info("all event servers are back")
			}
			w.away.Store(&away)
		}
		if !delay.For(ctx, peersEvery) {
			return
		}
	}
}

// ask asks the leaders of all streams, and returns those that answered, by stream,
// without those that would be moved and are in use. known says that one answered.
func (w *Watch) ask(ctx context.Context) (leaders map[string]string, away []string, known bool) {
	leaders = map[string]string{}
	for _, name := range w.streams {
		info, err := w.info(ctx, name)
		if err != nil || info.Cluster == nil || info.Cluster.Leader == "" {
			continue
		}
		if info.State.Msgs == 0 || !w.yields(name) {
			leaders[name] = info.Cluster.Leader
		}
		known = true
		for _, r := range info.Cluster.Replicas {
			if r.Offline || r.Active > awayAfter {
				away = append(away, r.Name)
			}
		}
	}
	slices.Sort(away)
	return leaders, slices.Compact(away), known
}

// yields reports whether stream is the one of a pair whose leader moves.
func (w *Watch) yields(stream string) bool {
	return slices.ContainsFunc(w.apart, func(p Pair) bool { return p[1] == stream })
}

func (w *Watch) info(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, peersLimit)
	defer cancel()
	s, err := w.js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// part makes the leaders step down that should be elsewhere; the server chooses another
// one that has all of the stream.
func (w *Watch) part(ctx context.Context, leaders map[string]string) {
	for _, p := range w.apart {
		leader := leaders[p[0]]
		if leader == "" || leader != leaders[p[1]] || time.Since(w.moved[p]) < moveEvery {
			continue
		}
		w.moved[p] = time.Now()
		w.stepDown(ctx, p[1], leader)
	}
}

func (w *Watch) stepDown(ctx context.Context, stream, leader string) {
	ctx, cancel := context.WithTimeout(ctx, peersLimit)
	defer cancel()
	if _, err := w.nc.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil); err != nil && ctx.Err() == nil {
		w.log.Warn("event server was not asked to step down", "stream", stream, "server", leader, "error", err)
	}
}

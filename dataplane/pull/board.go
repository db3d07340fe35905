package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/jobs"
	"weir/dataplane/pull/stale"
	"weir/dataplane/queue/natsstore/table"
	"weir/dataplane/share"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Times and bounds of the board. Pages of at most 16 MiB in so many slots are the 64 MiB
// that pullers may have in flight.
const (
	lookEvery  = time.Second
	watchAgain = time.Second
	putTries   = 10
	slots      = 4
	aside      = 4
	stepTime   = 45 * time.Second
	stepMost   = 2 * time.Minute // with the last request and its rows
	followMost = 11 * time.Minute
)

// Table keeps states; *table.Table is one.
type Table interface {
	Get(ctx context.Context, key string) (table.Document, error)
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, changed func(table.Document), known func()) error
}

// Config is what a Board works with. All fields but Stale and Runner are required.
type Config struct {
	Table      Table
	Partitions int
	Owns       func(partition int) bool // this process has the partition
	Targets    func() []*Target         // as they are configured now
	Append     func(ctx context.Context, events []event.Event) error
	Deps       Deps
	// Stale is Deps.Stale of a target.
	Stale  func(ctx context.Context, t *Target, q stale.Query) (stale.Rows, error)
	Runner func(jobs.Config) jobs.Runner // nil: a jobs.Loop
	Log    *slog.Logger
}

// Board pulls the sources of a plane. Its methods are safe for concurrent use.
type Board struct {
	cfg    Config
	slots  *share.Slots
	runner jobs.Runner
	wake   chan struct{}

	mu     sync.Mutex
	known  bool // the states that there were are here
	states map[Key]kept
	works  map[id.Source]*work // by source that this process pulls
}

// work is one source that this process pulls.
type work struct {
	target *Target
	puller Puller
	ctx    context.Context
	stop   context.CancelFunc
	steps  int // that are done now
}

// New returns a Board that Run runs. fault.Internal: something in cfg is missing.
func New(cfg Config) (*Board, error) {
	if cfg.Table == nil || cfg.Partitions < 1 || cfg.Owns == nil || cfg.Targets == nil || cfg.Append == nil || cfg.Deps.Do == nil || cfg.Deps.Now == nil || cfg.Log == nil {
		return nil, fault.New(fault.Internal, "Pulls need a table, partitions, targets, a way for rows and one to ask, and a log.")
	}
	b := &Board{cfg: cfg, slots: share.New(share.Config{Slots: slots, Aside: aside, Patience: stepTime}), wake: make(chan struct{}, 1), states: map[Key]kept{}, works: map[id.Source]*work{}}
	c := jobs.Config{Step: b.do, Lane: laneOf, Log: cfg.Log}
	if cfg.Runner == nil {
		b.runner = jobs.NewLoop(c)
	} else {
		b.runner = cfg.Runner(c)
	}
	return b, nil
}

// Run pulls until ctx ends.
func (b *Board) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			err := b.cfg.Table.Watch(ctx, b.changed, func() { b.mu.Lock(); b.known = true; b.mu.Unlock(); b.look() })
			if ctx.Err() == nil {
				b.cfg.Log.WarnContext(ctx, "states of pulls are not followed", "error", err)
			}
			delay.For(ctx, watchAgain)
		}
	})
	all.Go(func() { b.runner.Run(ctx) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		b.assign(ctx)
		select {
		case <-tick.C:
		case <-b.wake:
		case <-ctx.Done():
		}
	}
	all.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.works {
		w.close()
	}
}

// close ends what a puller holds.
func (w *work) close() {
	if c, ok := w.puller.(interface{ Close() }); ok {
		c.Close()
	}
}

func (b *Board) look() {
	select {
	case b.wake <- struct{}{}:
	default: // Run will look
	}
}

// partition is which one's owner pulls a source.
func (b *Board) partition(s id.Source) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return int(h.Sum32() % uint32(b.cfg.Partitions))
}

// assign begins to pull what is this process's and ends what is not any more.
func (b *Board) assign(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		return
	}
	wanted := map[id.Source]*Target{}
	var all []jobs.Want
	for _, t := range b.cfg.Targets() {
		mine := b.cfg.Owns(b.partition(t.ID))
		if t.Disabled {
			continue
		}
		if mine && len(t.Streams) > 0 {
			wanted[t.ID] = t
		}
		for _, s := range t.Streams {
			every, cron := t.Pull.Schedule(whole(t.Streams, s.Name))
			all = append(all, jobs.Want{Key: Key{t.Workspace, t.ID, s.Name}.Job(), Every: every, Cron: cron, Elsewhere: !mine})
		}
	}
	var fresh []jobs.Key
	for s, w := range b.works {
		if t := wanted[s]; t == w.target {
			continue
		}
		if w.stop(); w.steps == 0 { // else its step ends first: never two of one stream
			w.close()
			delete(b.works, s)
		}
	}
	for s, t := range wanted {
		if b.works[s] != nil {
			continue
		}
		deps := b.cfg.Deps
		deps.Source = t.ID
		if b.cfg.Stale != nil {
			deps.Stale = func(ctx context.Context, q stale.Query) (stale.Rows, error) { return b.cfg.Stale(ctx, t, q) }
		}
		w := &work{target: t, puller: t.Opened(deps)}
		w.ctx, w.stop = context.WithCancel(ctx)
		b.works[s] = w
		for _, x := range t.Streams {
			fresh = append(fresh, Key{t.Workspace, t.ID, x.Name}.Job())
		}
	}
	b.runner.Set(all)
	for _, k := range fresh {
		b.runner.Kick(k)
	}
}

// do does a step of a job.
func (b *Board) do(ctx context.Context, k jobs.Key) (jobs.Next, error) {
	key, ok := keyOfJob(k)
	if !ok {
		return jobs.Next{Idle: true}, nil
	}
	b.mu.Lock()
	w := b.works[key.Source]
	if w == nil || w.ctx.Err() != nil || w.target.Workspace != key.Workspace {
		b.mu.Unlock()
		return jobs.Next{Wait: lookEvery, Idle: true}, nil
	}
	w.steps++
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if w.steps--; w.ctx.Err() != nil {
			b.look()
		}
	}()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(w.ctx, stop)()
	return b.step(ctx, w, key.Stream)
}

// changed takes a state that somebody replaced.
func (b *Board) changed(d table.Document) {
	k, ok := parseKey(d.Key)
	if !ok {
		return
	}
	x, ok := read(d)
	if !ok {
		b.cfg.Log.Error("the state of a pull is unreadable", "source", k.Source, "stream", k.Stream)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	former := b.states[k]
	if former.revision >= x.revision {
		return
	}
	b.states[k] = x
	if w := b.works[k.Source]; w != nil && x.Epoch != former.Epoch {
		b.runner.Kick(k.Job())
	}
}

// state returns the newest known state of a stream.
func (b *Board) state(k Key) kept {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.states[k]
}

// put replaces a state that was as from, and returns it as it is kept. fault.Conflict:
// somebody else replaced it.
func (b *Board) put(ctx context.Context, k Key, from kept, to State) (kept, error) {
	to.Version = stateVersion
	value, err := json.Marshal(to)
	if err != nil {
		return from, fmt.Errorf("encode the state of a pull: %w", err)
	}
	revision, err := b.cfg.Table.Put(ctx, k.String(), value, from.revision)
	if err != nil {
		now, readErr := b.cfg.Table.Get(ctx, k.String())
		if readErr != nil {
			return from, err
		}
		b.changed(now)
		if !bytes.Equal(now.Value, value) {
			return from, err
		}
		revision = now.Revision // it was written, and the answer was lost
	}
	next := kept{to, revision}
	b.mu.Lock()
	if b.states[k].revision < revision {
		b.states[k] = next
	}
	b.mu.Unlock()
	return next, nil
}

// change replaces the state of a stream by what f makes of it.
func (b *Board) change(ctx context.Context, k Key, f func(*State)) error {
	for range putTries {
		b.mu.Lock()
		now, known := b.states[k], b.known
		b.mu.Unlock()
		if !known {
			return fault.New(fault.Unavailable, "The plane has not read its states of pulls yet.")
		}
		next := now.State
		f(&next)
		next.Epoch++
		_, err := b.put(ctx, k, now, next)
		if fault.KindOf(err) != fault.Conflict {
			if err == nil {
				b.kick(k)
			}
			return err
		}
	}
	return fault.New(fault.Unavailable, "The state of the stream changes while it is written.")
}

func (b *Board) kick(k Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.works[k.Source]; w != nil {
		b.runner.Kick(k.Job())
	}
}

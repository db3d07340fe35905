package moves_test

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/moves"
	"weir/dataplane/parked"
	"weir/dataplane/quarantine"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/fault"
	"weir/shared/id"
)

// memory is a Table in memory that loses answers and refuses, one in so many calls.
type memory struct {
	mu       sync.Mutex
	rng      *rand.Rand
	faults   int // 0: none
	docs     map[string]table.Document
	revision uint64
	watchers map[*func(table.Document)]struct{}
}

func newMemory(seed uint64, faults int) *memory {
	return &memory{rng: rand.New(rand.NewPCG(seed, 1)), faults: faults, docs: map[string]table.Document{}, watchers: map[*func(table.Document)]struct{}{}}
}

func (m *memory) unlucky() bool { return m.faults > 0 && m.rng.IntN(m.faults) == 0 }

var errAway = fault.New(fault.Unavailable, "The store is away.")

func (m *memory) Get(_ context.Context, key string) (table.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unlucky() {
		return table.Document{}, errAway
	}
	d, ok := m.docs[key]
	if !ok {
		return d, fault.New(fault.Missing, "There is none.")
	}
	return d, nil
}

func (m *memory) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil || m.unlucky() {
		return 0, errAway
	}
	if m.docs[key].Revision != revision {
		return 0, fault.New(fault.Conflict, "It changed.")
	}
	m.revision++
	d := table.Document{Key: key, Value: value, Revision: m.revision}
	m.docs[key] = d
	for w := range m.watchers {
		(*w)(d)
	}
	if m.unlucky() {
		return 0, errAway
	}
	return d.Revision, nil
}

func (m *memory) Watch(ctx context.Context, changed func(table.Document), known func()) error {
	queue := make(chan table.Document, 10_000)
	tell := func(d table.Document) { queue <- d }
	m.mu.Lock()
	for _, d := range m.docs {
		queue <- d
	}
	m.watchers[&tell] = struct{}{}
	n := len(queue)
	m.mu.Unlock()
	defer func() { m.mu.Lock(); delete(m.watchers, &tell); m.mu.Unlock() }()
	for ; n > 0; n-- {
		changed(<-queue)
	}
	known()
	for {
		select {
		case d := <-queue:
			changed(d)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// letter is an event in a log of the model.
type letter struct {
	n     int
	at    time.Time
	place uint64
}

// logs is the dead letters and the quarantined events of one partition of the model.
type logs struct {
	mu    sync.Mutex
	rng   *rand.Rand
	fails int // one in so many calls fails; 0: none
	owner int // the process that runs it
	dead  map[id.Destination][]letter
	bad   map[id.Source][]letter
	moved map[string][]int // by destination or source, in the order of their moves
	cost  time.Duration    // of a call, and of each event
	next  uint64
	asked []parked.Filter
}

const (
	ws   = id.Workspace("ws_one")
	dest = id.Destination("dst_one")
	src  = id.Source("src_one")
)

// bury adds n letters of a destination now.
func (l *logs) bury(d id.Destination, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.next++
		l.dead[d] = append(l.dead[d], letter{n: int(l.next), at: time.Now(), place: l.next})
	}
}

// refuse adds n quarantined events of a source now.
func (l *logs) refuse(s id.Source, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.next++
		l.bad[s] = append(l.bad[s], letter{n: int(l.next), at: time.Now(), place: l.next})
	}
}

func (l *logs) rows() (all []ledger.Row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range slices.Sorted(maps.Keys(l.dead)) {
		all = append(all, ledger.Row{Workspace: ws, Source: src, Destination: d, Dead: int64(len(l.dead[d]))})
	}
	for _, s := range slices.Sorted(maps.Keys(l.bad)) {
		all = append(all, ledger.Row{Workspace: ws, Source: s, Quarantined: 1})
	}
	return all
}

// end is logs as one process of the plane sees them.
type end struct {
	*logs
	process int
}

func (e end) here() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.owner != e.process || e.fails > 0 && e.rng.IntN(e.fails) == 0 {
		return fault.New(fault.Unavailable, "The partition does not run here.")
	}
	return nil
}

func (e end) chosen(f parked.Filter) (n int) {
	e.asked = append(e.asked, f)
	for _, x := range e.dead[f.Destination] {
		if x.at.Before(f.Before) {
			n++
		}
	}
	return n
}

func (e end) Count(_ context.Context, f parked.Filter) (int, error) {
	if err := e.here(); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.chosen(f), nil
}

// Redrive moves letter by letter, and dies in the midst now and then.
func (e end) Redrive(ctx context.Context, f parked.Filter) (moved int, err error) {
	time.Sleep(e.cost)
	for {
		if ctx.Err() != nil {
			return moved, fault.New(fault.Unavailable, "The call ended.")
		}
		if err := e.here(); err != nil {
			return moved, err
		}
		if f.Most > 0 && moved == f.Most || moved > 0 && !time.Now().Before(f.Until) {
			return moved, nil
		}
		time.Sleep(e.cost)
		e.mu.Lock()
		if e.chosen(f) == 0 {
			e.mu.Unlock()
			return moved, nil
		}
		first := e.dead[f.Destination][0]
		e.dead[f.Destination] = e.dead[f.Destination][1:]
		e.moved[string(f.Destination)] = append(e.moved[string(f.Destination)], first.n)
		moved++
		e.mu.Unlock()
		f.Moved(1)
	}
}

func (e end) Retransform(ctx context.Context, f parked.Filter, _ func(event.Event) bool, _ func(context.Context, []event.Event) error) (int, error) {
	return e.Redrive(ctx, f)
}
func (e end) Discard(ctx context.Context, f parked.Filter) (int, error) { return e.Redrive(ctx, f) }

// broken is the quarantined events of an end.
type broken struct{ end }

func (b broken) Count(_ context.Context, f quarantine.Filter) (n int, err error) {
	if err := b.here(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.bad[f.Source] {
		if x.at.Before(f.Before) {
			n++
		}
	}
	return n, nil
}

// Replay takes a few events of span.
func (b broken) Replay(_ context.Context, f quarantine.Filter, span quarantine.Span) (moved int, rest quarantine.Span, err error) {
	time.Sleep(b.cost)
	if err := b.here(); err != nil {
		return 0, quarantine.Span{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if span.Until == 0 {
		span.Until = b.next
	}
	most := 20
	if f.Most > 0 {
		most = min(most, f.Most)
	}
	b.bad[f.Source] = slices.DeleteFunc(b.bad[f.Source], func(x letter) bool {
		if moved == most || x.place <= span.After || x.place > span.Until || !x.at.Before(f.Before) {
			return false
		}
		b.moved[string(f.Source)] = append(b.moved[string(f.Source)], x.n)
		rest = quarantine.Span{After: x.place, Until: span.Until}
		moved++
		return true
	})
	if moved < most {
		rest = quarantine.Span{}
	}
	return moved, rest, nil
}

func (b broken) Discard(ctx context.Context, f quarantine.Filter, span quarantine.Span) (int, quarantine.Span, error) {
	return b.Replay(ctx, f, span)
}

// plane is a table and partitions that outlive their processes.
type plane struct {
	t     *testing.T
	table *memory
	parts []*logs
}

func newPlane(t *testing.T, seed uint64, partitions, faults int) *plane {
	p := &plane{t: t, table: newMemory(seed, faults)}
	for n := range partitions {
		p.parts = append(p.parts, &logs{rng: rand.New(rand.NewPCG(seed, uint64(n)+2)), fails: 5 * faults, dead: map[id.Destination][]letter{}, bad: map[id.Source][]letter{}, moved: map[string][]int{}, cost: time.Millisecond})
	}
	return p
}

// start starts a process; stop ends it, as a death does when it must not write any more.
func (p *plane) start(process int) (b *moves.Board, stop func()) {
	p.t.Helper()
	cfg := moves.Config{
		Connected: func(event.Event) bool { return true }, Replay: func(context.Context, []event.Event) error { return nil }, Log: slog.New(slog.DiscardHandler),
	}
	life := &mortal{memory: p.table}
	cfg.Table = life
	for _, l := range p.parts {
		e := end{l, process}
		cfg.Partitions = append(cfg.Partitions, moves.Partition{
			Dead: func() (moves.Dead, error) {
				if err := e.here(); err != nil {
					return nil, err
				}
				return e, nil
			},
			Quarantine: broken{e}, Rows: l.rows,
		})
	}
	b, err := moves.New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.t.Context())
	ended := make(chan struct{})
	go func() { b.Run(ctx); close(ended) }()
	return b, func() {
		life.kill()
		cancel()
		<-ended
	}
}

// mortal is a Table of a process that died: nothing is written any more.
type mortal struct {
	*memory
	mu   sync.Mutex
	dead bool
}

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

func (m *mortal) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	dead := m.dead
	m.mu.Unlock()
	if dead {
		return 0, errAway
	}
	return m.memory.Put(ctx, key, value, revision)
}

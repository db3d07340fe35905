package agent

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/guard"
	"weir/dataplane/plan"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/condition"
	"weir/shared/wire/edge"
	"weir/shared/workspace"
)

// Config is what an agent needs; all but Status, Version, Log and the times are
// required.
type Config struct {
	Dir     string // of its own, made when absent
	Region  string
	Sealing secret.PrivateKey // opens secrets
	Guard   *guard.Guard
	Kinds   plan.Kinds
	Plans   *plan.Holder
	Version string // of the software, semantic
	// GatewayURL and ViewURL are where people and browsers reach this plane; beats
	// carry them. Empty: as told at joining.
	GatewayURL, ViewURL string

	Status func() Status // asked for every beat; must be quick
	Log    *slog.Logger
	// BeatEvery is how often a beat goes up at least; 0 means 10 s.
	BeatEvery time.Duration
	// Patience is how long a body or secret may be missing on the hub before the
	// revision is rejected for it; it is looked for ever after. 0 means 30 s.
	Patience time.Duration
}

// Status is what the plane says about itself.
type Status struct {
	Healthy bool
	Alarms  []wire.Alarm
	Counts  []wire.Count
	Partial bool // Counts lack what is not known in this process now
	// Counts have then, if Of is not 0, all of the Partitions that run in this process.
	Partitions []int
	Of         int // so many that the plane has
	// Condition is how this process does; the agent says which it is, and since when it is linked.
	Condition condition.Report
}

// Agent keeps a plane's plans as the control plane wants them.
type Agent struct {
	cfg     Config
	log     *slog.Logger
	process string // tells it from other processes of the plane
	kinds   []wire.Kind
	started time.Time
	wake    chan struct{} // something to reconcile
	nudge   chan struct{} // something to tell at once

	mu     sync.Mutex
	wants  map[id.Workspace]*want
	alarms map[wire.Code]uint64 // since the start
	acks   map[id.Workspace]ackState

	// These belong to Load, then to the reconciler.
	kept     map[id.Workspace]kept
	unloaded map[id.Workspace]bool    // what was kept of them cannot run
	blocked  map[id.Workspace]blocked // refused for a write key that another workspace had
}

// want is a pointer that was not decided on yet.
type want struct {
	pointer wire.Pointer
	since   time.Time // when the first attempt was made; zero: none yet
	after   time.Time // no attempt before
	tries   int
	nacked  bool // rejected for something missing; it is still looked for
}

// ackState is the newest word on a workspace, and whether the hub has it.
type ackState struct {
	ack  wire.Ack
	sent bool
}

// New checks cfg. Call Load before the partitions start, then Run.
func New(cfg Config) (*Agent, error) {
	if cfg.Dir == "" || cfg.Guard == nil || cfg.Plans == nil || cfg.Region == "" {
		return nil, fault.New(fault.Internal, "An agent needs a directory, a region, a guard and a holder of plans.")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Status == nil {
		cfg.Status = func() Status { return Status{Healthy: true} }
	}
	if cfg.BeatEvery <= 0 {
		cfg.BeatEvery = 10 * time.Second
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 30 * time.Second
	}
	return &Agent{
		cfg: cfg, log: cfg.Log, process: rand.Text(), kinds: KindsOf(cfg.Kinds), started: time.Now().UTC(), wake: make(chan struct{}, 1), nudge: make(chan struct{}, 1),
		wants: map[id.Workspace]*want{}, alarms: map[wire.Code]uint64{}, acks: map[id.Workspace]ackState{}, unloaded: map[id.Workspace]bool{}, blocked: map[id.Workspace]blocked{},
	}, nil
}

// Alarm counts something that was refused; it is the Alarm of the EdgeConfig. It
// never blocks.
func (a *Agent) Alarm(c wire.Code) {
	a.mu.Lock()
	a.alarms[c]++
	a.mu.Unlock()
	ring(a.nudge)
}

// Load runs what was kept on disk. What cannot run any more (the guard has
// changed, or the build, or the file is damaged) stays on disk, is alarmed, and is
// told to the holder of plans until the hub or the next start settles it; only a
// disk that cannot be read is an error.
func (a *Agent) Load(ctx context.Context) error {
	if err := os.MkdirAll(a.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("agent's directory: %w", err)
	}
	all, damaged, err := read(a.cfg.Dir)
	if err != nil {
		return err
	}
	for _, name := range damaged {
		a.log.Error("kept workspace is damaged", "file", name)
		a.Alarm("state_damaged")
		if ws := id.Workspace(strings.TrimSuffix(name, fileEnd)); id.Valid(ws) {
			a.cfg.Plans.Unload(ws, nil)
		}
	}
	for _, ws := range slices.Sorted(maps.Keys(all)) {
		k := all[ws]
		switch {
		case k.Running.Number > 0:
			if ok := a.restore(ctx, ws, &k); !ok {
				a.unloaded[ws] = true
				k.Ack.Running = 0 // it does not run, so no ack may say so
				if k.Ack.State == wire.Applied {
					k.Ack = wire.Ack{}
				}
			}
			all[ws] = k
		case k.Seen.Tombstone:
			a.cfg.Plans.Remove(ws)
		}
		if k.Ack.Number > 0 {
			a.acks[ws] = ackState{ack: k.Ack}
		}
	}
	a.kept = all
	a.cfg.Plans.MarkLoaded()
	return nil
}

// Tries to compile what ran before a restart, when workers cannot be started.
const (
	maxRestores = 5
	restoreWait = time.Second
)

// restore compiles what ran before the restart, and adds to k what it remembers.
func (a *Agent) restore(ctx context.Context, ws id.Workspace, k *kept) bool {
	found := revisionOf(a.cfg, k.Running, k.Body)
	secrets := plan.Secrets{}
	opener := openerOf(a.cfg, found.config, k.Unbound)
	for _, e := range k.Secrets {
		clear, err := opener.open(e.Name, e.Sealed)
		if err != nil {
			a.log.Error("kept secret does not open", "workspace", ws, string(e.Name.Family), e.Name.Object)
			continue // the plan will lack it
		}
		secrets[e.Name] = clear
	}
	k.Unbound = opener.unbound
	p, problems, err := found.compile(ctx, a.cfg, secrets)
	for tries := 1; err != nil && ctx.Err() == nil && tries < maxRestores; tries++ {
		a.log.Warn("kept revision not compiled yet", "workspace", ws, "number", k.Running.Number, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(restoreWait):
		}
		p, problems, err = found.compile(ctx, a.cfg, secrets)
	}
	if err != nil {
		problems = []fault.Problem{{Code: "unavailable"}}
	}
	if p != nil {
		p.Removed = k.Removed
		if err := a.cfg.Plans.Put(p); err != nil {
			problems = fault.ProblemsOf(err)
		}
	}
	if len(problems) > 0 {
		a.log.Error("kept revision cannot run", "workspace", ws, "number", k.Running.Number, "code", problems[0].Code)
		a.Alarm("state_damaged")
		a.cfg.Plans.Unload(ws, found.writeKeys())
		return false
	}
	a.log.Info("kept revision runs", "workspace", ws, "number", k.Running.Number)
	return true
}

// Run follows the hub until ctx ends. Load has to be called before.
func (a *Agent) Run(ctx context.Context, edge *edge.Edge) error {
	if a.kept == nil {
		return fault.New(fault.Internal, "The agent was not loaded.")
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.listen(ctx, edge) })
	g.Go(func() error { a.reconcile(ctx, edge); return nil })
	g.Go(func() error { a.tell(ctx, edge); return nil })
	if err := g.Wait(); err != nil {
		return fmt.Errorf("follow the hub: %w", err)
	}
	return nil
}

// listen turns pointers into wants; it decides nothing.
func (a *Agent) listen(ctx context.Context, edge *edge.Edge) error {
	for p, err := range edge.Pointers(ctx) {
		if err != nil {
			return err
		}
		a.heard(p, time.Now())
		ring(a.wake)
	}
	return nil
}

// heard makes a pointer what is wanted of its workspace, behind what others want.
func (a *Agent) heard(p wire.Pointer, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.wants[p.Workspace]; w == nil || w.pointer.Number < p.Number {
		a.wants[p.Workspace] = &want{pointer: p, after: now}
	}
}

// tell sends acks and beats: at once after a change, soon when the control plane asks
// for one, and every BeatEvery.
func (a *Agent) tell(ctx context.Context, edge *edge.Edge) {
	tick := time.NewTicker(a.cfg.BeatEvery)
	defer tick.Stop()
	retry := time.NewTicker(max(a.cfg.BeatEvery/10, 10*time.Millisecond))
	defer retry.Stop()
	connected, linked, beaten, answered := false, time.Time{}, time.Time{}, uint64(0)
	for {
		owed := false // a beat
		up := edge.Connected()
		if up && !connected {
			a.repeat() // an emptied hub knows none of them
			linked, beaten = time.Now().UTC().Truncate(time.Second), time.Time{}
		}
		connected = up
		if up {
			a.sendAcks(ctx, edge)
			owed = true
			asked := edge.Asked()
			if time.Since(beaten) >= a.cfg.BeatEvery/10 && a.beat(ctx, edge, asked, linked) { // changes in a row make few beats
				beaten, answered, owed = time.Now(), asked, false
			}
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				waiting = false
			case <-a.nudge:
				waiting = false
			case <-retry.C:
				waiting = edge.Connected() == connected && !owed && !a.owing() && edge.Asked() == answered
			}
		}
	}
}

// repeat makes all acks go up again.
func (a *Agent) repeat() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for ws, s := range a.acks {
		s.sent = false
		a.acks[ws] = s
	}
}

// owing reports whether an ack still has to go up.
func (a *Agent) owing() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.acks {
		if !s.sent {
			return true
		}
	}
	return false
}

func (a *Agent) sendAcks(ctx context.Context, edge *edge.Edge) {
	a.mu.Lock()
	var todo []wire.Ack
	for _, s := range a.acks {
		if !s.sent {
			todo = append(todo, s.ack)
		}
	}
	a.mu.Unlock()
	for _, ack := range todo {
		err := edge.Ack(ctx, ack)
		if err != nil && fault.KindOf(err) == fault.Unavailable {
			a.log.WarnContext(ctx, "ack not sent", "workspace", ack.Workspace, "number", ack.Number, "error", err)
			return // the others would not be either
		}
		if err != nil {
			a.log.ErrorContext(ctx, "ack refused", "workspace", ack.Workspace, "number", ack.Number, "error", err)
		}
		a.mu.Lock()
		if s := a.acks[ack.Workspace]; s.ack.Number == ack.Number && s.ack.State == ack.State && s.ack.At.Equal(ack.At) {
			s.sent = true
			a.acks[ack.Workspace] = s
		}
		a.mu.Unlock()
	}
}

// beat reports whether a beat went up, which answers an ask that was heard before. The hub is
// reached since linked.
func (a *Agent) beat(ctx context.Context, edge *edge.Edge, asked uint64, linked time.Time) bool {
	status := a.cfg.Status()
	b := wire.Beat{Started: a.started, Version: a.cfg.Version, Healthy: status.Healthy, Gateway: a.cfg.GatewayURL, View: a.cfg.ViewURL, Alarms: slices.Clone(status.Alarms), Counts: status.Counts, Partial: status.Partial, Asked: asked}
	if status.Of > 0 {
		b.Process, b.Partitions, b.Of = a.process, status.Partitions, status.Of
	}
	b.Condition = &status.Condition
	b.Condition.Process, b.Condition.Linked = a.process, linked
	b.Kinds = a.kinds
	a.mu.Lock()
	for _, c := range slices.Sorted(maps.Keys(a.alarms)) {
		b.Alarms = append(b.Alarms, wire.Alarm{Code: c, Count: a.alarms[c]})
	}
	a.mu.Unlock()
	err := edge.Beat(ctx, b)
	if err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "beat not sent", "error", err)
	}
	return err == nil || fault.KindOf(err) == fault.Limited
}

// KindsOf lists kinds as they are told to the control plane, and with them the
// languages of transformations.
func KindsOf(k plan.Kinds) []wire.Kind {
	kinds := []wire.Kind{}
	for _, s := range k.Specs() {
		kinds = append(kinds, wire.Kind{Family: string(s.Family), Digest: catalog.Digest(s)}.Named(s.Name))
	}
	for _, name := range append(workspace.Additions(), "javascript") {
		kinds = append(kinds, wire.Kind{Family: "transformation", Name: name, Digest: catalog.Digest(catalog.Spec{Name: name})})
	}
	return append(kinds, wire.BoundSecrets())
}

// ring wakes whoever listens on c, which has room for one.
func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package dataplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/agent"
	"weir/dataplane/backlog"
	"weir/dataplane/dedupe"
	"weir/dataplane/destination"
	"weir/dataplane/enrol"
	"weir/dataplane/erase"
	"weir/dataplane/erasures"
	"weir/dataplane/event"
	"weir/dataplane/guard"
	"weir/dataplane/health"
	"weir/dataplane/ingest"
	"weir/dataplane/jobs/record"
	"weir/dataplane/jobs/temporal"
	"weir/dataplane/listen"
	"weir/dataplane/live"
	"weir/dataplane/load"
	"weir/dataplane/load/pauses"
	"weir/dataplane/machine"
	"weir/dataplane/moves"
	"weir/dataplane/outbound"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/overflow"
	"weir/dataplane/partition"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/plan"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/profile/runs"
	"weir/dataplane/pull"
	"weir/dataplane/queue"
	"weir/dataplane/queue/detour"
	"weir/dataplane/queue/natsstore"
	"weir/dataplane/syncs"
	"weir/dataplane/transform"
	"weir/dataplane/troubles"
	"weir/dataplane/view"
	"weir/dataplane/view/erasing"
	"weir/dataplane/view/warehouses"
	"weir/dataplane/warehouse"
	"weir/shared/capability"
	"weir/shared/egress"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/proxy"
	"weir/shared/script"
	"weir/shared/telemetry"
	"weir/shared/wire"
	"weir/shared/wire/edge"
)

// DataPlane is one data plane. Run it once.
type DataPlane struct {
	cfg      Config
	trusted  proxy.Trusted
	up       chan struct{} // closed when events are taken
	compiler *script.Compiler

	mu        sync.Mutex
	addresses Addresses
	urls      Addresses

	// Made by Run before anything reads them.
	plane       enrol.Admission
	plans       plan.Holder
	live        live.Hub
	aside       aside.Board
	code        *transform.Pool
	files       warehouse.Owners // of warehouses
	machine     machine.Role
	loading     *load.Engine
	pauses      pauses.Keeper
	fileWarning sync.Once // that files belong to one process
	yield       *backlog.Yield
	store       *natsstore.Store
	shared      [queue.Kinds][]*overflow.Log // by partition
	detours     []*detour.Log                // of EVENTS, by partition; none without a cluster
	partitions  []*partition.Partition
	health      *health.Monitor
	writer      *queue.Writer
	gateway     *ingest.Gateway
	view        *view.View
	moves       *moves.Board
	syncs       *syncs.Engine
	profiles    *runs.Board
	copies      *lookup.Store
	expires     *erase.Expirer
	backfills   *warehouses.Backfills
	erasures    *erasures.Board
	pulls       *pull.Board
	book        *record.Book      // of the jobs of these
	histories   *temporal.Service // nil: without Temporal
	access      *auth.Shared      // tokens of the processes of this plane
	client      *outbound.Client
}

// Addresses is where a plane listens, as host:port, or is reached, as URLs; empty before Run listens.
type Addresses struct{ Gateway, View, Metrics string }

// New checks cfg, all of it at once. fault.Invalid: something in it is wrong.
func New(cfg Config) (*DataPlane, error) {
	trusted, err := cfg.check()
	if err != nil {
		return nil, err
	}
	return &DataPlane{cfg: cfg, compiler: script.NewCompiler(script.Config{}), trusted: trusted, up: make(chan struct{})}, nil
}

// Ready is closed when an event that is sent now would be accepted.
func (d *DataPlane) Ready() <-chan struct{} { return d.up }

// Addresses returns where the plane listens.
func (d *DataPlane) Addresses() Addresses {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addresses
}

// URLs returns where people and browsers reach the plane.
func (d *DataPlane) URLs() Addresses {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.urls
}

// Run runs the plane until ctx ends, then stops it in order: the gateway answers what it holds, the
// partitions write down what they did, the log is closed.
//
// fault.Missing: the plane has not joined. fault.Conflict: another process uses the data directory.
// fault.Unavailable: an address is taken, or the cluster for events does not answer.
func (d *DataPlane) Run(ctx context.Context) error {
	var err error
	if d.plane, err = enrol.ReadAdmission(d.cfg.DataDir); err != nil {
		return err
	}
	k, err := enrol.LoadKeys(d.cfg.DataDir)
	if err != nil {
		return err
	}
	g, err := guard.Load(filepath.Join(d.cfg.DataDir, guardFile))
	if err != nil {
		return err
	}
	if odd := g.Unknown(); len(odd) > 0 {
		d.cfg.Log.WarnContext(ctx, "guard.yaml allows actions that do not exist", "unknown", odd, "known", capability.Actions())
	}
	l, err := d.listen(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	d.store, err = natsstore.Open(ctx, natsstore.Config{
		Dir: d.cfg.DataDir, Address: d.cfg.Events, Files: d.cfg.EventsFiles, Replicas: d.cfg.Replicas, MaxBytes: d.cfg.EventsBytes, LazySync: d.cfg.AllowLazySync, Partitions: d.cfg.Partitions, Log: d.cfg.Log, Replace: d.cfg.Restart,
	})
	if err != nil {
		return err
	}
	return errors.Join(d.run(ctx, k, g, l), d.store.Close())
}

// run runs everything on an open log.
func (d *DataPlane) run(ctx context.Context, k enrol.Keys, g *guard.Guard, l listeners) error {
	d.access = d.tokens(k)
	client := outbound.New(outbound.Config{Dial: d.dialer(g), StandardHTTP: d.cfg.StandardHTTP, Machine: d.machine.Keys, MachineToken: d.machine.Token, Tokens: d.access})
	d.client = client
	defer client.Close()
	defer d.live.Close()
	var err error
	if d.code, err = transform.New(transform.Config{Log: d.cfg.Log}); err != nil {
		return err
	}
	d.health = health.New(health.Config{
		DataDir: d.cfg.DataDir, Embedded: d.cfg.Events == "", EventLog: d.store.Healthy, Ledger: d.rows, Code: d.code.Load, Warehouses: d.warehouses,
		Away: d.store.ServersAway, Lazy: d.lazy, Unloaded: d.unloaded, Work: func() []health.Work { return troubles.Of(d.pulls, d.syncs, d.profiles) }, Unopened: d.plans.Unopened, Logs: d.logs, Partitions: func() []*partition.Partition { return d.partitions },
		Removed: d.plans.Removed, SlowCalls: func() []id.Workspace { return d.view.Slow() }, SlowBodies: func() int { return d.gateway.SlowSenders() },
	})
	if err := d.openShared(ctx); err != nil {
		return err
	}
	if err := d.divide(client, g); err != nil {
		return err
	}
	if d.loading, err = d.loader(g); err != nil {
		return err
	}
	if err := d.openHistories(k); err != nil {
		return err
	}
	d.book = record.New(d.store.Table("schedule"), d.cfg.Log)
	if d.copies, err = d.profileCopies(); err != nil {
		return err
	}
	d.profiles = d.profileRuns(g)
	d.backfills = warehouses.NewBackfills(d.store.Table("backfills"), &d.plans, d.loading, d.ownsProfiles, d.cfg.Log)
	d.expires = erasing.NewExpirer(d.store.Table("expirations"), &d.plans, d.loading, d.ownsProfiles, d.book, d.cfg.Log)
	if err := d.openErasures(k); err != nil {
		return err
	}
	kinds := Kinds()
	kinds.Code = d.compiler
	follower, err := agent.New(agent.Config{
		Dir: filepath.Join(d.cfg.DataDir, "workspaces"), Region: d.plane.Region, Sealing: k.Sealing, Guard: g, Kinds: kinds, Plans: &d.plans,
		Version: d.cfg.Version, GatewayURL: d.URLs().Gateway, ViewURL: d.URLs().View, Status: d.status, Log: d.cfg.Log,
	})
	if err != nil {
		return err
	}
	if err := follower.Load(ctx); err != nil { // before the partitions: what was kept runs at once
		return err
	}
	d.adoptFiles(ctx)
	edge, err := d.edge(k, follower)
	if err != nil {
		return err
	}
	defer edge.Close()
	d.writer = queue.NewWriter(d.openDetours(ctx), d.store.Slots())
	d.writer.Trace = d.trace
	handlers, err := d.handlers(g)
	if err != nil {
		return err
	}
	defer d.startEngines(ctx)()

	serving, sctx := errgroup.WithContext(ctx)
	serving.Go(func() error {
		return d.gateway.Serve(sctx, l.gateway, ingest.ServeConfig{
			TLS: l.gatewayTLS, Standard: d.cfg.StandardHTTP, Linger: d.cfg.Linger, MaxPerAddress: d.cfg.ConnectionsPerAddress,
		})
	})
	serving.Go(func() error { return listen.Serve(sctx, l.view, l.viewTLS, handlers.view) })
	serving.Go(func() error { return listen.Serve(sctx, l.metrics, nil, handlers.metrics) })
	serving.Go(func() error { return follower.Run(sctx, edge) })
	serving.Go(func() error { return d.health.Run(sctx) })
	close(d.up)
	d.cfg.Log.InfoContext(ctx, "data plane runs", "plane", d.plane.Plane, "region", d.plane.Region, "gateway", l.gateway.Addr().String())
	return serving.Wait()
}

// startEngines runs the writer and what works on its log, and returns a function that stops them: the writer first, once the gateway gives it nothing more.
func (d *DataPlane) startEngines(ctx context.Context) (stop func()) {
	ctx, stopEngines := context.WithCancel(context.WithoutCancel(ctx)) // they outlive the gateway
	writerCtx, stopWriter := context.WithCancel(ctx)
	var engines, writing sync.WaitGroup
	writing.Go(func() { _ = d.writer.Run(writerCtx) }) // it gives no errors: appends do
	engines.Go(func() {
		if err := d.code.Run(ctx); err != nil {
			d.cfg.Log.ErrorContext(ctx, "transformations ended", "error", err)
		}
	})
	engines.Go(func() {
		if err := d.loading.Run(ctx); err != nil {
			d.cfg.Log.ErrorContext(ctx, "loads ended", "error", err)
		}
	})
	engines.Go(func() { d.pauses.Run(ctx) })
	for _, e := range []interface{ Run(context.Context) }{d.moves, d.syncs, d.profiles, d.copies, d.expires, d.backfills, d.erasures, d.pulls, d.book} {
		engines.Go(func() { e.Run(ctx) })
	}
	engines.Go(func() { d.elsewhere().Serve(ctx, d.view) })
	engines.Go(func() { d.onItsWay().Serve(ctx) })
	if d.histories != nil {
		engines.Go(func() { d.histories.Run(ctx) })
	}
	for _, p := range d.partitions {
		engines.Go(func() { p.Run(ctx) })
	}
	for _, l := range d.detours {
		engines.Go(func() { l.Run(ctx) })
	}
	for _, logs := range d.shared {
		for _, o := range logs {
			engines.Go(func() { o.Run(ctx) })
		}
	}
	return func() {
		stopWriter()
		writing.Wait()
		stopEngines()
		engines.Wait()
	}
}

// divide makes the partitions.
func (d *DataPlane) divide(client *outbound.Client, g *guard.Guard) error {
	key, err := enrol.Secret(d.cfg.DataDir, dedupeFile, 32)
	if err != nil {
		return err
	}
	hasher := dedupe.NewHasher([32]byte(key))
	d.yield = backlog.NewYield(health.SchedulingDelay())
	for n := range d.store.Partitions() {
		d.partitions = append(d.partitions, partition.New(partition.Config{
			Number: n, DedupeDir: filepath.Join(d.cfg.DataDir, "dedupe"), Store: d.store, Plans: &d.plans, Moves: d.cfg.Events != "", Hasher: hasher, Client: client, Yield: d.yield,
			Deps: destination.Deps{Dial: d.dialer(g), Now: time.Now, Log: d.cfg.Log}, Code: d.code, Live: &d.live, Aside: &d.aside, Log: d.cfg.Log,
			Parked: d.shared[queue.Parked][n], Dead: d.shared[queue.Dead][n], Quarantine: d.shared[queue.Quarantine][n], Stage: d.shared[queue.Stage][n],
			Staged: func(dest id.Destination, events []event.Event, seq uint64, err error) {
				d.loading.Appended(n, dest, events, seq, err)
			},
			Taken: func() { d.loading.Taken(n) }, Left: func(ctx context.Context) error { return d.loading.Left(ctx, n) },
			Trace: func(frame uint64) *telemetry.Trace { return d.trace(n, frame) },
		}))
	}
	return nil
}

// trace returns the trace of a frame, nil for none.
func (d *DataPlane) trace(partition int, frame uint64) *telemetry.Trace {
	return d.cfg.Traces.Of(string(d.plane.Plane), partition, frame)
}

// showLive shows the events that append took to those who watch live.
func (d *DataPlane) showLive(append health.Appending) health.Appending {
	return func(ctx context.Context, events []event.Event) error {
		if err := append(ctx, events); err != nil {
			return err
		}
		for i := range events {
			if e := &events[i]; d.live.Watching(e.Workspace) {
				outcome := live.Accepted
				if e.Quarantine != "" {
					outcome = live.Quarantined
				}
				d.live.See(live.Sighting{
					At: time.Now(), Workspace: e.Workspace, Source: e.Source, MessageID: e.MessageID,
					Stage: live.Gateway, Outcome: outcome, Code: e.Quarantine, Event: e.JSON,
				})
			}
		}
		return nil
	}
}

// dialer is the one way out for tenants: the guard is asked for the host, then
// egress for the address.
func (d *DataPlane) dialer(g *guard.Guard) func(ctx context.Context, network, addr string) (net.Conn, error) {
	out := egress.New(egress.Policy{Private: d.cfg.AllowPrivate})
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fault.New(fault.Denied, "The address to call is not host:port.")
		}
		if err := g.Host(host); err != nil {
			return nil, err
		}
		return out.DialContext(ctx, network, addr)
	}
}

// edge dials the hub.
func (d *DataPlane) edge(k enrol.Keys, a *agent.Agent) (*edge.Edge, error) {
	hub := d.cfg.Hub
	if hub == "" {
		hub = d.plane.Hub
	}
	return edge.Dial(edge.Config{
		Address: hub, Files: d.cfg.HubFiles, Credentials: wire.Credentials{JWT: d.plane.JWT, Seed: k.NATS}, Plane: d.plane.Plane, Region: d.plane.Region,
		ControlKey: d.plane.ControlKey, Identity: k.Identity, Sealing: k.Sealing, Alarm: a.Alarm, Log: d.cfg.Log,
	})
}

// ready says why an event would not be accepted now.
func (d *DataPlane) ready() error {
	if !d.plans.Loaded() {
		return fault.New(fault.Unavailable, "The plane has not loaded its configuration yet.")
	}
	return d.health.Ready()
}

// handlers answer on the plane's addresses beside the gateway's.
type handlers struct{ view, metrics http.Handler }

// handlers makes the gateway and the handlers.
func (d *DataPlane) handlers(g *guard.Guard) (handlers, error) {
	var err error
	take := d.showLive(d.health.RefuseOnLowDisk(d.health.RefuseFeedersOfFullLogs(d.aside.Refuse(d.writer.Append))))
	d.gateway, err = ingest.New(ingest.Config{
		Kinds: Kinds().Sources, Source: d.plans.Source, Waits: d.plans.Waits, Append: take, Ready: d.ready, Version: d.cfg.Version,
		TrustedProxies: d.trusted, Log: d.cfg.Log,
	})
	if err != nil {
		return handlers{}, fmt.Errorf("gateway: %w", err)
	}
	if d.moves, err = d.board(d.health.RefuseOnLowDisk(d.writer.Append)); err != nil {
		return handlers{}, fmt.Errorf("jobs: %w", err)
	}
	if d.syncs, err = d.syncing(g); err != nil {
		return handlers{}, fmt.Errorf("syncs: %w", err)
	}
	if d.pulls, err = d.pulling(g, take); err != nil {
		return handlers{}, fmt.Errorf("pulls: %w", err)
	}
	d.view, err = view.New(d.viewConfig(g))
	if err != nil {
		return handlers{}, fmt.Errorf("view: %w", err)
	}
	registry := telemetry.NewRegistry()
	if err := registry.Register(health.NewCollector(d.plane.Plane, d.health, health.Meters{
		Requests: d.gateway.Counts, Latency: d.gateway.Latency, Written: d.writer.Written, BacklogBound: d.yield.Bound,
		Merged: d.loading.Merged, Discarded: d.loading.Discarded,
	})); err != nil {
		return handlers{}, fmt.Errorf("metrics: %w", err)
	}
	return handlers{view: d.view, metrics: telemetry.Handler(registry)}, nil
}

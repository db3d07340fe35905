package dataplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/agent"
	"weir/dataplane/backlog"
	"weir/dataplane/blob"
	"weir/dataplane/dedupe"
	"weir/dataplane/destination"
	"weir/dataplane/egress"
	"weir/dataplane/event"
	"weir/dataplane/guard"
	"weir/dataplane/ingest"
	"weir/dataplane/live"
	"weir/dataplane/load"
	"weir/dataplane/outbound"
	"weir/dataplane/plan"
	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
	"weir/dataplane/transform"
	"weir/dataplane/view"
	"weir/shared/fault"
	"weir/shared/telemetry"
	"weir/shared/wire"
)

// DataPlane is one data plane. Run it once.
type DataPlane struct {
	cfg     Config
	trusted []netip.Prefix
	up      chan struct{} // closed when events are taken

	mu        sync.Mutex
	addresses Addresses

	// Made by Run before anything reads them.
	plane      admission
	plans      plan.Holder
	live       live.Hub
	code       *transform.Pool
	loading    *load.Engine
	yield      *backlog.Yield
	store      *natsstore.Store
	partitions []*partition
	disk       disk
	quota      quota
	busy       busy
	gateway    *ingest.Gateway
}

// Addresses is where a plane listens, as host:port; empty before Run listens.
type Addresses struct{ Gateway, View, Metrics string }

// New checks cfg, all of it at once. fault.Invalid: something in it is wrong.
func New(cfg Config) (*DataPlane, error) {
	trusted, err := cfg.check()
	if err != nil {
		return nil, err
	}
	return &DataPlane{cfg: cfg, trusted: trusted, up: make(chan struct{})}, nil
}

// Ready is closed when an event that is sent now would be accepted.
func (d *DataPlane) Ready() <-chan struct{} { return d.up }

// Addresses returns where the plane listens.
func (d *DataPlane) Addresses() Addresses {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addresses
}

// Run runs the plane until ctx ends, then stops it in order: the gateway
// answers what it holds, the partitions write down what they did, the log is
// closed.
//
// fault.Missing: the plane has not joined. fault.Conflict: another process uses
// the data directory. fault.Unavailable: an address is taken, or the cluster
// for events does not answer.
func (d *DataPlane) Run(ctx context.Context) error {
	var err error
	if d.plane, err = readAdmission(d.cfg.DataDir); err != nil {
		return err
	}
	k, err := loadKeys(d.cfg.DataDir)
	if err != nil {
		return err
	}
	g, err := guard.Load(filepath.Join(d.cfg.DataDir, guardFile))
	if err != nil {
		return err
	}
	l, err := d.listen(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	d.store, err = natsstore.Open(ctx, natsstore.Config{Dir: d.cfg.DataDir, Address: d.cfg.Events, Partitions: d.cfg.Partitions, Log: d.cfg.Log,
		Replace: func() { restart(d.cfg.Log) }})
	if err != nil {
		return err
	}
	return errors.Join(d.run(ctx, k, g, l), d.store.Close())
}

// run runs everything on an open log.
func (d *DataPlane) run(ctx context.Context, k keys, g *guard.Guard, l listeners) error {
	client := outbound.New(outbound.Config{Dial: d.dialer(g), StandardHTTP: d.cfg.StandardHTTP})
	defer client.Close()
	defer d.live.Close()
	var err error
	if d.code, err = transform.New(transform.Config{Log: d.cfg.Log}); err != nil {
		return err
	}
	if err := d.divide(client, g); err != nil {
		return err
	}
	if d.loading, err = d.loader(g); err != nil {
		return err
	}
	follower, err := agent.New(agent.Config{
		Dir: filepath.Join(d.cfg.DataDir, "workspaces"), Region: d.plane.Region, Sealing: k.sealing, Guard: g, Kinds: kinds(), Plans: &d.plans,
		Version: d.cfg.Version, GatewayURL: d.cfg.GatewayURL, ViewURL: d.cfg.ViewURL, Status: d.status, Log: d.cfg.Log,
	})
	if err != nil {
		return err
	}
	if err := follower.Load(); err != nil { // before the partitions: what was kept runs at once
		return err
	}
	edge, err := d.edge(k, follower)
	if err != nil {
		return err
	}
	defer edge.Close()
	d.disk.dir = d.cfg.DataDir
	d.disk.look()
	writer := queue.NewWriter(d.store.Logs(queue.Events), d.store.Slots())
	writer.Trace = d.trace
	doors, err := d.doors(writer, g)
	if err != nil {
		return err
	}

	// What is behind the doors outlives them.
	back, stop := context.WithCancel(context.WithoutCancel(ctx))
	var behind, writing sync.WaitGroup
	writers, stopWriter := context.WithCancel(back)
	writing.Go(func() { _ = writer.Run(writers) }) // it gives no errors: appends do
	behind.Go(func() {
		if err := d.code.Run(back); err != nil {
			d.cfg.Log.ErrorContext(back, "transformations ended", "error", err)
		}
	})
	behind.Go(func() {
		if err := d.loading.Run(back); err != nil {
			d.cfg.Log.ErrorContext(back, "loads ended", "error", err)
		}
	})
	for _, p := range d.partitions {
		behind.Go(func() { p.run(back) })
	}
	defer func() {
		stopWriter()
		writing.Wait()
		stop()
		behind.Wait()
	}()

	front, fctx := errgroup.WithContext(ctx)
	front.Go(func() error {
		return d.gateway.Serve(fctx, l.gateway, ingest.ServeConfig{TLS: l.gatewayTLS, Standard: d.cfg.StandardHTTP, Linger: d.cfg.Linger})
	})
	front.Go(func() error { return serve(fctx, l.view, l.viewTLS, doors.view) })
	front.Go(func() error { return serve(fctx, l.metrics, nil, doors.metrics) })
	front.Go(func() error { return follower.Run(fctx, edge) })
	front.Go(func() error { return d.nurse(fctx) })
	front.Go(func() error { d.disk.watch(fctx); return nil })
	front.Go(func() error {
		d.quota.watch(fctx, func(ctx context.Context) (float64, error) { return d.store.Fill(ctx, queue.Parked) }, d.rows)
		return nil
	})
	close(d.up)
	d.cfg.Log.InfoContext(ctx, "data plane runs", "plane", d.plane.Plane, "region", d.plane.Region, "gateway", l.gateway.Addr().String())
	return front.Wait()
}

// divide makes the partitions.
func (d *DataPlane) divide(client *outbound.Client, g *guard.Guard) error {
	raw, err := loadSecret(d.cfg.DataDir, dedupeFile, func() ([]byte, error) { return random(32), nil })
	if err != nil {
		return err
	}
	if len(raw) != 32 {
		return fault.New(fault.Invalid, "%s does not hold a secret of 32 bytes.", dedupeFile)
	}
	hasher := dedupe.NewHasher([32]byte(raw))
	var blobs *blob.Dir
	if d.cfg.Events == "" { // this disk is nobody else's, as the store of a cluster's partitions would have to be
		if blobs, err = blob.Open(filepath.Join(d.cfg.DataDir, "parked")); err != nil {
			return err
		}
	}
	d.yield = backlog.NewYield(lateness())
	for n := range d.store.Partitions() {
		d.partitions = append(d.partitions, &partition{
			number: n, dir: filepath.Join(d.cfg.DataDir, "dedupe"), store: d.store, plans: &d.plans, hasher: hasher, client: client, yield: d.yield,
			deps: destination.Deps{Dial: d.dialer(g), Now: time.Now, Log: d.cfg.Log}, code: d.code, live: &d.live, blobs: blobs, low: d.disk.low.Load, log: d.cfg.Log,
			trace: func(frame uint64) *telemetry.Trace { return d.trace(n, frame) },
		})
	}
	return nil
}

// trace returns the trace of a frame, nil for none.
func (d *DataPlane) trace(partition int, frame uint64) *telemetry.Trace {
	return d.cfg.Traces.Of(string(d.plane.Plane), partition, frame)
}

// seen shows what append took to who watches.
func (d *DataPlane) seen(append func(context.Context, []event.Event) error) func(context.Context, []event.Event) error {
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
func (d *DataPlane) edge(k keys, a *agent.Agent) (*wire.Edge, error) {
	hub := d.cfg.Hub
	if hub == "" {
		hub = d.plane.Hub
	}
	return wire.Dial(wire.EdgeConfig{
		Address: hub, Credentials: wire.Credentials{JWT: d.plane.JWT, Seed: k.nats}, Plane: d.plane.Plane, Region: d.plane.Region,
		ControlKey: d.plane.ControlKey, Identity: k.identity, Sealing: k.sealing, Alarm: a.Alarm, Log: d.cfg.Log,
	})
}

// ready says why an event would not be accepted now.
func (d *DataPlane) ready() error {
	if !d.plans.Loaded() {
		return fault.New(fault.Unavailable, "The plane has not loaded its configuration yet.")
	}
	if err := d.disk.check(); err != nil {
		return err
	}
	return d.store.Healthy()
}

// How often the log is asked how it is, and how long it may be ill before the
// plane ends.
const (
	healthEvery = time.Second
	healthLimit = time.Minute
)

// nurse ends the plane when its embedded log was ill for healthLimit: after a
// write error only a restart, by whoever runs the process, helps. A cluster
// outside is waited for instead.
func (d *DataPlane) nurse(ctx context.Context) error {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for well := time.Now(); ; {
		err := d.store.Healthy()
		switch {
		case err == nil || d.cfg.Events != "":
			well = time.Now()
		case time.Since(well) >= healthLimit:
			return fmt.Errorf("the event log does not recover: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// doors is what answers on the plane's addresses.
type doors struct{ view, metrics http.Handler }

func (d *DataPlane) doors(writer *queue.Writer, g *guard.Guard) (doors, error) {
	var err error
	d.gateway, err = ingest.New(ingest.Config{
		Kinds: kinds().Sources, Source: d.plans.Source, Append: d.seen(d.disk.before(d.quota.before(writer.Append))), Ready: d.ready, Version: d.cfg.Version,
		TrustedProxies: d.trusted, Log: d.cfg.Log,
	})
	if err != nil {
		return doors{}, fmt.Errorf("gateway: %w", err)
	}
	v, err := view.New(d.eyes(g, d.disk.before(writer.Append)))
	if err != nil {
		return doors{}, fmt.Errorf("view: %w", err)
	}
	registry := telemetry.NewRegistry()
	if err := registry.Register(newCollector(d, writer)); err != nil {
		return doors{}, fmt.Errorf("metrics: %w", err)
	}
	return doors{view: v, metrics: telemetry.Handler(registry)}, nil
}

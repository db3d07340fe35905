package view

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/guard"
	"weir/dataplane/ledger"
	"weir/dataplane/live"
	"weir/dataplane/moves"
	"weir/dataplane/parked"
	"weir/dataplane/plan"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/view/preview"
	"weir/dataplane/view/probe"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// Config is what a view needs. Plane, Key, Guard, Plans and Rows are required;
// calls that need something else which is absent are refused as unavailable.
type Config struct {
	Plane      id.Plane
	Key        ed25519.PublicKey // of the control plane's capabilities, pinned at join
	Origins    []string          // of pages that may ask, pinned at join
	Guard      *guard.Guard
	Plans      *plan.Holder                        // names
	Rows       func() []ledger.Row                 // the ledger of all partitions, added up
	Since      func() map[id.Destination]time.Time // when the oldest delivery of each destination began to wait, as far as it is known here; nil: never
	Dead       []func() (Dead, error)              // by partition; fault.Unavailable: it does not run at the moment
	Jobs       *moves.Board
	Live       *live.Hub // the owner closes it when the plane stops, so that no stream holds it up
	Parked     []Lister  // by partition
	Quarantine []Lister  // by partition
	Warehouses Warehouses
	// Loading has a call answered by the process of the plane that loads. nil: this is the only one.
	Loading  func(func(*endpoint.Call) (any, error)) func(*endpoint.Call) (any, error)
	Query    QueryLimits
	Previews preview.Previews
	Dial     probe.Dial
	Try      probe.Try
	More     []func(*endpoint.Mux) // further calls
	Healthy  func() error          // nil: the plane is well
	Now      func() time.Time      // nil: time.Now
	Log      *slog.Logger          // nil: none
}

// Dead is the dead letters of one partition; *parked.Store is one.
type Dead interface {
	List(ctx context.Context, f parked.Filter, after delivery.Place, limit int) ([]parked.DeadLetter, error)
	Count(ctx context.Context, f parked.Filter) (int, error)
}

// View is an http.Handler.
type View struct {
	cfg Config
	mux *endpoint.Mux

	queries, previews, probes, lists endpoint.Slots
}

// New checks cfg.
func New(cfg Config) (*View, error) {
	if !id.Valid(cfg.Plane) || len(cfg.Key) != ed25519.PublicKeySize || cfg.Guard == nil || cfg.Plans == nil || cfg.Rows == nil {
		return nil, fault.New(fault.Internal, "A view needs its plane, the key of capabilities, a guard, plans and a ledger.")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Healthy == nil {
		cfg.Healthy = func() error { return nil }
	}
	cfg.Query = cfg.Query.filled()
	v := &View{cfg: cfg, queries: endpoint.NewSlots(), previews: endpoint.NewSlots(), probes: endpoint.NewSlots(), lists: endpoint.NewSlots()}
	v.mux = endpoint.New(endpoint.Config{Plane: cfg.Plane, Key: cfg.Key, Origins: cfg.Origins, Guard: cfg.Guard, Now: cfg.Now, Log: cfg.Log})
	v.mux.HandleOpen("GET /v1/health", v.health)
	v.mux.Handle("GET /v1/ledger", capability.ReadLedger, func(c *endpoint.Call) (any, error) { return v.ledger(c, false) })
	v.mux.HandleMany("GET /v1/ledgers", capability.ReadLedger, func(c *endpoint.Call) (any, error) { return v.ledger(c, true) })
	v.mux.Handle("GET /v1/dead", capability.ReadDead, endpoint.In(v.lists, v.list))
	v.mux.Stream("GET /v1/live", capability.ReadLive, v.live)
	v.mux.Handle("GET /v1/parked", capability.ReadParked, endpoint.In(v.lists, v.parked))
	v.mux.Handle("GET /v1/quarantine", capability.ReadQuarantine, endpoint.In(v.lists, v.quarantine))
	v.mux.Handle("POST /v1/jobs/redrive", capability.RedriveDead, endpoint.In(v.lists, v.redrive))
	v.mux.Handle("POST /v1/jobs/discard", capability.DiscardDead, endpoint.In(v.lists, v.discard))
	v.mux.Handle("POST /v1/jobs/replay", capability.ReplayQuarantine, v.replay)
	v.mux.Handle("POST /v1/jobs/discard-quarantined", capability.DiscardQuarantine, v.discardQuarantined)
	v.mux.Handle("GET /v1/jobs", capability.ReadJobs, v.jobs)
	v.mux.Handle("GET /v1/jobs/{job}", capability.ReadJobs, v.job)
	v.mux.Handle("POST /v1/jobs/{job}/stop", capability.StopJobs, v.stop)
	if cfg.Loading == nil {
		cfg.Loading = func(f func(*endpoint.Call) (any, error)) func(*endpoint.Call) (any, error) { return f }
	}
	v.mux.Handle("GET /v1/loads", capability.ReadLoads, cfg.Loading(v.loads))
	v.mux.Handle("POST /v1/loads", capability.StartLoads, cfg.Loading(v.loadNow))
	v.mux.Handle("POST /v1/loads/pause", capability.StartLoads, cfg.Loading(v.pauseLoads))
	v.mux.Handle("POST /v1/loads/resume", capability.StartLoads, cfg.Loading(v.resumeLoads))
	v.mux.Stream("POST /v1/query", capability.Query, v.query)
	v.mux.Stream("POST /v1/preview/transformation", capability.Preview, func(c *endpoint.Call, l *endpoint.Lines) error { return cfg.Previews.Transformation(v.previews, c, l) })
	v.mux.Stream("POST /v1/preview/destination", capability.Preview, func(c *endpoint.Call, l *endpoint.Lines) error { return cfg.Previews.Destination(v.previews, c, l) })
	v.mux.Handle("POST /v1/destinations/test", capability.TestDestination, v.test)
	for _, register := range cfg.More {
		register(v.mux)
	}
	return v, nil
}

// ServeHTTP answers one request.
func (v *View) ServeHTTP(w http.ResponseWriter, r *http.Request) { v.mux.ServeHTTP(w, r) }

// Slow returns the workspaces whose calls take long while those of others wait.
func (v *View) Slow() []id.Workspace {
	slow := slices.Concat(v.queries.Slow(), v.previews.Slow(), v.probes.Slow(), v.lists.Slow())
	slices.Sort(slow)
	return slices.Compact(slow)
}

func (v *View) health(*http.Request) (any, error) {
	if err := v.cfg.Healthy(); err != nil {
		return nil, err
	}
	return map[string]string{"status": "ok"}, nil
}

// sourceName and destinationName are names where there are any, also of what was
// removed; else identifiers.
func (v *View) sourceName(ws id.Workspace, s id.Source) string {
	if p := v.cfg.Plans.Plan(ws); p != nil && p.SourceName(s) != "" {
		return p.SourceName(s)
	}
	return string(s)
}

func (v *View) destinationName(ws id.Workspace, d id.Destination) string {
	if p := v.cfg.Plans.Plan(ws); p != nil && p.DestinationName(d) != "" {
		return p.DestinationName(d)
	}
	return string(d)
}

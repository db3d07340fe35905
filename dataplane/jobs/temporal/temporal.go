// Package temporal runs jobs by a Temporal server: a schedule for each job, and one small
// workflow that has its steps done. The server keeps what was run and shows it.
//
// What it guarantees beside the contract of jobs.Runner: no history holds anything of
// customers. Payloads are keys of jobs, waits, codes and counts, sealed with a key of the
// plane; of errors the kind alone is kept. While the server is away the jobs are done by a
// jobs.Loop, and are handed back when it answers: a plane loses history by that, and nothing
// else. It refuses nothing when it starts: the server may come later.
package temporal

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"weir/dataplane/jobs"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// Times of the server.
const (
	callTime   = 5 * time.Second
	askEvery   = time.Second      // whether it answers
	defaultOut = 15 * time.Second // it does not answer: the loop does the steps
	firstOut   = 5 * time.Second  // the same when the process begins
	stopTime   = 10 * time.Second // of steps when the process ends
)

// Config is what a Service works with. Server, Plane, Key and Log are required.
type Config struct {
	Server Server
	Plane  id.Plane
	Key    []byte // 32 bytes that seal histories
	Log    *slog.Logger
	// Away is how long the server may not answer before the loop does the steps. 0: 15 s,
	// and 5 s when the process begins. Less: it never does.
	Away time.Duration
}

// Service is the connection to a server. Its methods are safe for concurrent use.
type Service struct {
	cfg   Config
	queue string
	data  converter.DataConverter

	mu      sync.Mutex
	runners map[string]*runner // by kind
	client  client.Client      // nil: not yet
	away    bool               // the loops do the steps
}

// New returns a service that Run runs. fault.Internal: something in cfg is missing.
// fault.Invalid: what it says of the server is wrong.
func New(cfg Config) (*Service, error) {
	if !cfg.Server.Given() || cfg.Plane == "" || cfg.Log == nil {
		return nil, fault.New(fault.Internal, "Temporal needs a server, a plane and a log.")
	}
	if err := cfg.Server.Check(); err != nil {
		return nil, err
	}
	sealed, err := newCodec(cfg.Key)
	if err != nil {
		return nil, err
	}
	return &Service{
		cfg: cfg, queue: "plane-" + string(cfg.Plane), runners: map[string]*runner{},
		data: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), sealed),
	}, nil
}

// Runner returns the runner of the jobs of a kind, which their keys begin with. It runs
// while Run does.
func (s *Service) Runner(kind string, c jobs.Config) jobs.Runner {
	r := newRunner(s, kind, c.WithDefaults())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runners[kind] = r
	r.loop.Hold(!s.away)
	return r
}

// Away reports whether the loops do the steps, since the server does not answer.
func (s *Service) Away() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}

// Run works with the server until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { // the address may not be known for long
		if out := s.out(true); out > 0 && delay.For(ctx, out) && s.connected() == nil {
			s.leave(ctx, true)
		}
	})
	c := s.dial(ctx)
	if c == nil {
		return
	}
	all.Go(func() {
		var using sync.WaitGroup
		using.Go(func() { s.watch(ctx, c) })
		using.Go(func() { s.work(ctx, c) })
		s.mu.Lock()
		for _, r := range s.runners {
			using.Go(func() { r.arrange(ctx, c) })
		}
		s.mu.Unlock()
		using.Wait()
		c.Close()
	})
}

// out is how long the server may not answer; first says that it never has. 0: for ever.
func (s *Service) out(first bool) time.Duration {
	switch {
	case s.cfg.Away != 0:
		return max(s.cfg.Away, 0)
	case first:
		return firstOut
	}
	return defaultOut
}

func (s *Service) connected() client.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// dial returns a client, which connects when it is used; nil: ctx ended.
func (s *Service) dial(ctx context.Context) client.Client {
	for ctx.Err() == nil {
		at, err := s.cfg.Server.find(ctx)
		if err == nil {
			var c client.Client
			c, err = client.NewLazyClient(client.Options{
				HostPort: at, Namespace: cmp.Or(s.cfg.Server.Namespace, DefaultNamespace), Identity: s.queue, DataConverter: s.data, FailureConverter: newCodes(s.data),
				Logger: sdklog.NewStructuredLogger(s.cfg.Log.With("part", "temporal")), ConnectionOptions: client.ConnectionOptions{TLS: s.cfg.Server.config()},
			})
			if err == nil {
				return c
			}
		}
		if ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "no client of Temporal", "error", err)
		}
		delay.For(ctx, callTime)
	}
	return nil
}

// watch asks whether the server answers, and says who does the steps.
func (s *Service) watch(ctx context.Context, c client.Client) {
	heard, first := time.Now(), true
	for ctx.Err() == nil {
		call, cancel := context.WithTimeout(ctx, callTime)
		_, err := c.CheckHealth(call, &client.CheckHealthRequest{})
		cancel()
		out := s.out(first)
		switch {
		case err == nil:
			heard, first = time.Now(), false
			s.mu.Lock()
			s.client = c
			s.mu.Unlock()
			s.leave(ctx, false)
		case out > 0 && time.Since(heard) >= out:
			s.leave(ctx, true)
		}
		delay.For(ctx, askEvery)
	}
}

// leave gives the steps to the loops, or back to the server.
func (s *Service) leave(ctx context.Context, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away == away {
		return
	}
	s.away = away
	if away {
		s.cfg.Log.WarnContext(ctx, "Temporal does not answer; jobs go on without it")
	} else {
		s.cfg.Log.InfoContext(ctx, "Temporal answers; it has the jobs again")
	}
	for _, r := range s.runners {
		r.loop.Hold(!away)
		r.look()
	}
}

// work does what the server asks for until ctx ends.
func (s *Service) work(ctx context.Context, c client.Client) {
	for ctx.Err() == nil {
		broken := make(chan struct{}, 1)
		w := worker.New(c, s.queue, worker.Options{
			Identity: s.queue, WorkerStopTimeout: stopTime, MaxHeartbeatThrottleInterval: beatEvery, DefaultHeartbeatThrottleInterval: beatEvery,
			OnFatalError: func(error) {
				select {
				case broken <- struct{}{}:
				default:
				}
			},
		})
		w.RegisterWorkflowWithOptions(drive, workflow.RegisterOptions{Name: driveName})
		w.RegisterActivityWithOptions(s.step, activity.RegisterOptions{Name: stepName})
		if err := w.Start(); err != nil {
			delay.For(ctx, askEvery)
			continue
		}
		select {
		case <-broken:
		case <-ctx.Done():
		}
		w.Stop()
	}
}

// step does a step that a workflow asks for.
func (s *Service) step(ctx context.Context, k jobs.Key) (result, error) {
	kind, _, _ := strings.Cut(string(k), "/")
	s.mu.Lock()
	r, away := s.runners[kind], s.away
	s.mu.Unlock()
	if r == nil || away {
		return result{}, errElsewhere
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beats sync.WaitGroup
	defer beats.Wait()
	beats.Go(func() {
		for delay.For(ctx, beatEvery) {
			activity.RecordHeartbeat(ctx)
		}
	})
	defer cancel() // before the wait for beats
	return r.asked(ctx, k, activity.GetInfo(ctx).WorkflowExecution.ID)
}

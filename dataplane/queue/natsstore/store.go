// Package natsstore keeps a plane's logs on NATS JetStream, which it alone knows:
// on a server in this process with files in the data directory, or on a cluster.
//
// Open takes the data directory's lock, then starts the embedded server or joins
// the cluster, and makes what is missing; Lease says which process owns a partition.
//
// It refuses a second process on one data directory, another number of partitions
// than the logs have, and servers that take only small messages. It guarantees what
// queue.Log asks for. With a cluster, fsync is that cluster's setting
// (sync_interval: always). A server in this process that can no longer write is
// restarted, with all that was acknowledged.
package natsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore/cluster"
	"weir/dataplane/queue/natsstore/embedded"
	"weir/dataplane/queue/natsstore/names"
	"weir/dataplane/queue/natsstore/peers"
	"weir/dataplane/queue/natsstore/refusal"
	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/wire/access"
)

// MaxReplicas is the most servers that keep a log: more are not taken by NATS.
const MaxReplicas = 5

// Config says where a plane's logs are.
type Config struct {
	// Dir is the plane's data directory, made when it is missing. A lock file in
	// it keeps a second process away. Required unless Address is set.
	Dir string
	// Address is a NATS cluster to use instead of the embedded server, as
	// nats://host:port or tls://host:port, several divided by commas. It must sync always
	// (sync_interval: always) and take messages of MaxPayload bytes.
	Address string
	// Files are for connections to Address: TLS, and who this process is.
	Files access.Files
	// Replicas is how many servers of the cluster keep each log, at most
	// MaxReplicas. 0 means 3 where the cluster has as many, else 1, and never fewer
	// than now.
	Replicas int
	// Partitions is how many partitions there shall be, at most MaxPartitions.
	// 0 means what the logs have already, 2 for new ones.
	Partitions int
	// MaxBytes is the most that all logs together may hold, on each server that keeps
	// them. 0 means 60 % of the disk of Dir with the embedded server, less until that
	// much is free; with Address the limits that the logs have, and for new ones
	// what the servers and the account allow. Each kind of log has a share of its own,
	// so that full EVENTS leave room for the journal, whose progress empties them.
	MaxBytes int64
	// LazySync takes a cluster that is seen not to sync each write.
	LazySync bool
	// LeaseTime is how long the lease of an owner that does not renew it keeps
	// others away; 0 means 10 s, and 20 s with Address: the servers of a cluster take up
	// to nine seconds to elect another leader for what a dead one led. It must be the same in all processes of a plane.
	LeaseTime time.Duration
	// Replace starts the process anew, as after a crash, and does not return. It is
	// called when the embedded server broke and cannot be stopped; nil: the store
	// stays unhealthy until somebody else does.
	Replace func()
	// Log is where what an operator should know is written; nil means nowhere.
	Log *slog.Logger
}

func (c Config) check() error {
	var problems []fault.Problem
	add := func(path, text string) {
		problems = append(problems, fault.Problem{Path: path, Code: "invalid", Text: text})
	}
	if c.Dir == "" && c.Address == "" {
		add("Dir", "A data directory or the address of a cluster is needed.")
	}
	if c.Partitions < 0 || c.Partitions > queue.MaxPartitions {
		add("Partitions", fmt.Sprintf("There can be 1 to %d partitions.", queue.MaxPartitions))
	}
	if c.Replicas < 0 || c.Replicas > MaxReplicas {
		add("Replicas", fmt.Sprintf("Each log is kept by 1 to %d servers.", MaxReplicas))
	}
	if c.Address == "" && c.Replicas > 1 {
		add("Replicas", "The embedded server keeps one copy; more need the address of a cluster.")
	}
	if c.MaxBytes < 0 {
		add("MaxBytes", "It must not be negative.")
	}
	return fault.Problems("The event log cannot be opened:", problems)
}

// Store is all logs of a plane and what they have in common. Its methods are
// safe for concurrent use.
type Store struct {
	cfg   Config
	log   *slog.Logger
	owner string // this Store among all that ever open these logs

	lock  io.Closer        // nil: no data directory
	embed *embedded.Server // nil: a cluster
	group *cluster.Cluster // nil: embedded
	nc    *nats.Conn
	js    jetstream.JetStream
	meta  jetstream.KeyValue
	slots queue.Slots
	logs  [queue.Kinds][]*stream
	watch *peers.Watch // nil: the embedded server

	open  context.Context // ends with Close
	close context.CancelFunc

	stalled     atomic.Int64 // Unix nanoseconds of the last append without an answer; 0: none since the last good one
	silentSince atomic.Int64 // of the first one
	beside      sync.WaitGroup

	mu         sync.Mutex
	canWrite   context.Context // see writable
	stopWrites context.CancelCauseFunc
	link       context.Context // ends when the connection breaks, and is then another one
	unlink     context.CancelFunc
	leases     map[int]*Lease // those that this Store took and did not release
}

// Open takes the lock, starts the embedded server or connects to the cluster, and
// makes what is missing. ctx bounds opening only.
//
// fault.Conflict: another process uses the data directory. fault.Invalid: cfg is
// wrong, or asks for another number of partitions than the logs have.
// fault.Unavailable: the cluster does not answer.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, log: cfg.Log, owner: newOwner(), leases: map[int]*Lease{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.open, s.close = context.WithCancel(context.Background())
	s.canWrite, s.stopWrites = context.WithCancelCause(s.open)
	s.link, s.unlink = context.WithCancel(s.open)
	if err := s.start(ctx); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open the event log: %w", err)
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if s.cfg.Dir != "" {
		// nats-server takes no lock: two servers would run on one store.
		lock, err := durable.Lock(filepath.Join(s.cfg.Dir, "lock"))
		if err != nil {
			return err
		}
		s.lock = lock
	}
	if s.cfg.Address == "" {
		e, err := embedded.Start(s.cfg.Dir, s.log, s.fail)
		if err != nil {
			return err
		}
		s.embed = e
	}
	if err := s.connect(); err != nil {
		return err
	}
	opens := []func(context.Context) error{s.openMeta, s.openLogs}
	if s.embed == nil {
		opens = append([]func(context.Context) error{s.join}, opens...)
	}
	for _, open := range opens {
		if err := peers.Patiently(ctx, s.log, open); err != nil {
			return err
		}
	}
	if s.embed != nil {
		s.beside.Go(s.keepWriting)
		if s.cfg.MaxBytes == 0 {
			s.beside.Go(s.grow)
		}
		return nil
	}
	s.group.Settle(ctx)
	s.watch = s.newWatch()
	s.beside.Go(func() { s.watch.Run(s.open) })
	return nil
}

// join looks at the servers of a cluster.
func (s *Store) join(ctx context.Context) (err error) {
	s.group, err = cluster.Join(ctx, cluster.Config{
		Conn: s.nc, JS: s.js, Listed: strings.Count(s.cfg.Address, ",") + 1, Replicas: s.cfg.Replicas, Bytes: s.cfg.MaxBytes, LazySync: s.cfg.LazySync, Log: s.log,
	})
	return refusal.Of(err)
}

// connect joins the server. While the connection is down nothing is buffered: a
// publish that nobody waits for any more must not be sent later.
func (s *Store) connect() error {
	options := []nats.Option{
		nats.Name("weir dataplane"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.PingInterval(5 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(connectTimeout),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if s.open.Err() == nil {
				s.log.Warn("event log connection lost", "error", err)
			}
			s.relink()
		}),
		nats.ReconnectHandler(func(*nats.Conn) { s.log.Info("event log connection is back") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if s.open.Err() == nil {
				s.log.Warn("event log connection reported an error", "error", err)
			}
		}),
	}
	var server access.Server
	if s.embed != nil {
		options = append(options, nats.InProcessServer(s.embed))
	} else {
		var err error
		if server, err = access.Open("events", s.cfg.Address, s.cfg.Files); err != nil {
			return err
		}
		options = append(options, server.Options...)
	}
	nc, err := nats.Connect(server.Address, options...)
	if err != nil {
		return fault.New(fault.Unavailable, "The event log at %q does not answer: %v.", server.Address, err)
	}
	s.nc = nc
	if have := nc.MaxPayload(); have < queue.MaxPayload {
		return fault.New(fault.Invalid, "The event log's servers take messages of %d bytes, %d are needed: set max_payload to 8MB.", have, queue.MaxPayload)
	}
	s.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(queue.CallTimeout))
	return err
}

// relink ends what relies on the connection that broke: answers that were on their way over it never come.
func (s *Store) relink() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlink()
	s.link, s.unlink = context.WithCancel(s.open)
}

func (s *Store) linked() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}

// Log returns the log of kind k in partition p. It panics when there is none.
func (s *Store) Log(k queue.Kind, p int) queue.Log { return s.logs[k][p] }

// Logs returns the logs of kind k of all partitions, by number.
func (s *Store) Logs(k queue.Kind) []queue.Log {
	all := make([]queue.Log, len(s.logs[k]))
	for p, l := range s.logs[k] {
		all[p] = l
	}
	return all
}

// Limit returns how many bytes each log of kind k may hold at least; 0 without limits.
// With the embedded server it grows when the disk gets room, and logs that take what
// leaves EVENTS refuse nothing past it.
func (s *Store) Limit(k queue.Kind) int64 {
	least := s.logs[k][0].limit.Load()
	for _, l := range s.logs[k] {
		least = min(least, l.limit.Load())
	}
	return max(0, least)
}

// newWatch returns a watch of the servers that keep the logs of each partition.
func (s *Store) newWatch() *peers.Watch {
	streams := []string{"KV_" + names.Meta}
	var apart []peers.Pair
	for _, l := range s.logs[queue.Events] {
		streams = append(streams, l.name)
	}
	for p, l := range s.logs[queue.Detour] {
		streams = append(streams, l.name)
		apart = append(apart, peers.Pair{s.logs[queue.Events][p].name, l.name})
	}
	return peers.New(s.nc, s.js, streams, apart, s.log)
}

// ServersAway returns the names of servers of a cluster that are away, while others
// keep its logs, sorted.
func (s *Store) ServersAway() []string {
	if s.watch == nil {
		return nil
	}
	return s.watch.Away()
}

// Cluster returns the servers as they were when the store was opened; nil: embedded.
func (s *Store) Cluster() *cluster.Cluster { return s.group }

// Partitions returns how many partitions there are.
func (s *Store) Partitions() int { return s.slots.Partitions }

// Slots returns which partition each slot belongs to.
func (s *Store) Slots() queue.Slots { return s.slots }

// stallTime is how long an append without an answer makes the store unhealthy;
// then traffic may try again.
const stallTime = 5 * time.Second

// Healthy returns nil when the logs would take a record now, as far as is known
// without writing one. fault.Unavailable: the server is away, does not answer,
// or had a write error, after which it restarts.
func (s *Store) Healthy() error {
	if s.open.Err() != nil {
		return errStoreClosed
	}
	if writable := s.writable(); writable.Err() != nil {
		return context.Cause(writable)
	}
	if s.embed != nil && !s.embed.Running() {
		return fault.New(fault.Unavailable, "The embedded event server has stopped.")
	}
	if !s.nc.IsConnected() {
		return fault.New(fault.Unavailable, "The event log's server is not connected.")
	}
	if at := s.stalled.Load(); at != 0 && time.Since(time.Unix(0, at)) < stallTime {
		return fault.New(fault.Unavailable, "The event log does not answer.")
	}
	return nil
}

// connectTimeout is how long a server may take to greet: one that is frozen takes
// connections and says nothing.
const connectTimeout = 2 * time.Second

var errStoreClosed = fault.New(fault.Unavailable, "The event log is closed.")

// Close ends readers and calls under way, stops the embedded server and gives
// the lock back. Leases are not released: who owns a partition does that.
func (s *Store) Close() error {
	s.close()
	s.beside.Wait()
	if s.nc != nil {
		s.nc.Close()
	}
	if s.embed != nil {
		_ = s.embed.Stop() // it was logged, and the process ends
	}
	if s.lock != nil {
		err := s.lock.Close() // the lock goes with the file
		if err != nil && !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("unlock the data directory: %w", err)
		}
	}
	return nil
}

// call bounds a call: by queue.CallTimeout when ctx has no deadline, by life, and by
// the connection.
func (s *Store) call(ctx, life context.Context) (context.Context, context.CancelFunc) {
	var cancel context.CancelFunc
	if _, ok := ctx.Deadline(); ok {
		ctx, cancel = context.WithCancel(ctx)
	} else {
		ctx, cancel = context.WithTimeout(ctx, queue.CallTimeout)
	}
	stop := context.AfterFunc(life, cancel)
	unlink := context.AfterFunc(s.linked(), cancel)
	return ctx, func() { stop(); unlink(); cancel() }
}

package natsstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore/cluster"
	"weir/dataplane/queue/natsstore/names"
	"weir/dataplane/queue/natsstore/quota"
	"weir/dataplane/queue/natsstore/refusal"
	"weir/shared/fault"
)

// stream is a Log on one JetStream stream.
type stream struct {
	store *Store
	kind  queue.Kind
	part  int
	name  string
	limit atomic.Int64 // bytes; -1: none
	js    jetstream.Stream
}

var _ queue.Log = (*stream)(nil)

// leastCluster is how many servers have to keep a log that goes on without one of them.
const leastCluster = 3

// keepsAll says of which kinds single records are never removed.
var keepsAll = [queue.Kinds]bool{queue.Events: true, queue.Journal: true}

// mostReaders is how many readers a log has at a time at most: a loop or lanes, a
// recovery, and lists that people ask for.
const mostReaders = 16

// openLogs makes the streams that are missing and brings the others to today's
// limits.
func (s *Store) openLogs(ctx context.Context) error {
	if s.group != nil {
		if err := s.checkAccount(ctx); err != nil {
			return err
		}
	}
	total := s.cfg.MaxBytes
	switch {
	case total == 0 && s.group != nil:
		total = s.group.Room(ctx)
	case total == 0:
		total = s.embed.Room()
	}
	limits := quota.Of(total, s.slots.Partitions, s.group != nil)
	for k := range queue.Kinds {
		if k == queue.Detour && s.logs[queue.Events][0].js.CachedInfo().Config.Replicas < leastCluster && (s.group == nil || !s.group.Has(ctx, names.Stream(k, 0))) {
			continue // there is no other leader
		}
		for p := len(s.logs[k]); p < s.slots.Partitions; p++ {
			l, err := s.openStream(ctx, k, p, limits[k])
			if err != nil {
				return fmt.Errorf("open log %s: %w", names.Stream(k, p), err)
			}
			s.logs[k] = append(s.logs[k], l)
		}
	}
	return nil
}

// checkAccount asks whether the account of the cluster may have all logs.
func (s *Store) checkAccount(ctx context.Context) error {
	need := cluster.Need{Consumers: mostReaders, Least: quota.Least}
	for k := range queue.Kinds {
		if k == queue.Detour && s.group.Wanted() < leastCluster {
			continue
		}
		for p := range s.slots.Partitions {
			need.Streams = append(need.Streams, names.Stream(k, p))
		}
	}
	return refusal.Of(s.group.Check(ctx, need))
}

// making bounds the making of one stream: servers of a cluster elect who leads it.
func making(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 6*queue.CallTimeout)
}

func (s *Store) openStream(ctx context.Context, k queue.Kind, p int, limit int64) (*stream, error) {
	ctx, cancel := making(ctx)
	defer cancel()
	cfg := jetstream.StreamConfig{
		Name:      names.Stream(k, p),
		Subjects:  []string{names.Subject(k, p, "*")},
		Retention: jetstream.LimitsPolicy,
		Discard:   jetstream.DiscardNew, // with it, a limit below what is there removes nothing
		MaxBytes:  limit, MaxMsgs: -1, MaxMsgSize: queue.MaxPayload,
		Storage:    jetstream.FileStorage,
		Replicas:   1,
		DenyDelete: keepsAll[k],
		Duplicates: time.Second, // message ids are not used
	}
	l := &stream{store: s, kind: k, part: p, name: cfg.Name}
	var err error
	if s.group != nil {
		if l.js, err = s.group.Ensure(ctx, cfg); err == nil {
			limit = l.js.CachedInfo().Config.MaxBytes
		}
	} else {
		cfg.MaxBytes = quota.Wall(k, limit)
		l.js, err = s.js.CreateOrUpdateStream(ctx, cfg)
	}
	l.limit.Store(limit)
	return l, refusal.Of(err)
}

func (l *stream) Append(ctx context.Context, key string, data []byte) (uint64, error) {
	return l.append(ctx, key, data)
}

func (l *stream) AppendAfter(ctx context.Context, last uint64, key string, data []byte) (uint64, error) {
	return l.append(ctx, key, data, jetstream.WithExpectLastSequence(last))
}

func (l *stream) append(ctx context.Context, key string, data []byte, opts ...jetstream.PublishOpt) (uint64, error) {
	if err := queue.CheckRecord(key, data); err != nil {
		return 0, err
	}
	writable := l.store.writable()
	ctx, cancel := l.store.call(ctx, writable)
	defer cancel()
	begun, subject := time.Now(), names.Subject(l.kind, l.part, key)
	ack, err := l.store.js.Publish(ctx, subject, data, opts...)
	if refusal.Full(err) && quota.Wall(l.kind, 1) < 0 && l.store.group.Widen(ctx, l.name) == nil {
		ack, err = l.store.js.Publish(ctx, subject, data, opts...)
	}
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", l.name, l.appendFault(writable, begun, err))
	}
	l.store.answered()
	return ack.Sequence, nil
}

// appendFault gives err its kind, and notes what it says about the server: a
// stream that cannot write never answers.
func (l *stream) appendFault(writable context.Context, begun time.Time, err error) error {
	if writable.Err() != nil && l.store.open.Err() == nil {
		return context.Cause(writable)
	}
	if time.Since(begun) > queue.CallTimeout*9/10 && l.store.nc.IsConnected() {
		l.store.unanswered(time.Now())
	}
	err = refusal.Of(err)
	if l.store.open.Err() != nil {
		return errStoreClosed
	}
	return err
}

func (l *stream) Last(ctx context.Context) (queue.Record, error) {
	ctx, cancel := l.store.call(ctx, l.store.open)
	defer cancel()
	msg, err := l.js.GetLastMsgForSubject(ctx, names.Subject(l.kind, l.part, "*"))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return queue.Record{}, fault.New(fault.Missing, "The log %s is empty.", l.name)
	}
	if err != nil {
		return queue.Record{}, fmt.Errorf("read the last record of %s: %w", l.name, l.callFault(err))
	}
	return queue.Record{Seq: msg.Sequence, Key: names.Key(msg.Subject), Data: msg.Data, At: msg.Time.UTC()}, nil
}

func (l *stream) Purge(ctx context.Context, before uint64, key string) error {
	if err := queue.CheckRecord(key, nil); err != nil {
		return err
	}
	ctx, cancel := l.store.call(ctx, l.store.open)
	defer cancel()
	state, err := l.State(ctx)
	if err != nil {
		return err
	}
	// The server reads 0 as "all", and moves the numbers on when more is asked
	// for than there is.
	before = min(before, state.Last+1)
	if before <= 1 || before <= state.First {
		return nil
	}
	opts := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSequence(before)}
	if key != "" {
		opts = append(opts, jetstream.WithPurgeSubject(names.Subject(l.kind, l.part, key)))
	}
	if err := l.js.Purge(ctx, opts...); err != nil {
		return fmt.Errorf("purge %s: %w", l.name, l.callFault(err))
	}
	return nil
}

func (l *stream) Delete(ctx context.Context, seqs ...uint64) error {
	if keepsAll[l.kind] {
		return fault.New(fault.Denied, "Single records are never removed from %s.", l.name)
	}
	for _, seq := range seqs {
		if err := l.delete(ctx, seq); err != nil {
			return err
		}
	}
	return nil
}

// delete removes one record.
func (l *stream) delete(ctx context.Context, seq uint64) error {
	ctx, cancel := l.store.call(ctx, l.store.open)
	defer cancel()
	err := l.js.DeleteMsg(ctx, seq)
	if err == nil || errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	// The server answers alike for "missing" and for "could not": look.
	if _, missing := l.js.GetMsg(ctx, seq); errors.Is(missing, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fmt.Errorf("delete from %s: %w", l.name, l.callFault(err))
}

func (l *stream) State(ctx context.Context) (queue.State, error) {
	ctx, cancel := l.store.call(ctx, l.store.open)
	defer cancel()
	info, err := l.js.Info(ctx)
	if err != nil {
		return queue.State{}, fmt.Errorf("ask for the state of %s: %w", l.name, l.callFault(err))
	}
	st := queue.State{First: info.State.FirstSeq, Last: info.State.LastSeq, Records: info.State.Msgs, Bytes: info.State.Bytes}
	if st.Records == 0 {
		st.First = st.Last + 1
	}
	return st, nil
}

func (l *stream) Keys(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := l.store.call(ctx, l.store.open)
	defer cancel()
	info, err := l.js.Info(ctx, jetstream.WithSubjectFilter(names.Subject(l.kind, l.part, "*")))
	if err != nil {
		return nil, fmt.Errorf("ask for the keys of %s: %w", l.name, l.callFault(err))
	}
	keys := make(map[string]uint64, len(info.State.Subjects))
	for subject, n := range info.State.Subjects {
		keys[names.Key(subject)] = n
	}
	return keys, nil
}

// callFault is refusal.Of for calls that end when the store is closed.
func (l *stream) callFault(err error) error {
	if l.store.open.Err() != nil {
		return errStoreClosed
	}
	return refusal.Of(err)
}

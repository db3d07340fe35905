package natsstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore/names"
	"weir/dataplane/queue/natsstore/refusal"
	"weir/shared/fault"
)

const (
	// readAhead is how many records a reader asks the server for in advance.
	readAhead = 32
	// readAheadBytes ends one such request earlier; it must be more than the largest record.
	readAheadBytes = 2 * queue.MaxPayload
	// consumerTimeout is how long the server may take to make a consumer.
	consumerTimeout = 2 * time.Second
	// consumerLife is after which time without requests the server forgets a
	// consumer whose reader is gone without a word.
	consumerLife = 2 * time.Minute
	// heartbeat is how often the server says that a consumer without records is alive;
	// after two without a word the reader makes another one.
	heartbeat = time.Second
	// lookEvery is after which time without a record ReadTo asks whether more are to come.
	lookEvery = time.Second
	// lookFor is after which time without a record that should be there, or without
	// an answer, ReadTo gives up.
	lookFor = 20 * time.Second
)

func (l *stream) Read(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		r := &reader{log: l, next: max(from, 1), key: key, yield: yield}
		r.run(ctx)
	}
}

func (l *stream) ReadTo(ctx context.Context, from uint64, key string) iter.Seq2[queue.Record, error] {
	return func(yield func(queue.Record, error) bool) {
		r := &reader{log: l, next: max(from, 1), key: key, yield: yield}
		state, err := l.State(ctx)
		if err != nil {
			yield(queue.Record{}, err)
			return
		}
		if state.Last < r.next || state.Records == 0 {
			return
		}
		r.until = state.Last
		r.run(ctx)
	}
}

// reader follows a stream by position. Its consumers are throw-away: one in the
// server's memory, without acks, made anew at the next position whenever anything
// is odd: a gap in its numbers, a reconnect, a missing heartbeat. So it does not
// matter what a server forgets when it restarts.
type reader struct {
	log   *stream
	key   string
	next  uint64 // the least number not yielded yet
	until uint64 // the last number to yield; 0: wait for more for ever
	yield func(queue.Record, error) bool
	since time.Time // of the begin, or when the last record was taken
}

// errEnd ends a reader without an error.
var errEnd = errors.New("end of reading")

func (r *reader) run(ctx context.Context) {
	if err := queue.CheckRecord(r.key, nil); err != nil {
		r.yield(queue.Record{}, err)
		return
	}
	r.since = time.Now()
	wait := time.Duration(0)
	for {
		before := r.next
		err := r.session(ctx)
		if err == nil {
			err = r.ended(ctx)
		}
		switch {
		case errors.Is(err, errEnd):
			return
		case err != nil:
			r.yield(queue.Record{}, fmt.Errorf("read %s: %w", r.log.name, err))
			return
		}
		if r.next > before {
			wait = 0
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		case <-r.log.store.open.Done():
		}
		wait = min(max(2*wait, 20*time.Millisecond), time.Second)
	}
}

// ended returns why there must be no further session, nil when there may be one.
func (r *reader) ended(ctx context.Context) error {
	if ctx.Err() != nil {
		if r.until == 0 {
			return errEnd
		}
		return fault.New(fault.Unavailable, "Reading was ended before the last record.")
	}
	if r.log.store.open.Err() != nil {
		return errStoreClosed
	}
	return nil
}

// session reads through one consumer until it is odd (nil), the reader is at its
// end (errEnd) or cannot go on.
func (r *reader) session(ctx context.Context) error {
	store := r.log.store
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(store.linked(), cancel)() // which ends with store.open, too

	if r.until != 0 {
		if more, err := r.more(ctx); err != nil || !more {
			return err
		}
	}
	cons, err := r.consumer(ctx)
	if err != nil {
		return r.refused(err)
	}
	defer r.forget(cons)
	// By callback, not by Messages: its channel holds exactly what was asked for,
	// so that one message of the server's own beside them overflows it.
	msgs, odd := make(chan jetstream.Msg), make(chan struct{}, 1)
	reading, err := cons.Consume(
		func(m jetstream.Msg) {
			select {
			case msgs <- m:
			case <-ctx.Done():
			}
		},
		jetstream.PullMaxMessagesWithBytesLimit(readAhead, readAheadBytes),
		jetstream.PullHeartbeat(heartbeat),
		jetstream.ConsumeErrHandler(func(jetstream.ConsumeContext, error) {
			select {
			case odd <- struct{}{}:
			default:
			}
		}))
	if err != nil {
		return nil
	}
	defer reading.Stop()
	return r.drain(ctx, msgs, odd)
}

func (r *reader) drain(ctx context.Context, msgs <-chan jetstream.Msg, odd <-chan struct{}) error {
	for count := uint64(1); ; count++ {
		var look <-chan time.Time
		if r.until != 0 {
			look = time.After(lookEvery)
		}
		var msg jetstream.Msg
		select {
		case msg = <-msgs:
		case <-odd:
			return nil
		case <-look:
			return nil
		case <-ctx.Done():
			return nil
		}
		meta, err := msg.Metadata()
		if err != nil || meta.Sequence.Consumer != count {
			return nil // a record was lost on the way
		}
		seq := meta.Sequence.Stream
		if seq < r.next {
			continue
		}
		if r.until != 0 && seq > r.until {
			return errEnd
		}
		r.next = seq + 1
		if !r.yield(queue.Record{Seq: seq, Key: names.Key(msg.Subject()), Data: msg.Data(), At: meta.Timestamp.UTC()}, nil) {
			return errEnd
		}
		r.since = time.Now() // who takes the records may have taken its time
		if r.until != 0 && r.next > r.until {
			return errEnd
		}
		if r.until != 0 && meta.NumPending == 0 {
			return nil // the next session looks whether that is all
		}
	}
}

// more reports whether a record up to until is to be read. The stream's leader
// answers, so a copy that lags behind cannot end a reader early. errEnd: there is
// none. false: try again later.
func (r *reader) more(ctx context.Context) (bool, error) {
	if time.Since(r.since) > lookFor {
		return false, fault.New(fault.Unavailable, "The log does not give the records it has.")
	}
	ctx, cancel := r.log.store.call(ctx, r.log.store.open)
	defer cancel()
	subject := names.Subject(r.log.kind, r.log.part, "*")
	if r.key != "" {
		subject = names.Subject(r.log.kind, r.log.part, r.key)
	}
	msg, err := r.log.js.GetMsg(ctx, r.next, jetstream.WithGetMsgSubject(subject))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, errEnd
	case err != nil:
		return false, r.refused(err)
	case msg.Sequence > r.until:
		return false, errEnd
	}
	return true, nil
}

func (r *reader) consumer(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, consumerTimeout)
	defer cancel()
	cfg := jetstream.ConsumerConfig{
		Name:              nuid.Next(),
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.next,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: consumerLife,
	}
	if r.key != "" {
		cfg.FilterSubject = names.Subject(r.log.kind, r.log.part, r.key)
	}
	return r.log.js.CreateConsumer(ctx, cfg)
}

// refused returns an error for a stream that is gone, nil for what may pass.
func (r *reader) refused(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == refusal.StreamAbsent {
		return fault.New(fault.Unavailable, "The log is gone from its server.")
	}
	return nil
}

// forget removes a consumer, or leaves that to consumerLife.
func (r *reader) forget(cons jetstream.Consumer) {
	store := r.log.store
	if store.open.Err() != nil || !store.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(store.open, time.Second)
	defer cancel()
	_ = r.log.js.DeleteConsumer(ctx, cons.CachedInfo().Name) // else the server does it
}

package link

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
)

// Times of a consumer.
const (
	pullExpiry   = 30 * time.Second
	heartbeat    = 5 * time.Second  // of a consumer that has nothing to send
	silence      = 15 * time.Second // after which a consumer is gone
	pullMessages = 16               // waiting in memory; one may have several MiB
)

// message is one of a bucket's stream.
type message struct {
	subject string
	header  nats.Header
	data    []byte
	at      time.Time
	seq     uint64
}

// messages are what a consumer gives: next waits for one until ctx ends.
type messages interface {
	next(ctx context.Context) (message, error)
	stop()
}

// open makes a consumer that begins with all current entries.
func (f Follower) open(ctx context.Context) (messages, error) {
	if f.Shared != "" {
		return f.share(ctx)
	}
	return f.pull(ctx)
}

func (f Follower) config() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Name:              f.Name,
		FilterSubject:     f.Bucket.Subject(f.Filter),
		DeliverPolicy:     jetstream.DeliverLastPerSubjectPolicy,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		InactiveThreshold: time.Minute,
	}
}

// pulled are the messages of a consumer that sends to whoever asks it.
type pulled struct {
	jetstream.MessagesContext
	remove func()
}

func (f Follower) pull(ctx context.Context) (messages, error) {
	if f.Name != "" {
		f.remove(ctx, f.Name) // what it had sent to a dead link is lost
	}
	call, cancel := context.WithTimeout(ctx, CallDeadline)
	defer cancel()
	c, err := f.Link.JS.CreateConsumer(call, f.Bucket.Stream(), f.config())
	if err != nil {
		return nil, err
	}
	remove := func() { f.remove(context.WithoutCancel(ctx), c.CachedInfo().Name) }
	it, err := c.Messages(jetstream.PullMaxMessages(pullMessages), jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		remove()
		return nil, err
	}
	return pulled{it, remove}, nil
}

func (p pulled) stop() {
	p.Stop()
	p.remove()
}

func (p pulled) next(ctx context.Context) (message, error) {
	msg, err := p.Next(jetstream.NextContext(ctx))
	if err != nil {
		return message{}, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return message{}, err
	}
	return message{msg.Subject(), msg.Headers(), msg.Data(), meta.Timestamp, meta.Sequence.Stream}, nil
}

// shared are the messages of a consumer that sends to everybody who listens.
type shared struct {
	sub  *nats.Subscription
	last uint64 // number of the newest message by the consumer's own count
	// whole says that the count was seen from its begin. Without that, the messages are
	// the last ones of a consumer that another follower has replaced since.
	whole bool
}

// share listens first and makes the consumer then, so that every entry of it comes,
// whichever follower made it.
func (f Follower) share(ctx context.Context) (messages, error) {
	sub, err := f.Link.Conn.SubscribeSync(f.Shared)
	if err != nil {
		return nil, err
	}
	f.remove(ctx, f.Name)
	cfg := f.config()
	cfg.DeliverSubject, cfg.IdleHeartbeat = f.Shared, heartbeat
	call, cancel := context.WithTimeout(ctx, CallDeadline)
	defer cancel()
	if _, err := f.Link.JS.CreatePushConsumer(call, f.Bucket.Stream(), cfg); err != nil {
		_ = sub.Unsubscribe()
		return nil, err
	}
	return &shared{sub: sub}, nil
}

// stop leaves the consumer to the others; without any, the hub removes it.
func (s *shared) stop() { _ = s.sub.Unsubscribe() }

func (s *shared) next(ctx context.Context) (message, error) {
	for {
		wait, cancel := context.WithTimeout(ctx, silence)
		msg, err := s.sub.NextMsgWithContext(wait)
		cancel()
		if err != nil {
			return message{}, err
		}
		if msg.Header.Get("Status") != "" {
			if err := s.alive(msg.Header); err != nil {
				return message{}, err
			}
			continue
		}
		meta, err := msg.Metadata()
		if err != nil {
			return message{}, err
		}
		switch n := meta.Sequence.Consumer; {
		case n == 1:
			s.whole = true
		case s.last > 0 && n != s.last+1:
			return message{}, errGap
		}
		s.last = meta.Sequence.Consumer
		return message{msg.Subject, msg.Header, msg.Data, meta.Timestamp, meta.Sequence.Stream}, nil
	}
}

// alive compares what came with what a heartbeat says was sent.
func (s *shared) alive(header nats.Header) error {
	sent, err := strconv.ParseUint(header.Get("Nats-Last-Consumer"), 10, 64)
	if err != nil || sent != s.last || !s.whole && sent > 0 {
		return errGap
	}
	return nil
}

var errGap = fault.New(fault.Unavailable, "A message of the hub was lost.")

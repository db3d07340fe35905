// Package relay carries requests between the processes of a plane, over the servers of
// its event store: whoever got a request that another process answers for asks it there.
//
// Nothing is kept. A request is answered once, by a process that answers for its subject
// at that moment, or not at all; then whoever asked may ask again.
package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"weir/shared/fault"
)

// Relay is the requests of one subject. It is safe for concurrent use.
type Relay struct {
	nc      *nats.Conn
	subject string
}

// New returns the requests of subject, one word, on a connection.
func New(nc *nats.Conn, subject string) *Relay { return &Relay{nc, "relay." + subject} }

// Ask returns what the process that answers for the subject says to a request.
// fault.Unavailable: no process does now, or it did not answer before ctx ended.
// fault.Invalid: the request is longer than servers take.
func (r *Relay) Ask(ctx context.Context, request []byte) ([]byte, error) {
	m, err := r.nc.RequestWithContext(ctx, r.subject, request)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return nil, fault.New(fault.Invalid, "The request is too long.")
	case err != nil:
		return nil, fault.New(fault.Unavailable, "The process of this plane that answers this does not answer; ask again.")
	case len(m.Data) == 0:
		return nil, fault.New(fault.Unavailable, "The process of this plane that answers this has too much to do; ask again.")
	}
	return m.Data, nil
}

// All asks all processes that answer for the subject, and gives each answer that comes
// before ctx ends to answer, refusals apart. The end of ctx is no error; fault.Unavailable:
// the servers cannot be asked.
func (r *Relay) All(ctx context.Context, request []byte, answer func([]byte)) error {
	failed := func() error {
		return fault.New(fault.Unavailable, "The other processes of this plane cannot be asked; ask again.")
	}
	inbox := r.nc.NewRespInbox()
	sub, err := r.nc.SubscribeSync(inbox)
	if err != nil {
		return failed()
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := r.nc.PublishRequest(r.subject, inbox, request); err != nil {
		return failed()
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return failed()
		case len(m.Data) > 0:
			answer(m.Data)
		}
	}
}

// Limits of Serve.
const (
	look   = 250 * time.Millisecond // how often it looks whether this process answers
	atOnce = 256                    // requests; more are refused

	patience = 250 // looks whether the server knows that this process does not answer any more, and refusals by then
)

// Serve answers requests while answers says that this process does, until ctx ends. Then
// it waits for the answers under way. answer is called for many at once; an answer that is
// longer than servers take, or empty, is a refusal.
func (r *Relay) Serve(ctx context.Context, answers func() bool, answer func(context.Context, []byte) []byte) {
	var under sync.WaitGroup
	defer under.Wait()
	asked, places := make(chan *nats.Msg, atOnce), make(chan struct{}, atOnce)
	var sub *nats.Subscription
	defer func() { r.leave(sub, asked) }()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if !answers() {
			r.leave(sub, asked)
			sub = nil
		} else if sub == nil {
			sub, _ = r.nc.ChanSubscribe(r.subject, asked) // without a connection it is tried again
		}
		select {
		case m := <-asked:
			select {
			case places <- struct{}{}:
				under.Go(func() {
					defer func() { <-places }()
					if err := m.Respond(answer(ctx, m.Data)); errors.Is(err, nats.ErrMaxPayload) {
						_ = m.Respond(nil)
					}
				})
			default:
				_ = m.Respond(nil) // who asked may ask again
			}
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// leave ends a subscription, and refuses what comes until the server knows; one whose connection is gone has ended.
func (r *Relay) leave(sub *nats.Subscription, asked <-chan *nats.Msg) {
	if sub == nil || sub.Drain() != nil {
		return
	}
	for range patience {
		select {
		case m := <-asked:
			_ = m.Respond(nil)
		case <-time.After(look / patience):
			if !sub.IsValid() {
				return
			}
		}
	}
	_ = sub.Unsubscribe() // the server does not answer
}

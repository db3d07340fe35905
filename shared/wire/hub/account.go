package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/access"
	"weir/shared/wire/bucket"
	"weir/shared/wire/link"
)

// end is the control end of one account: its connection and the planes that it
// was asked about.
type end struct {
	account Account
	link    *link.Link

	mu     sync.Mutex
	planes map[id.Plane]uint64 // the newest ask of each, 0 for none
}

// end returns the connection to an account, made on first use together with the
// account and its buckets. fault.Unavailable: the hub is away.
func (h *Hub) end(ctx context.Context, a Account) (*end, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	e := h.ends[a]
	h.mu.Unlock()
	if e != nil {
		return e, nil
	}
	if err := h.opening.enter(ctx); err != nil { // one at a time: two openers would make two connections
		return nil, err
	}
	defer h.opening.leave()
	h.mu.Lock()
	e = h.ends[a]
	h.mu.Unlock()
	if e != nil {
		return e, nil
	}
	if err := h.admit(ctx, a); err != nil {
		return nil, err
	}
	creds, err := h.cfg.Operator.Admin(a)
	if err != nil {
		return nil, err
	}
	l, err := h.dial(ctx, creds, "weir control "+a.String())
	if err != nil {
		return nil, err
	}
	e = &end{account: a, link: l, planes: map[id.Plane]uint64{}}
	if err := e.keep(ctx); err != nil {
		l.Conn.Close()
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		l.Conn.Close()
		return nil, fault.New(fault.Unavailable, "The hub's control end was closed.")
	}
	h.ends[a] = e
	h.wanted[a] = struct{}{}
	close(h.changed)
	h.changed = make(chan struct{})
	return e, nil
}

// dial connects and waits until the connection stands.
func (h *Hub) dial(ctx context.Context, creds wire.Credentials, name string) (*link.Link, error) {
	cfg := link.Config{Address: h.cfg.Address, Credentials: creds, Name: name, Files: h.cfg.Files, Log: h.log}
	if h.cfg.Embedded != nil {
		cfg.InProcess = h.cfg.Embedded
	}
	l, err := link.Connect(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, link.CallDeadline)
	defer cancel()
	if !l.Await(ctx) {
		l.Conn.Close()
		return nil, fault.New(fault.Unavailable, "The hub at %s does not answer.", access.Redacted(h.cfg.Address))
	}
	return l, nil
}

// admit tells the hub of an account, through the system account; telling it
// again changes nothing.
func (h *Hub) admit(ctx context.Context, a Account) error {
	var revoked map[string]time.Time
	if h.cfg.Revoked != nil {
		var err error
		if revoked, err = h.cfg.Revoked(ctx, a); err != nil {
			return fmt.Errorf("find who is refused in hub account %s: %w", a, err)
		}
	}
	_, token, err := h.cfg.Operator.accountJWT(a.String(), revoked)
	if err != nil {
		return err
	}
	system, err := h.systemLink(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, link.CallDeadline)
	defer cancel()
	msg, err := system.Conn.RequestWithContext(ctx, "$SYS.REQ.CLAIMS.UPDATE", []byte(token))
	if err != nil {
		return fmt.Errorf("make hub account %s: %w", a, link.Unreachable(err))
	}
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return fault.New(fault.Unavailable, "The hub's answer about account %s is not readable.", a)
	}
	if answer.Error != nil {
		return fault.New(fault.Denied, "The hub refused account %s: %s.", a, answer.Error.Description)
	}
	return nil
}

// systemLink returns the connection through which accounts are made.
func (h *Hub) systemLink(ctx context.Context) (*link.Link, error) {
	if err := h.entering.enter(ctx); err != nil {
		return nil, err
	}
	defer h.entering.leave()
	if h.isClosed() {
		return nil, fault.New(fault.Unavailable, "The hub's control end was closed.")
	}
	if h.system != nil {
		return h.system, nil
	}
	creds, err := h.cfg.Operator.admin(systemAccount)
	if err != nil {
		return nil, err
	}
	l, err := h.dial(ctx, creds, "weir control system")
	if err != nil {
		return nil, err
	}
	h.system = l
	return l, nil
}

// keep makes the buckets of an account, or brings them to their settings.
//
// They are plain streams under the names of KV buckets. Roll-ups stay
// forbidden, other than in buckets that NATS tools make: with a roll-up header
// on its own key a plane would empty the bucket of the whole region.
func (e *end) keep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*link.CallDeadline)
	defer cancel()
	for _, b := range limits(e.account) {
		_, err := e.link.JS.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name:              b.bucket.Stream(),
			Subjects:          []string{b.bucket.Subject(">")},
			MaxMsgsPerSubject: 1,
			MaxBytes:          b.maxBytes,
			MaxMsgSize:        b.maxValue,
			Discard:           jetstream.DiscardNew,
			AllowDirect:       true,
			DenyDelete:        true,
			Storage:           jetstream.FileStorage,
			Duplicates:        2 * time.Minute,
			MaxConsumers:      -1,
		})
		if err != nil {
			return fmt.Errorf("make bucket %s of %s: %w", b.bucket, e.account, link.Unreachable(err))
		}
	}
	return nil
}

// call runs f on the end of an account. When the hub does not know a bucket (it
// was emptied), account and buckets are made again and f runs once more.
func (h *Hub) call(ctx context.Context, a Account, f func(context.Context, *end) error) error {
	e, err := h.end(ctx, a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*link.CallDeadline)
	defer cancel()
	err = f(ctx, e)
	if err == nil || fault.KindOf(err) != fault.Unavailable || ctx.Err() != nil {
		return err
	}
	if err := h.repair(ctx, e); err != nil {
		return err
	}
	return f(ctx, e)
}

// repair tells the hub again of an account and its buckets.
func (h *Hub) repair(ctx context.Context, e *end) error {
	if err := h.admit(ctx, e.account); err != nil {
		return err
	}
	return e.keep(ctx)
}

// know remembers a plane of this account.
func (e *end) know(p id.Plane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.planes[p]; !known {
		e.planes[p] = 0
	}
}

// expel removes everything of a plane. What is not removed is only a waste of disk, which
// trying again removes.
func (e *end) expel(ctx context.Context, p id.Plane) error {
	e.mu.Lock()
	delete(e.planes, p)
	e.mu.Unlock()
	var failed error
	for _, b := range limits(e.account) {
		s, err := e.link.JS.Stream(ctx, b.bucket.Stream())
		for _, key := range []string{string(p), string(p) + ".>"} {
			if err == nil {
				err = s.Purge(ctx, jetstream.WithPurgeSubject(b.bucket.Subject(key)))
			}
		}
		failed = errors.Join(failed, link.Unreachable(err))
	}
	return failed
}

// ask keeps the newest ask of a plane for its heartbeats, and sends one.
func (e *end) ask(ctx context.Context, p id.Plane, ask uint64) error {
	e.mu.Lock()
	e.planes[p] = ask
	e.mu.Unlock()
	return e.put(ctx, bucket.Pointers, string(p)+"."+bucket.Heartbeat, heartbeat(ask))
}

// heartbeat is the payload of a heartbeat; one that asks nothing is empty.
func heartbeat(ask uint64) []byte {
	if ask == 0 {
		return nil
	}
	data, _ := json.Marshal(wire.Heartbeat{Ask: ask}) // a number is always encoded
	return data
}

// beat bumps the heartbeat key of every plane of the account: those asked about
// and those that ever sent a beat.
func (e *end) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, link.CallDeadline)
	defer cancel()
	s, err := e.link.JS.Stream(ctx, bucket.Beats.Stream())
	if err != nil {
		return link.Unreachable(err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(bucket.Beats.Subject("*")))
	if err != nil {
		return link.Unreachable(err)
	}
	for subj := range info.State.Subjects {
		if p := id.Plane(bucket.Beats.Key(subj)[0]); id.Valid(p) {
			e.know(p)
		}
	}
	e.mu.Lock()
	planes := maps.Clone(e.planes)
	e.mu.Unlock()
	for p, ask := range planes {
		err = errors.Join(err, e.link.Conn.Publish(bucket.Pointers.Subject(string(p)+"."+bucket.Heartbeat), heartbeat(ask))) // not awaited: the next one is 5 s away
	}
	return link.Unreachable(err)
}

// gate is a mutex that is not waited for longer than a context. Its capacity is
// one.
type gate chan struct{}

func (g gate) enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "The hub did not answer in time.")
	}
}

func (g gate) leave() { <-g }

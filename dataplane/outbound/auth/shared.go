package auth

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"weir/shared/fault"
)

// Store keeps what the processes of a plane share of tokens: a value by key, which was sealed.
type Store interface {
	// Get returns a value and its revision. fault.Missing: there is none.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put replaces the value that was at a revision, 0 for none, and returns the new one once
	// it is durable. fault.Conflict: it is at another revision.
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// Shared is how the processes of one plane share tokens: of all that need one, one asks.
type Shared struct {
	Store Store
	// Seal and Open encrypt and decrypt a value for this plane alone, bound to its key.
	Seal, Open func(key string, value []byte) ([]byte, error)
}

// document is what is kept of the token for some credentials. Times are those of whoever
// wrote it: the clocks of a plane's processes are alike.
type document struct {
	Version int       `json:"version"`
	Access  string    `json:"access,omitempty"`
	Refresh string    `json:"refresh,omitempty"` // the newest
	Until   time.Time `json:"until"`             // when another token is due, or, without one, the endpoint is asked again
	Refused bool      `json:"refused,omitempty"` // without a token: the endpoint gives none
	Claimed time.Time `json:"claimed"`           // until then a process asks the endpoint, and the others wait
}

// Times of sharing.
const (
	claimFor   = tokenTimeout + 10*time.Second // how long a process that died keeps the others waiting
	lookAgain  = 100 * time.Millisecond
	writeTries = 5
)

// place is the key of a document.
func place(g grant) string { return hex.EncodeToString([]byte(g.key)) }

// read returns the document of a grant, a zero one for none, and its revision.
func (s *Shared) read(ctx context.Context, g grant) (d document, revision uint64, err error) {
	value, revision, err := s.Store.Get(ctx, place(g))
	if fault.KindOf(err) == fault.Missing {
		return document{}, 0, nil
	}
	if err != nil {
		return document{}, 0, err
	}
	clear, err := s.Open(place(g), value)
	if err != nil || json.Unmarshal(clear, &d) != nil {
		return document{}, revision, nil // of other keys: it is replaced
	}
	return d, revision, nil
}

func (s *Shared) write(ctx context.Context, g grant, d document, revision uint64) (uint64, error) {
	d.Version = 1
	text, err := json.Marshal(d)
	if err != nil {
		return 0, err
	}
	sealed, err := s.Seal(place(g), text)
	if err != nil {
		return 0, err
	}
	return s.Store.Put(ctx, place(g), sealed, revision)
}

// turn waits until it is this process's turn to ask the endpoint, and returns the document
// that it claimed with its revision; or the token that another process got, other than
// the one that was refused.
func (s *Shared) turn(ctx context.Context, g grant, refusedToken string, now time.Time) (claimed document, revision uint64, got *token, err error) {
	for begun := time.Now(); ; {
		at := now.Add(time.Since(begun))
		d, revision, err := s.read(ctx, g)
		if err != nil {
			return d, 0, nil, err
		}
		if at.Before(d.Until) && (d.Access == "" || d.Access != refusedToken) {
			return d, 0, d.token(), nil
		}
		if !at.Before(d.Claimed) {
			d.Claimed = at.Add(claimFor)
			revision, err = s.write(ctx, g, d, revision)
			if err == nil || fault.KindOf(err) != fault.Conflict {
				return d, revision, nil, err
			}
		}
		select {
		case <-ctx.Done():
			return d, 0, nil, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// token is what the document says.
func (d *document) token() *token {
	t := &token{access: d.Access, refresh: d.Refresh, until: d.Until}
	switch {
	case d.Access != "":
	case d.Refused:
		t.err = refused()
	default:
		t.err = fault.New(fault.Unavailable, "The token endpoint does not answer.")
	}
	return t
}

// settle writes what the endpoint answered over the claim. It is tried again while the
// store does not answer: a refresh token that the endpoint replaced is nowhere else.
func (s *Shared) settle(ctx context.Context, g grant, t *token, revision uint64) (err error) {
	d := document{Access: t.access, Refresh: t.refresh, Until: t.until, Refused: t.err != nil && len(fault.ProblemsOf(t.err)) > 0}
	for range writeTries {
		if _, err = s.write(ctx, g, d, revision); err == nil {
			return nil
		}
		kept, at, failed := s.read(ctx, g)
		switch {
		case failed == nil && kept.Access == d.Access && kept.Refresh == d.Refresh && kept.Claimed.IsZero():
			return nil // it had been written
		case failed == nil:
			revision = at // a claim that was over: what the endpoint answered last counts
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookAgain):
		}
	}
	return err
}

// askShared is ask among the processes of a plane. A refresh token that replaces another is
// durable before the access token that came with it is used.
func (t *tokens) askShared(ctx context.Context, g grant, last token, now time.Time) *token {
	failed := func(err error) *token {
		return &token{refresh: last.refresh, until: now.Add(afterAFailure), err: err, unsaved: last.unsaved}
	}
	if last.unsaved != nil {
		if err := t.shared.settle(ctx, g, last.unsaved, 0); err != nil {
			return failed(err)
		}
		return last.unsaved
	}
	claimed, revision, got, err := t.shared.turn(ctx, g, last.refusedAccess(), now)
	switch {
	case got != nil:
		return got
	case err != nil && g.refresh != "":
		return failed(err) // the refresh token in hand may have been replaced
	case err != nil:
		return t.alone(ctx, g, now) // nothing is lost when each process has a token of its own
	}
	if claimed.Refresh != "" {
		g.refresh = claimed.Refresh
	}
	fresh := t.alone(ctx, g, now)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
	defer stop()
	if err := t.shared.settle(ctx, g, fresh, revision); err != nil && fresh.err == nil && fresh.refresh != g.refresh {
		return &token{refresh: fresh.refresh, until: now.Add(afterAFailure), err: err, unsaved: fresh}
	}
	return fresh
}

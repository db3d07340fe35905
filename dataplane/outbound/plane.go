package outbound

import (
	"context"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/outbound/lookup"
	"weir/dataplane/outbound/rate"
	"weir/shared/id"
)

// Plane is what all lanes of a plane share, so that they do not add up: access tokens,
// rates, and what destinations looked up. It is safe for concurrent use.
type Plane struct {
	keys  *auth.Keyring
	rates rate.Rates
	found lookup.Cache
}

// NewPlane returns a Plane that gets access tokens by do; see Client.Do.
func NewPlane(do auth.Do) *Plane { return &Plane{keys: auth.New(do)} }

// take lets a request go, or returns after how long to ask again.
func (p *Plane) take(d id.Destination, l destination.Limits, now time.Time) (rate.Turn, time.Duration) {
	if p == nil {
		return rate.Turn{}, 0
	}
	return p.rates.Take(d, l, now)
}

// Try sends one request to t as its lanes do, authorised and in a turn of its own, and
// returns the answer; see Do.
func (c *Client) Try(ctx context.Context, t *destination.Target, r destination.Request) (destination.Response, error) {
	l, limits := Link{Do: c.Do, Plane: c.plane, Deps: destination.Deps{Now: time.Now}}, t.Limits.WithDefaults()
	turn, err := l.await(ctx, t.ID, limits)
	if err != nil {
		return destination.Response{}, err
	}
	res, _, err := l.do(ctx, t, r, limits, turn)
	return res, err
}

// do authorises a request whose turn it is and sends it, and once more, in a turn of its
// own, when the token of the first was refused. refused: the answer refuses a new token.
func (l *Link) do(ctx context.Context, t *destination.Target, r destination.Request, limits destination.Limits, turn rate.Turn) (res destination.Response, refused bool, err error) {
	r.Trust = t.Trust
	if l.Plane == nil {
		res, err = l.Do(ctx, r, limits.Timeout)
		return res, false, err
	}
	for first := true; ; first = false {
		authorised, used, err := l.Plane.keys.Request(ctx, t.Opened, r, l.Deps.Now())
		if err != nil {
			turn.Learn(destination.Response{}, l.Deps.Now())
			return destination.Response{}, false, err
		}
		res, err := l.Do(ctx, authorised, limits.Timeout)
		turn.Learn(res, l.Deps.Now())
		if err != nil || res.Status != 401 {
			return res, false, err
		}
		if again, err := l.Plane.keys.Refused(used, l.Deps.Now()); !again || err != nil || !first {
			return res, again, nil
		}
		if turn, err = l.await(ctx, t.ID, limits); err != nil {
			return destination.Response{}, false, err
		}
	}
}

// renewals is how often a delivery waits for a token that is not refused.
const renewals = 10

// renew makes those of verdicts on items of b that are dead because a new token was
// refused wait for the next one, unless they did so many times.
func renew(b destination.Batch, verdicts []destination.Verdict) {
	for i, v := range verdicts {
		if v.Outcome == destination.Dead && b.Items[v.Item].Attempt < renewals {
			verdicts[i] = destination.Verdict{Item: v.Item, Outcome: destination.Retry, Code: "token_refused", Detail: v.Detail}
		}
	}
}

// await returns the next turn. One that does not come for a while is a timeout.
func (l *Link) await(ctx context.Context, d id.Destination, limits destination.Limits) (rate.Turn, error) {
	for until := l.Deps.Now().Add(maxWait); ; {
		now := l.Deps.Now()
		turn, wait := l.Plane.take(d, limits, now)
		if wait == 0 {
			return turn, nil
		}
		if now.Add(wait).After(until) {
			return turn, context.DeadlineExceeded
		}
		select {
		case <-ctx.Done():
			return turn, ctx.Err()
		case <-time.After(wait):
		}
	}
}

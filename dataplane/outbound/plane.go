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

// wait returns after how long the next request may go, 0 for now.
func (p *Plane) wait(d id.Destination, l destination.Limits, now time.Time) time.Duration {
	if p == nil {
		return 0
	}
	return p.rates.Take(d, l, now)
}

// do authorises a request and sends it, and once more when the token of the first
// was refused.
func (l *Link) do(ctx context.Context, t *destination.Target, r destination.Request, limits destination.Limits) (destination.Response, error) {
	if l.Plane == nil {
		return l.Do(ctx, r, limits.Timeout)
	}
	for first := true; ; first = false {
		authorised, used, err := l.Plane.keys.Request(ctx, t.Opened, r, l.Deps.Now())
		if err != nil {
			return destination.Response{}, err
		}
		res, err := l.Do(ctx, authorised, limits.Timeout)
		if err != nil {
			return res, err
		}
		l.Plane.rates.Learn(t.ID, res, l.Deps.Now())
		if res.Status != 401 || !first || !l.Plane.keys.Refused(used) {
			return res, nil
		}
	}
}

package accounts

import (
	"context"
	"slices"
	"time"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/openapi"
	"weir/shared/fault"
)

// Waiting is a sign-in through a browser that began: the codes, and where the person goes.
type Waiting = openapi.DeviceLoginBegun

// Granted is the token that came of one.
type Granted = openapi.DeviceToken

// BeginLogin begins a sign-in through a browser, of a program that runs at device, such as
// "ann@laptop".
func BeginLogin(ctx context.Context, c *remote.Control, device string) (Waiting, error) {
	return remote.Do(ctx, c, api{}.BeginDeviceLogin(openapi.DeviceLoginBegin{Device: device}))
}

const (
	slowDown = 5 * time.Second // more to wait for when told so: RFC 8628, section 3.5
	slowest  = time.Minute
)

// AwaitLogin asks until the person allowed or refused a sign-in. wait waits for a time, and
// reports false where it was interrupted. Answers that are lost are asked for again.
//
// fault.Denied: the person refused. fault.Missing: it took too long. fault.Unavailable: it
// was interrupted, or the control plane stayed away.
func AwaitLogin(ctx context.Context, c *remote.Control, w Waiting, wait func(context.Context, time.Duration) bool) (Granted, error) {
	interval := max(time.Duration(w.Interval)*time.Second, time.Second)
	var lost error
	for left := time.Duration(w.ExpiresIn) * time.Second; left > 0; {
		left -= interval
		if !wait(ctx, interval) {
			return Granted{}, fault.New(fault.Unavailable, "stopped while waiting for the browser")
		}
		got, err := remote.Do(ctx, c, api{}.FinishDeviceLogin(openapi.DeviceCode{DeviceCode: w.DeviceCode}))
		switch {
		case err == nil:
			return got, nil
		case says(err, "authorization_pending"):
			lost = nil
		case says(err, "slow_down"):
			interval, lost = min(interval+slowDown, slowest), nil
		case says(err, "access_denied"):
			return Granted{}, fault.New(fault.Denied, "the sign-in was refused in the browser")
		case says(err, "expired_token") && lost != nil:
			return Granted{}, fault.New(fault.Missing, "the answer with the token was lost, or the code has expired; sign in again")
		case says(err, "expired_token"):
			return Granted{}, errLate
		case fault.KindOf(err) == fault.Unavailable || fault.KindOf(err) == fault.Limited:
			interval, lost = min(2*interval, slowest), err
		default:
			return Granted{}, err
		}
	}
	if lost != nil {
		return Granted{}, lost
	}
	return Granted{}, errLate
}

var errLate = fault.New(fault.Missing, "nobody allowed the sign-in in time; begin again with 'weir login'")

func says(err error, code string) bool {
	return slices.ContainsFunc(fault.ProblemsOf(err), func(p fault.Problem) bool { return p.Code == code })
}

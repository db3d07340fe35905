package endpoint

import "weir/shared/fault"

// Offers refuses what this plane was not given.
func Offers(ok bool, what string) error {
	if ok {
		return nil
	}
	return fault.New(fault.Unavailable, "This plane offers no %s.", what)
}

package profiles

import (
	"context"
	"errors"

	"weir/dataplane/identity"
	"weir/dataplane/profile"
	"weir/dataplane/tables"
	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
)

// rules compares persons by the rules of the call with those by the rules that are published.
func (v calls) rules(c *endpoint.Call) (any, error) {
	i, err := read(c)
	if err != nil {
		return nil, err
	}
	if len(i.Entities) == 0 {
		return nil, fault.New(fault.Invalid, "The rules to compare with are missing: send the entities as they would be.")
	}
	var found identity.Comparison
	err = v.with(c, i, func(ctx context.Context, s tables.Session, config profile.Config) (err error) {
		found, err = config.Compare(ctx, s, i.Entity, i.Entities, i.Inputs, v.now())
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fault.New(fault.Unavailable, "The warehouse did not end the comparison in time. Try again when it does less, or publish the rules: a build that changes more than its gate allows is held.")
		}
		return err
	})
	return found, err
}

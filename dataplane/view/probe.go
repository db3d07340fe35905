package view

import (
	"context"

	"weir/dataplane/destination"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/view/probe"
	"weir/shared/fault"
)

// test tries a destination as its lane would, and sends no event.
func (v *View) test(c *endpoint.Call) (any, error) {
	var in struct {
		Destination string `json:"destination"`
	}
	if err := c.Decode(&in, endpoint.MaxBody); err != nil {
		return nil, err
	}
	d, err := v.destination(c, in.Destination)
	if err != nil {
		return nil, err
	}
	target, presence := v.cfg.Plans.Target(c.Grant.Workspace, d)
	if presence != destination.Present {
		return nil, fault.New(fault.Missing, "This plane runs no destination of this name in the workspace.")
	}
	ways := probe.Ways{Deps: destination.Deps{Dial: v.cfg.Dial, Now: v.cfg.Now, Log: v.cfg.Log}, Try: v.cfg.Try}
	if target.Staged {
		if err := endpoint.Offers(v.cfg.Warehouses != nil, "warehouses"); err != nil {
			return nil, err
		}
		ways.SignIn = func(ctx context.Context) error { return v.cfg.Warehouses.Test(ctx, c.Grant.Workspace, d) }
	} else if err := endpoint.Offers(v.cfg.Dial != nil, "connection tests"); err != nil {
		return nil, err
	}
	free, err := v.probes.Take(c)
	if err != nil {
		return nil, err
	}
	defer free()
	return probe.Run(c.Context(), target, ways), nil
}

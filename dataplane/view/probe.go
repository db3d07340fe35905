package view

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/view/probe"
	"weir/shared/fault"
	"weir/shared/id"
)

// maxProbeTime is how long a connection test may take.
const maxProbeTime = 15 * time.Second

// tested is how a connection test went. Code is empty when it went well; Detail
// may hold a driver's or a resolver's text.
type tested struct {
	OK     bool   `json:"ok"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// test connects to a destination as its lane would, and sends nothing.
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
	free, err := v.probes.Take(c)
	if err != nil {
		return nil, err
	}
	defer free()
	ctx, cancel := context.WithTimeout(c.Context(), maxProbeTime)
	defer cancel()
	code, err := v.reach(ctx, c.Grant.Workspace, d)
	if code == "" {
		return tested{OK: err == nil}, err
	}
	detail := ""
	if err != nil {
		detail = err.Error()
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code, detail = "timeout", fmt.Sprintf("No connection within %s.", maxProbeTime)
	}
	return tested{Code: code, Detail: detail}, nil
}

// reach returns a code and why a destination cannot be reached; an error without
// a code is the call's own.
func (v *View) reach(ctx context.Context, ws id.Workspace, d id.Destination) (code string, err error) {
	target, presence := v.cfg.Plans.Target(ws, d)
	if presence != destination.Present {
		return "", fault.New(fault.Missing, "This plane runs no destination of this name in the workspace.")
	}
	if target.Staged {
		if err := offers(v.cfg.Warehouses != nil, "warehouses"); err != nil {
			return "", err
		}
		if err := v.cfg.Warehouses.Test(ctx, ws, d); err != nil {
			return "sign_in_failed", err
		}
		return "", nil
	}
	if err := offers(v.cfg.Dial != nil, "connection tests"); err != nil {
		return "", err
	}
	return probe.Destination(ctx, target, destination.Deps{Dial: v.cfg.Dial, Now: v.cfg.Now, Log: v.cfg.Log})
}

// Package stack runs both planes in one process: one control plane and a data
// plane per region, each enrolled by the same code as in production, on
// embedded defaults. It returns where they are reached.
package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/controlplane"
	"weir/dataplane"
	"weir/dataplane/enrol"
	"weir/dataplane/jobs/temporal"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/telemetry"
)

// Access is how the owner of this machine gets in.
type Access = controlplane.DevAccess

// Config is what to run. All fields but Log, Traces, Known, Connectors and TrustedProxies are required.
type Config struct {
	DataDir                           string
	Regions                           []string // one data plane each
	HTTP, Hub, Gateway, View, Metrics Address
	Connectors                        string   // folder of connectors of the planes; empty: none
	TrustedProxies                    []string // networks whose X-Forwarded-For both planes believe
	Temporal                          string   // the program weir-temporal; empty for none
	Policies                          string   // the operator's: a file or folder of Rego; empty for none
	Version                           string
	Log                               *slog.Logger
	Traces                            *telemetry.Traces             // of the planes; nil: none
	Known                             controlplane.DevAccess        // of an earlier start; what is still good stays
	ResetLogin                        bool                          // the first administrator gets a new password
	Note                              func(format string, a ...any) // says what a person should know

	temporal temporal.Server // of the planes
}

// Plane is where a data plane is reached, as URLs.
type Plane struct {
	Region, Gateway, View, Metrics string
}

// Running is the addresses and the way in.
type Running struct {
	Control string // URL
	Hub     string // nats://host:port
	Access  Access
	Planes  []Plane
}

// Run starts everything, calls up once events are taken, and stops in reverse
// order when ctx ends or up returns an error.
func Run(ctx context.Context, cfg Config, up func(context.Context, Running) error) error {
	var r Running
	addresses := map[string]string{}
	for name, a := range map[string]Address{"http": cfg.HTTP, "hub": cfg.Hub} {
		at, err := a.claim(name, 0, cfg.Note)
		if err != nil {
			return err
		}
		addresses[name] = at
	}
	control, err := controlplane.New(controlplane.Config{
		DataDir: filepath.Join(cfg.DataDir, "control"), HTTPListen: addresses["http"], HubListen: addresses["hub"],
		TrustedProxies: cfg.TrustedProxies, AllowPrivate: true, Dev: true, Known: cfg.Known, ResetLogin: cfg.ResetLogin, Policies: cfg.Policies, Out: io.Discard, Log: cfg.Log.With("plane", "control"),
	})
	if err != nil {
		return err
	}
	// The control plane outlives the data planes, so that they can say goodbye.
	base, stopControl := context.WithCancel(context.WithoutCancel(ctx))
	defer stopControl()
	done := make(chan error, 1)
	go func() { done <- control.Run(base) }()
	select {
	case <-control.Ready():
	case err := <-done:
		return err
	}
	r.Control, r.Hub, r.Access = control.Addresses().HTTP, control.Addresses().Hub, control.DevAccess()

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		select {
		case err := <-done:
			done <- err
			if err == nil && gctx.Err() == nil {
				return fault.New(fault.Internal, "the control plane ended")
			}
			return err
		case <-gctx.Done():
			return nil
		}
	})
	if cfg.Temporal != "" {
		h := newHistories(cfg.Temporal, filepath.Join(cfg.DataDir, "temporal"), cfg.Log.With("part", "weir-temporal"), func(at string) {
			cfg.Note("weir: Temporal at %s, namespace weir, keeps the histories of jobs", at)
		})
		cfg.temporal.Find = h.find
		g.Go(func() error { h.run(gctx); return nil })
	}
	err = r.planes(gctx, g, cfg)
	if err == nil {
		err = up(gctx, r)
	}
	if err != nil {
		g.Go(func() error { return err })
	}
	err = g.Wait()
	stopControl()
	if cerr := <-done; err == nil {
		err = cerr
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// planes enrols and starts a data plane per region and waits until they are ready.
func (r *Running) planes(ctx context.Context, g *errgroup.Group, cfg Config) error {
	for i, region := range cfg.Regions {
		at := map[string]string{}
		for name, a := range map[string]Address{"gateway": cfg.Gateway, "view": cfg.View, "metrics": cfg.Metrics} {
			claimed, err := a.claim(name, i, cfg.Note)
			if err != nil {
				return err
			}
			at[name] = claimed
		}
		p := Plane{Region: region, Gateway: "http://" + at["gateway"], View: "http://" + at["view"], Metrics: "http://" + at["metrics"]}
		dir := filepath.Join(cfg.DataDir, "planes", region)
		if err := r.enrol(ctx, dir, p, cfg.Version); err != nil {
			return fmt.Errorf("enrol the plane of %s: %w", region, err)
		}
		plane, err := dataplane.New(dataplane.Config{
			DataDir: dir, Hub: r.Hub, Gateway: at["gateway"], View: at["view"], Metrics: at["metrics"],
			GatewayURL: p.Gateway, ViewURL: p.View,
			TrustedProxies: cfg.TrustedProxies, Connectors: cfg.Connectors, AllowPrivate: true, Version: cfg.Version, Log: cfg.Log.With("plane", region), Traces: cfg.Traces,
			Restart: func() { command.Restart(cfg.Log) }, Temporal: cfg.temporal,
		})
		if err != nil {
			return err
		}
		g.Go(func() error { return plane.Run(ctx) })
		select {
		case <-plane.Ready():
		case <-ctx.Done():
			return context.Cause(ctx) // what stopped the others is told by the group
		}
		r.Planes = append(r.Planes, p)
	}
	return nil
}

// enrol invites a plane and lets it join, unless dir holds one already.
func (r *Running) enrol(ctx context.Context, dir string, p Plane, version string) error {
	if enrol.Joined(dir) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := json.Marshal(map[string]string{"region": p.Region, "kind": "regional"})
	if err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Control+"/api/v1/planes/invitations", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Access.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var invitation struct{ Token, Detail string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&invitation); err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	if invitation.Token == "" {
		return fault.New(fault.Unavailable, "the control plane did not invite: %d %s", resp.StatusCode, invitation.Detail)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	return dataplane.Join(ctx, enrol.Config{
		Control: r.Control, Token: invitation.Token, DataDir: dir, Name: p.Region + "-1", GatewayURL: p.Gateway, ViewURL: p.View, Version: version,
	})
}

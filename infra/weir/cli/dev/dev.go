// Package dev is the command `weir dev`: both planes in this process, with a
// configuration, and dev.json for the commands that follow.
package dev

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/apply"
	"weir/infra/weir/cli/console"
	"weir/infra/weir/stack"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/telemetry"
	"weir/shared/workspace"
)

// The workspace that `weir dev` makes without --config.
const firstConfig = `workspace: dev
region: %s
sources:
  - { name: web, type: http, writeKey: wk_dev_web }
destinations:
  - { name: first, type: webhook, settings: { url: %q } }
connections:
  - { source: web, destination: first }
`

const (
	firstWorkspace = "dev"
	devReady       = time.Minute // to reach the first event
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

type devFlags struct {
	config, dataDir                   string
	regions                           []string
	http, hub, gateway, view, metrics string
	noTemporal                        bool
	logLevel                          string
}

// New returns the command `weir dev`.
func New(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run both planes on this machine, ready for the first event",
		Long: `Runs a control plane and a data plane per region in this process, on embedded
defaults, and prints where they are reached, a login, a write key and a curl line.
'ready' on a line of its own means that an event sent now is taken.

Without --config it makes the workspace dev with the source web and a built-in
webhook as destination, and prints the first delivered event. Where a default
port is taken a free one is used and printed.`,
		Example: `  weir dev
  weir dev --config weir.yaml
  weir dev --regions eu,us --data-dir /tmp/weir`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return k.runDev(cmd, f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.config, "config", "", "configuration to apply at start, YAML")
	fl.StringVar(&f.dataDir, "data-dir", ".weir", "where everything is kept")
	fl.StringSliceVar(&f.regions, "regions", []string{"eu"}, "a data plane for each")
	fl.StringVar(&f.http, "http", "127.0.0.1:8080", "control plane: API and console")
	fl.StringVar(&f.gateway, "gateway", "127.0.0.1:8090", "gateway of the first plane; each further plane + 10")
	fl.StringVar(&f.view, "view", "127.0.0.1:8091", "view API of the first plane; each further plane + 10")
	fl.StringVar(&f.metrics, "metrics", "127.0.0.1:9090", "metrics and pprof of the first plane; each further plane + 10")
	fl.StringVar(&f.hub, "hub", "127.0.0.1:4222", "NATS of the hub")
	fl.BoolVar(&f.noTemporal, "no-temporal", false, "run without Temporal (nothing in this version needs it)")
	fl.StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

func (k invocation) runDev(cmd *cobra.Command, f devFlags) error {
	for _, r := range f.regions {
		if !workspace.ValidRegion(r) {
			return command.Usage("--regions: %q is not a region: a short name in lower case, such as eu", r)
		}
	}
	if f.config != "" {
		if _, err := os.Stat(f.config); err != nil {
			return command.Usage("--config: %v", err)
		}
	}
	log, err := telemetry.NewLogger(telemetry.LogConfig{Out: k.Err, Format: "text", Level: f.logLevel})
	if err != nil {
		return command.Usage("--log-level: %v", err)
	}
	if err := os.MkdirAll(f.dataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	at := func(name, text string) stack.Address {
		return stack.Address{Text: text, Given: cmd.Flags().Changed(name)}
	}
	k.Note("weir: starting %s in %s", strings.Join(f.regions, ", "), f.dataDir)
	traces, err := k.Traces(cmd.Context(), log)
	if err != nil {
		return err
	}
	defer func() { _ = traces.Close() }() // what the collector did not take is lost
	k.BoundMemory(cmd.Context())
	return stack.Run(cmd.Context(), stack.Config{
		DataDir: f.dataDir, Regions: f.regions, Version: k.Version, Log: log, Traces: traces,
		HTTP: at("http", f.http), Hub: at("hub", f.hub), Gateway: at("gateway", f.gateway), View: at("view", f.view), Metrics: at("metrics", f.metrics),
	}, func(ctx context.Context, r stack.Running) error { return k.devUp(ctx, f, r) })
}

// devUp applies the configuration, writes dev.json and tells how to go on.
func (k invocation) devUp(ctx context.Context, f devFlags, r stack.Running) error {
	d := console.Dev{Control: r.Control, Hub: r.Hub, Token: r.Access.Token, Email: r.Access.Email, Password: r.Access.Password, Gateway: r.Planes[0].Gateway, View: r.Planes[0].View, Metrics: r.Planes[0].Metrics}
	if err := d.Write(f.dataDir); err != nil {
		return err
	}
	k.Use(f.dataDir, d)
	workspaceName, err := k.devConfigure(ctx, f, r)
	if err != nil {
		return err
	}
	if d.WriteKey, err = k.devReady(ctx, r, workspaceName); err != nil {
		return err
	}
	if err := d.Write(f.dataDir); err != nil {
		return err
	}
	k.devTell(d, r, f)
	return nil
}

// devConfigure applies the configuration and returns the name of a workspace to
// show, "" when there is none of this start's.
func (k invocation) devConfigure(ctx context.Context, f devFlags, r stack.Running) (string, error) {
	flags := apply.Flags{File: f.config, Timeout: devReady}
	if f.config != "" {
		return "", apply.Run(ctx, k.Console, flags)
	}
	url, err := k.firstSink(ctx)
	if err != nil {
		return "", err
	}
	flags.File = filepath.Join(f.dataDir, "first.yaml")
	if err := os.WriteFile(flags.File, fmt.Appendf(nil, firstConfig, f.regions[0], url), 0o600); err != nil {
		return "", fmt.Errorf("write the first configuration: %w", err)
	}
	return firstWorkspace, apply.Run(ctx, k.Console, flags)
}

// devReady waits until every gateway takes events, and returns a write key of
// the named workspace, or of any.
func (k invocation) devReady(ctx context.Context, r stack.Running, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, devReady)
	defer cancel()
	for _, p := range r.Planes {
		for {
			resp, err := http.Get(p.Gateway + "/ready")
			if err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					break
				}
			}
			select {
			case <-ctx.Done():
				return "", fault.New(fault.Unavailable, "the gateway of %s is not ready; see the log above", p.Region)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	control, err := k.Connect()
	if err != nil {
		return "", err
	}
	status, err := control.Status(ctx)
	if err != nil {
		return "", err
	}
	for _, ws := range status.Workspaces {
		if name != "" && ws.Name != name {
			continue
		}
		for _, s := range ws.Sources {
			if s.WriteKey != "" && !s.Disabled {
				return s.WriteKey, nil
			}
		}
	}
	return "", nil
}

func (k invocation) devTell(d console.Dev, r stack.Running, f devFlags) {
	k.Say("console    %s", d.Control)
	k.Say("login      %s  %s", d.Email, d.Password)
	for _, p := range r.Planes {
		k.Say("gateway    %s  (%s; view %s, metrics %s)", p.Gateway, p.Region, p.View, p.Metrics)
	}
	k.Say("hub        %s", r.Hub)
	if d.WriteKey == "" {
		k.Say("no source yet: write a configuration and run  weir apply -f weir.yaml --data-dir %s", f.dataDir)
	} else {
		k.Say("write key  %s", d.WriteKey)
		k.Say("try        curl -u %s: -H 'Content-Type: application/json' -d '{\"userId\":\"ada\",\"event\":\"First Light\"}' %s/v1/track", d.WriteKey, d.Gateway)
	}
	k.Say("ready")
}

// firstSink is the built-in webhook: it takes everything and prints the first
// event. It ends with ctx.
func (k invocation) firstSink(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	var shown atomic.Bool
	srv := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 2<<20))
			if err == nil && shown.CompareAndSwap(false, true) {
				k.Say("first event delivered: %s", command.Clean(string(body)))
			}
		}),
	}
	go func() { _ = srv.Serve(l) }() // ends with the line below
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return "http://" + l.Addr().String() + "/", nil
}

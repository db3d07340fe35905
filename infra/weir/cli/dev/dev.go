// Package dev is the command `weir dev`: both planes in this process, with a
// configuration, and dev.json for the commands that follow.
package dev

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/apply"
	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/infra/weir/stack"
	"weir/shared/command"
	"weir/shared/durable"
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
	firstWorkspace   = "dev"
	firstDestination = "first"
	firstFile        = "first.yaml" // in the data directory
	devReady         = time.Minute  // to reach the first event
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

type devFlags struct {
	config, dataDir                   string
	regions, trustedProxies           []string
	connectors                        string
	http, hub, gateway, view, metrics string
	noTemporal, resetLogin            bool
	logLevel, policies                string
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
webhook as destination, and prints the first delivered event. Started again it
changes nothing that exists. Where a default port is taken a free one is used
and printed.

Where the program weir-temporal is beside this one ('make temporal' builds it), it runs
as a child and keeps the histories of jobs.`,
		Example: `  weir dev
  weir dev --config weir.yaml
  weir dev --regions eu,us --data-dir /tmp/weir`,
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
	fl.StringVar(&f.connectors, "connectors", "", "folder of Singer taps and Airbyte connectors that pulled sources may name (default: none may run)")
	fl.StringSliceVar(&f.trustedProxies, "trusted-proxies", nil, "networks whose X-Forwarded-For is believed, such as 10.0.0.0/8")
	fl.BoolVar(&f.noTemporal, "no-temporal", false, "run jobs without Temporal: all of them run, and no histories are kept")
	fl.BoolVar(&f.resetLogin, "reset-login", false, "give the first administrator a new password and print it")
	fl.StringVar(&f.policies, "policies", "", "a policy in Rego, or a folder of them, that every commit has to pass")
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
	known, err := console.ReadDev(f.dataDir)
	if err != nil {
		k.Note("weir: %v; a new one is written", err)
	}
	k.Note("weir: starting %s in %s", strings.Join(f.regions, ", "), f.dataDir)
	traces, err := k.Traces(cmd.Context(), log)
	if err != nil {
		return err
	}
	defer func() { _ = traces.Close() }() // what the collector did not take is lost
	k.ShareProcessors()
	k.BoundMemory(cmd.Context())
	return stack.Run(cmd.Context(), stack.Config{
		DataDir: f.dataDir, Regions: f.regions, Temporal: k.temporal(f), TrustedProxies: f.trustedProxies, Connectors: f.connectors, Version: k.Version, Log: log, Traces: traces, Note: k.Note,
		Known: stack.Access{Email: known.Email, Password: known.Password, Token: known.Token}, ResetLogin: f.resetLogin, Policies: f.policies,
		HTTP: at("http", f.http), Hub: at("hub", f.hub), Gateway: at("gateway", f.gateway), View: at("view", f.view), Metrics: at("metrics", f.metrics),
	}, func(ctx context.Context, r stack.Running) error { return k.devUp(ctx, f, r) })
}

// temporal is the program weir-temporal beside this one, "" without it.
func (k invocation) temporal(f devFlags) string {
	if f.noTemporal {
		return ""
	}
	at, err := os.Executable()
	if err == nil {
		at = filepath.Join(filepath.Dir(at), "weir-temporal")
		_, err = os.Stat(at)
	}
	if err != nil {
		k.Note("weir: without Temporal, whose program is not built (make temporal): jobs run, and no histories are kept")
		return ""
	}
	return at
}

// devUp applies the configuration, writes dev.json and tells how to go on.
func (k invocation) devUp(ctx context.Context, f devFlags, r stack.Running) error {
	d := console.Dev{Control: r.Control, Hub: r.Hub, Token: r.Access.Token, Email: r.Access.Email, Password: r.Access.Password, Gateway: r.Planes[0].Gateway, View: r.Planes[0].View, Metrics: r.Planes[0].Metrics}
	if err := d.Write(f.dataDir); err != nil {
		return err
	}
	k.Use(f.dataDir, d)
	workspaceName, err := k.configure(ctx, f)
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

// configure applies the configuration and returns the name of a workspace to show,
// "" for any. Without --config it makes the first workspace where there is none, and
// changes nothing of what there is.
func (k invocation) configure(ctx context.Context, f devFlags) (string, error) {
	if f.config != "" {
		return "", apply.Run(ctx, k.Console, apply.Flags{File: f.config, Timeout: devReady})
	}
	control, err := k.Connect()
	if err != nil {
		return "", err
	}
	all, err := control.Workspaces(ctx)
	if err != nil {
		return "", err
	}
	if len(all) > 0 {
		name := "" // any, where the first one is gone
		if slices.ContainsFunc(all, func(w remote.Workspace) bool { return w.Name == firstWorkspace }) {
			name = firstWorkspace
		}
		return name, k.resumeWebhook(ctx, f, control)
	}
	url, err := k.makeWebhook(ctx)
	if err != nil {
		return "", err
	}
	flags := apply.Flags{File: filepath.Join(f.dataDir, firstFile), Timeout: devReady}
	if err := durable.WriteFile(flags.File, fmt.Appendf(nil, firstConfig, f.regions[0], url), 0o600); err != nil {
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
	switch {
	case d.Password != "":
		k.Say("login      %s  %s", d.Email, d.Password)
	case d.Email != "":
		k.Say("login      %s  with the password that was set (--reset-login makes a new one)", d.Email)
	}
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

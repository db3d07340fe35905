// Package command is the command line of a data plane, the same in its image and
// in the binary `weir`.
package command

import (
	"github.com/spf13/cobra"

	"weir/dataplane"
	"weir/shared/command"
	"weir/shared/worker"
)

// Role is the name of the command.
const Role = "dataplane"

// New returns the command that runs a data plane, with the one by which it joins
// below it. p is complete. The program needs TransformWorker, too.
func New(p command.Process) *cobra.Command {
	var cfg dataplane.Config
	path := p.Path(Role)
	cmd := &cobra.Command{
		Use:   Role,
		Short: "Run a data plane alone, or let one join",
		Long: `Runs gateway, pipeline and deliveries of a plane that joined before. It runs its
last good configuration also while the control plane is away.

Every flag can be given as a variable: --data-dir as WEIR_DATA_DIR. An address of
--events or --hub that holds a password may also stand in a file that
WEIR_EVENTS_FILE or WEIR_HUB_FILE names.
OTEL_EXPORTER_OTLP_ENDPOINT names an OpenTelemetry collector (OTLP over HTTP) for
traces of one frame of events in a thousand; OTEL_TRACES_SAMPLER_ARG=0.1 makes it
one in ten. Spans hold ids, codes, counts and times, never content.`,
		Example: `  ` + path + ` join --token weir_join_... --control https://weir.example.com --data-dir /var/lib/weir
  ` + path + ` --data-dir /var/lib/weir --gateway 0.0.0.0:8090`,
	}
	bindConfig(cmd, &cfg)
	logs := p.LogFlags(cmd)
	p.Bind(cmd, command.Variables{Files: []string{"hub", "events"}})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log, err := logs.Logger()
		if err != nil {
			return err
		}
		cfg.Log, cfg.Version, cfg.Restart = log, p.Version, func() { command.Restart(log) }
		if cfg.Traces, err = p.Traces(cmd.Context(), log); err != nil {
			return err
		}
		defer func() { _ = cfg.Traces.Close() }() // what the collector did not take is lost
		plane, err := dataplane.New(cfg)
		if err != nil {
			return command.Usage("%v", err)
		}
		go func() { // ends with Ready or the command
			select {
			case <-plane.Ready():
				at := plane.URLs()
				p.Say("gateway    %s\nview       %s\nmetrics    %s\nready", command.Clean(at.Gateway), command.Clean(at.View), command.Clean(at.Metrics))
			case <-cmd.Context().Done():
			}
		}()
		p.ShareProcessors()
		p.BoundMemory(cmd.Context())
		return plane.Run(cmd.Context())
	}
	cmd.AddCommand(newJoin(p))
	return cmd
}

// bindConfig gives cmd the flags of a data plane that runs.
func bindConfig(cmd *cobra.Command, cfg *dataplane.Config) {
	flags := cmd.Flags()
	flags.StringVar(&cfg.DataDir, "data-dir", ".weir/plane", "folder for keys, logs and configuration")
	flags.StringVar(&cfg.Hub, "hub", "", "nats:// or tls:// address of the hub (default: as told at joining)")
	command.AccessFlags(flags, "hub", "the hub", &cfg.HubFiles.CA, &cfg.HubFiles.Cert, &cfg.HubFiles.Key, &cfg.HubFiles.Creds, &cfg.HubFiles.NKey)
	flags.StringVar(&cfg.Events, "events", "", "nats:// or tls:// addresses of the plane's own event cluster, divided by commas (default: embedded)")
	command.AccessFlags(flags, "events", "the event cluster", &cfg.EventsFiles.CA, &cfg.EventsFiles.Cert, &cfg.EventsFiles.Key, &cfg.EventsFiles.Creds, &cfg.EventsFiles.NKey)
	flags.IntVar(&cfg.Replicas, "replicas", 0, "servers of the event cluster that keep each log, 1 to 5 (default 3 where there are three or more, else 1; never fewer than now)")
	flags.Var(byteSize{&cfg.EventsBytes}, "events-bytes", "how much all logs may hold on each server of the event cluster, such as 200GB (default: what the account or the servers allow)")
	flags.BoolVar(&cfg.AllowLazySync, "allow-lazy-sync", false, "take an event cluster that is seen to sync to its disks only now and then; a power cut loses acknowledged events")
	flags.StringVar(&cfg.Temporal.Address, "temporal", "", "host:port of a Temporal server, which keeps the histories of pulls, syncs and runs of profiles (default: none is kept)")
	flags.StringVar(&cfg.Temporal.Namespace, "temporal-namespace", "", "its namespace (default weir)")
	flags.BoolVar(&cfg.Temporal.TLS, "temporal-tls", false, "speak TLS with it, as with any of the following files")
	command.AccessFlags(flags, "temporal", "the Temporal server", &cfg.Temporal.CA, &cfg.Temporal.Cert, &cfg.Temporal.Key, nil, nil)
	flags.StringVar(&cfg.Gateway, "gateway", "127.0.0.1:8090", "where the gateway listens")
	flags.StringVar(&cfg.View, "view", "127.0.0.1:8091", "where the view API listens")
	flags.StringVar(&cfg.Metrics, "metrics", "127.0.0.1:9090", "where metrics and pprof listen")
	flags.StringVar(&cfg.GatewayCert, "gateway-cert", "", "certificate of the gateway in a PEM file: it speaks TLS; read again when it changes")
	flags.StringVar(&cfg.GatewayKey, "gateway-key", "", "its key in a PEM file")
	flags.StringVar(&cfg.ViewCert, "view-cert", "", "certificate of the view API in a PEM file")
	flags.StringVar(&cfg.ViewKey, "view-key", "", "its key in a PEM file")
	flags.DurationVar(&cfg.Linger, "linger", 0, "how long the gateway still takes connections when told to stop, with /ready false, such as 5s")
	flags.StringVar(&cfg.GatewayURL, "gateway-url", "", "URL under which people reach the gateway (default: as told at joining, else where it listens)")
	flags.StringVar(&cfg.ViewURL, "view-url", "", "URL under which browsers reach the view API (default: as told at joining, else where it listens)")
	flags.StringVar(&cfg.Connectors, "connectors", "", "folder of Singer taps and Airbyte connectors that pulled sources may name, one in a folder each (default: none may run)")
	flags.BoolVar(&cfg.AllowPrivate, "allow-private", false, "let destinations be on private and loopback addresses (private planes)")
	flags.IntVar(&cfg.Partitions, "partitions", 0, "partitions of a new plane (default 2)")
	flags.BoolVar(&cfg.StandardHTTP, "standard-http", false, "serve events and send deliveries by Go's net/http alone, without the faster paths for small requests")
	flags.IntVar(&cfg.ConnectionsPerAddress, "connections-per-address", 0, "connections to the gateway of one address that is no trusted proxy (default 2048)")
	flags.StringSliceVar(&cfg.TrustedProxies, "trusted-proxies", nil, "networks whose X-Forwarded-For is believed and who may have all connections, such as 10.0.0.0/8")
}

// TransformWorker returns the hidden command of the processes that run what may not run in
// a data plane, a control plane or a preview itself. It stands directly below a
// program's root.
func TransformWorker() *cobra.Command { return command.Worker(Tasks()) }

// Tasks are what these processes run.
func Tasks() worker.Tasks { return dataplane.Tasks() }

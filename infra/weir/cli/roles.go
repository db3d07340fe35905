package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"weir/controlplane"
	"weir/dataplane"
	"weir/shared/telemetry"
)

// logFlags choose how a role logs.
type logFlags struct{ format, level string }

func (f *logFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.format, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&f.level, "log-level", "info", "debug, info, warn or error")
}

func (f *logFlags) config(k *console) telemetry.LogConfig {
	return telemetry.LogConfig{Out: k.Err, Format: f.format, Level: f.level}
}

func newControlplane(k *console) *cobra.Command {
	var (
		cfg  controlplane.Config
		hub  string
		logs logFlags
	)
	cmd := &cobra.Command{
		Use:   "controlplane",
		Short: "Run the control plane alone",
		Long: `Runs API, console and hub. The first start prints the administrator's login once.

Every flag can be given as a variable: --data-dir as WEIR_DATA_DIR;
WEIR_DATABASE_FILE names a file that holds the database's URL.`,
		Example: `  weir controlplane --data-dir /var/lib/weir
  weir controlplane --data-dir /var/lib/weir --database postgres://weir@db/weir --origin https://weir.example.com`,
		Args:    cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return k.fromEnvironment(cmd) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := telemetry.NewLogger(logs.config(k))
			if err != nil {
				return usage("%v", err)
			}
			cfg.Hub(hub)
			cfg.Log, cfg.Out = log, k.Out
			plane, err := controlplane.New(cfg)
			if err != nil {
				return usage("%v", err)
			}
			return plane.Run(cmd.Context())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&cfg.DataDir, "data-dir", ".weir/control", "folder for keys, hub and SQLite database")
	fl.StringVar(&cfg.Database, "database", "", "SQLite file or postgres:// URL (default control.db in the data directory)")
	fl.StringVar(&hub, "hub", "", "where the embedded hub listens, host:port, or the nats:// address of one outside (default 127.0.0.1:4222)")
	fl.StringVar(&cfg.HubAddress, "hub-address", "", "nats:// address under which planes reach the embedded hub, when it is another")
	fl.StringVar(&cfg.HTTPListen, "http", "", "where API and console listen, host:port (default 127.0.0.1:8080)")
	fl.StringSliceVar(&cfg.Origins, "origin", nil, "address at which people open the console; may be repeated")
	fl.BoolVar(&cfg.ResetLogin, "reset-login", false, "give the first administrator a new password and print it")
	logs.bind(cmd)
	return cmd
}

func newDataplane(k *console) *cobra.Command {
	var (
		cfg  dataplane.Config
		logs logFlags
	)
	cmd := &cobra.Command{
		Use:   "dataplane",
		Short: "Run a data plane alone, or let one join",
		Long: `Runs gateway, pipeline and deliveries of a plane that joined before. It runs its
last good configuration also while the control plane is away.

Every flag can be given as a variable: --data-dir as WEIR_DATA_DIR.
OTEL_EXPORTER_OTLP_ENDPOINT names an OpenTelemetry collector (OTLP over HTTP) for
traces of one frame of events in a thousand; OTEL_TRACES_SAMPLER_ARG=0.1 makes it
one in ten. Spans hold ids, codes, counts and times, never content.`,
		Example: `  weir dataplane join --token weir_join_... --control https://weir.example.com --data-dir /var/lib/weir
  weir dataplane --data-dir /var/lib/weir --gateway 0.0.0.0:8090`,
		Args:    cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return k.fromEnvironment(cmd) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := telemetry.NewLogger(logs.config(k))
			if err != nil {
				return usage("%v", err)
			}
			cfg.Log, cfg.Version = log, k.Version
			if cfg.Traces, err = k.traces(cmd.Context(), log); err != nil {
				return err
			}
			defer func() { _ = cfg.Traces.Close() }() // what the collector did not take is lost
			plane, err := dataplane.New(cfg)
			if err != nil {
				return usage("%v", err)
			}
			go func() { // ends with Ready or the process
				<-plane.Ready()
				k.say("ready")
			}()
			boundMemory(cmd.Context())
			return plane.Run(cmd.Context())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&cfg.DataDir, "data-dir", ".weir/plane", "folder for keys, logs and configuration")
	fl.StringVar(&cfg.Hub, "hub", "", "nats:// address of the hub (default: as told at joining)")
	fl.StringVar(&cfg.Events, "events", "", "nats:// address of the plane's own event cluster (default: embedded)")
	fl.StringVar(&cfg.Gateway, "gateway", "127.0.0.1:8090", "where the gateway listens")
	fl.StringVar(&cfg.View, "view", "127.0.0.1:8091", "where the view API listens")
	fl.StringVar(&cfg.Metrics, "metrics", "127.0.0.1:9090", "where metrics and pprof listen")
	fl.StringVar(&cfg.GatewayCert, "gateway-cert", "", "certificate of the gateway in a PEM file: it speaks TLS; read again when it changes")
	fl.StringVar(&cfg.GatewayKey, "gateway-key", "", "its key in a PEM file")
	fl.StringVar(&cfg.ViewCert, "view-cert", "", "certificate of the view API in a PEM file")
	fl.StringVar(&cfg.ViewKey, "view-key", "", "its key in a PEM file")
	fl.DurationVar(&cfg.Linger, "linger", 0, "how long the gateway still takes connections when told to stop, with /ready false, such as 5s")
	fl.StringVar(&cfg.GatewayURL, "gateway-url", "", "URL under which people reach the gateway")
	fl.StringVar(&cfg.ViewURL, "view-url", "", "URL under which browsers reach the view API")
	fl.BoolVar(&cfg.AllowPrivate, "allow-private", false, "let destinations be on private and loopback addresses (private planes)")
	fl.IntVar(&cfg.Partitions, "partitions", 0, "partitions of a new plane (default 2)")
	fl.BoolVar(&cfg.StandardHTTP, "standard-http", false, "serve events and send deliveries by Go's net/http alone, without the faster paths for small requests")
	fl.StringSliceVar(&cfg.TrustedProxies, "trusted-proxies", nil, "networks whose X-Forwarded-For is believed, such as 10.0.0.0/8")
	logs.bind(cmd)
	cmd.AddCommand(newJoin(k))
	return cmd
}

func newJoin(k *console) *cobra.Command {
	var j dataplane.JoinConfig
	cmd := &cobra.Command{
		Use:   "join --token TOKEN --control URL",
		Short: "Make this plane's keys and enrol it",
		Long: `Makes the plane's keys on this machine, enrols it with the token of
'weir plane invite', and writes its credentials into the data directory.`,
		Example: `  weir dataplane join --token weir_join_... --control https://weir.example.com --data-dir /var/lib/weir --name eu-1`,
		Args:    cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return k.fromEnvironment(cmd) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if j.Token == "" || j.Control == "" {
				return usage("join needs --token and --control; 'weir plane invite --region R' makes a token")
			}
			if j.Name == "" {
				j.Name = hostname()
			}
			j.Version = k.Version
			if err := os.MkdirAll(j.DataDir, 0o700); err != nil {
				return fmt.Errorf("make the data directory: %w", err)
			}
			if err := dataplane.Join(cmd.Context(), j); err != nil {
				return err
			}
			k.say("joined; start it with: weir dataplane --data-dir %s", j.DataDir)
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&j.Token, "token", "", "the invitation, good once and for an hour")
	fl.StringVar(&j.Control, "control", "", "URL of the control plane")
	fl.StringVar(&j.DataDir, "data-dir", ".weir/plane", "folder for the plane's keys and data")
	fl.StringVar(&j.Name, "name", "", "name of the plane (default: of this machine)")
	fl.StringVar(&j.GatewayURL, "gateway-url", "", "URL under which people reach the gateway")
	fl.StringVar(&j.ViewURL, "view-url", "", "URL under which browsers reach the view API")
	return cmd
}

// hostname is this machine's name as a plane's: a-z, 0-9 and '-'.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "plane"
	}
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	if name = strings.Trim(name, "-"); name == "" {
		return "plane"
	}
	return name[:min(len(name), 64)]
}

// fromEnvironment fills the flags of cmd that were not given from WEIR_* and,
// for secrets, from the file that WEIR_*_FILE names.
func (k *console) fromEnvironment(cmd *cobra.Command) error {
	var wrong []error
	for _, name := range []string{"data-dir", "database", "hub", "hub-address", "http", "origin", "events", "gateway", "view", "metrics",
		"gateway-url", "view-url", "allow-private", "partitions", "trusted-proxies",
		"gateway-cert", "gateway-key", "view-cert", "view-key", "linger", "standard-http", "token", "control", "name", "log-format", "log-level"} {
		flag := cmd.Flags().Lookup(name)
		if flag == nil || flag.Changed {
			continue
		}
		variable := "WEIR_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value, ok := k.Env(variable)
		if path, named := k.Env(variable + "_FILE"); !ok && named && (name == "database" || name == "token") {
			text, err := os.ReadFile(path)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s_FILE: %w", variable, err))
				continue
			}
			value, ok = strings.TrimSpace(string(text)), true
		}
		if ok && value != "" {
			if err := cmd.Flags().Set(name, value); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", variable, err))
			}
		}
	}
	return errors.Join(wrong...)
}

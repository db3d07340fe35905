// Command dataplane runs a data plane alone, or lets one join: the binary of
// its image.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"weir/dataplane"
	"weir/shared/telemetry"
)

func main() { os.Exit(run()) }

// Exit codes.
const (
	failed = 1
	usage  = 2
)

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	started := false
	err := command(&started).ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case started:
		fmt.Fprintln(os.Stderr, "dataplane:", err)
		return failed
	default:
		fmt.Fprintln(os.Stderr, "dataplane:", err)
		return usage
	}
}

// command is the role's command line. started is set when the flags were good.
func command(started *bool) *cobra.Command {
	var (
		cfg           dataplane.Config
		format, level string
	)
	cmd := &cobra.Command{
		Use:           "dataplane",
		Short:         "Run a data plane",
		Long:          "Run a data plane that has joined: gateway, deliveries, view and metrics.\n\nEvery flag can be given as a variable: --data-dir as WEIR_DATA_DIR.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.DataDir, "data-dir", "", "folder for keys, configuration and logs")
	flags.StringVar(&cfg.Hub, "hub", "", "nats:// address of the hub (default: as told at joining)")
	flags.StringVar(&cfg.Events, "events", "", "nats:// address of the plane's own cluster for events (default: embedded)")
	flags.StringVar(&cfg.Gateway, "gateway", "", "where the gateway listens, host:port (default 127.0.0.1:8090)")
	flags.StringVar(&cfg.View, "view", "", "where the view API listens, host:port (default 127.0.0.1:8091)")
	flags.StringVar(&cfg.Metrics, "metrics", "", "where metrics and pprof listen, host:port (default 127.0.0.1:9090)")
	flags.StringVar(&cfg.GatewayCert, "gateway-cert", "", "certificate of the gateway in a PEM file: it speaks TLS; read again when it changes")
	flags.StringVar(&cfg.GatewayKey, "gateway-key", "", "its key in a PEM file")
	flags.StringVar(&cfg.ViewCert, "view-cert", "", "certificate of the view API in a PEM file")
	flags.StringVar(&cfg.ViewKey, "view-key", "", "its key in a PEM file")
	flags.DurationVar(&cfg.Linger, "linger", 0, "how long the gateway still takes connections when told to stop, with /ready false, such as 5s")
	flags.StringVar(&cfg.GatewayURL, "gateway-url", "", "URL under which people reach the gateway")
	flags.StringVar(&cfg.ViewURL, "view-url", "", "URL under which browsers reach the view API")
	flags.BoolVar(&cfg.AllowPrivate, "allow-private", false, "let destinations be on private and loopback addresses (private planes)")
	flags.IntVar(&cfg.Partitions, "partitions", 0, "partitions of a new plane (default 2)")
	flags.BoolVar(&cfg.StandardHTTP, "standard-http", false, "serve events and send deliveries by Go's net/http alone, without the faster paths for small requests")
	flags.StringSliceVar(&cfg.TrustedProxies, "trusted-proxies", nil, "networks whose X-Forwarded-For is believed, such as 10.0.0.0/8")
	flags.StringVar(&format, "log-format", "text", "text or json")
	flags.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := fromEnvironment(cmd); err != nil {
			return err
		}
		log, err := telemetry.NewLogger(telemetry.LogConfig{Out: os.Stderr, Format: format, Level: level})
		cfg.Log = log
		return err
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		plane, err := dataplane.New(cfg)
		if err != nil {
			return err
		}
		*started = true
		go func() { // ends with Ready or with the process
			<-plane.Ready()
			_, _ = fmt.Fprintln(os.Stdout, "ready")
		}()
		return plane.Run(cmd.Context())
	}
	cmd.AddCommand(joining(started), &cobra.Command{
		Use: dataplane.TransformWorkerCommand, Hidden: true, Args: cobra.NoArgs, Short: "Run transformations for the process that started this one",
		RunE: func(*cobra.Command, []string) error { return dataplane.ServeTransformWorker() },
	})
	return cmd
}

// joining is `dataplane join`.
func joining(started *bool) *cobra.Command {
	var cfg dataplane.JoinConfig
	cmd := &cobra.Command{
		Use:   "join",
		Short: "Make this plane's keys and enrol it with an invitation",
		Long:  "Make this plane's keys, enrol it with an invitation, and write its credentials.\n\nWEIR_TOKEN_FILE names a file that holds the token.",
		Args:  cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Token, "token", "", "the invitation: good once, for an hour")
	flags.StringVar(&cfg.Control, "control", "", "URL of the control plane")
	flags.StringVar(&cfg.DataDir, "data-dir", "", "folder for the plane's keys and data")
	flags.StringVar(&cfg.Name, "name", "", "name of the plane: a-z, 0-9 and '-'")
	flags.StringVar(&cfg.GatewayURL, "gateway-url", "", "URL under which people reach the gateway")
	flags.StringVar(&cfg.ViewURL, "view-url", "", "URL under which browsers reach the view API")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd) }
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var missing []error
		for flag, value := range map[string]string{"token": cfg.Token, "control": cfg.Control, "data-dir": cfg.DataDir, "name": cfg.Name} {
			if value == "" {
				missing = append(missing, fmt.Errorf("--%s is missing", flag))
			}
		}
		if err := errors.Join(missing...); err != nil {
			return err
		}
		*started = true
		if err := dataplane.Join(cmd.Context(), cfg); err != nil {
			return err
		}
		_, err := fmt.Fprintln(os.Stdout, "joined")
		return err
	}
	return cmd
}

// fromEnvironment fills flags that were not given from their variables, and the
// token also from the file that WEIR_TOKEN_FILE names.
func fromEnvironment(cmd *cobra.Command) error {
	var wrong []error
	for _, name := range []string{
		"data-dir", "hub", "events", "gateway", "view", "metrics", "gateway-url", "view-url", "allow-private", "partitions", "trusted-proxies",
		"gateway-cert", "gateway-key", "view-cert", "view-key", "linger", "standard-http",
		"token", "control", "name", "log-format", "log-level",
	} {
		if cmd.Flags().Lookup(name) == nil || cmd.Flags().Changed(name) {
			continue
		}
		variable := "WEIR_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value, ok := os.LookupEnv(variable)
		if path := os.Getenv(variable + "_FILE"); !ok && name == "token" && path != "" {
			text, err := os.ReadFile(path)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s_FILE: %w", variable, err))
				continue
			}
			value, ok = strings.TrimSpace(string(text)), true
		}
		if !ok || value == "" {
			continue
		}
		if err := cmd.Flags().Set(name, value); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", variable, err))
		}
	}
	return errors.Join(wrong...)
}

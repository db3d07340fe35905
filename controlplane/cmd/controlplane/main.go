// Command controlplane runs the control plane alone: the binary of its image.
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

	"weir/controlplane"
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
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		return failed
	default:
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		return usage
	}
}

// command is the role's command line. started is set when the flags were good.
func command(started *bool) *cobra.Command {
	var (
		cfg    controlplane.Config
		hub    string
		format string
		level  string
	)
	cmd := &cobra.Command{
		Use:           "controlplane",
		Short:         "Run the control plane",
		Long:          "Run the control plane: API, console, and a hub unless one is given.\n\nEvery flag can be given as a variable: --data-dir as WEIR_DATA_DIR. WEIR_DATABASE_FILE\nnames a file that holds the database's URL, which may have a password in it.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.DataDir, "data-dir", "", "folder for keys, hub and SQLite database")
	flags.StringVar(&cfg.Database, "database", "", "SQLite file or postgres:// URL (default control.db in the data directory)")
	flags.StringVar(&hub, "hub", "", "where the embedded hub listens, host:port, or the nats:// address of one outside (default 127.0.0.1:4222)")
	flags.StringVar(&cfg.HubAddress, "hub-address", "", "nats:// address under which planes reach the embedded hub, when it is another")
	flags.StringVar(&cfg.HTTPListen, "http", "", "where API and console listen, host:port (default 127.0.0.1:8080)")
	flags.StringSliceVar(&cfg.Origins, "origin", nil, "address at which people open the console, such as https://weir.example.com; may be repeated")
	flags.BoolVar(&cfg.ResetLogin, "reset-login", false, "give the first administrator a new password and print it")
	flags.StringVar(&format, "log-format", "text", "text or json")
	flags.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := fromEnvironment(cmd); err != nil {
			return err
		}
		cfg.Hub(hub)
		log, err := telemetry.NewLogger(telemetry.LogConfig{Out: os.Stderr, Format: format, Level: level})
		cfg.Log, cfg.Out = log, os.Stdout
		return err
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		plane, err := controlplane.New(cfg)
		if err != nil {
			return err
		}
		*started = true
		return plane.Run(cmd.Context())
	}
	return cmd
}

// fromEnvironment fills flags that were not given: from their variable, or for
// the database from the file that WEIR_DATABASE_FILE names.
func fromEnvironment(cmd *cobra.Command) error {
	var wrong []error
	for _, name := range []string{"data-dir", "database", "hub", "hub-address", "http", "origin", "log-format", "log-level"} {
		if cmd.Flags().Changed(name) {
			continue
		}
		variable := "WEIR_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value, ok := os.LookupEnv(variable)
		if path := os.Getenv(variable + "_FILE"); !ok && name == "database" && path != "" {
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

// Package command is the command line of the control plane, the same in its image
// and in the binary `weir`.
package command

import (
	"time"

	"github.com/spf13/cobra"

	"weir/controlplane"
	"weir/controlplane/policy/own"
	"weir/shared/command"
	"weir/shared/script"
	"weir/shared/script/bundle"
	"weir/shared/worker"
)

// Role is the name of the command.
const Role = "controlplane"

// New returns the command that runs a control plane. p is complete. The
// program needs Worker, too.
func New(p command.Process) *cobra.Command {
	var (
		cfg controlplane.Config
		hub string
	)
	path := p.Path(Role)
	cmd := &cobra.Command{
		Use:   Role,
		Short: "Run the control plane alone",
		Long: `Runs API, console and hub. The first start prints the administrator's login once,
writes an API token to admin.token in the data directory (mode 0600), and says how a
data plane joins; --reset-login does so again with a new password and token.

Every flag but --reset-login can be given as a variable: --data-dir as
WEIR_DATA_DIR; WEIR_DATABASE_FILE names a file that holds the database's URL.`,
		Example: `  ` + path + ` --data-dir /var/lib/weir
  ` + path + ` --data-dir /var/lib/weir --database postgres://weir@db/weir --origin https://weir.example.com`,
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.DataDir, "data-dir", ".weir/control", "folder for keys, hub and SQLite database")
	flags.StringVar(&cfg.Database, "database", "", "SQLite file or postgres:// URL (default control.db in the data directory)")
	flags.StringVar(&hub, "hub", "", "where the embedded hub listens, host:port, or the nats:// or tls:// address of one outside (default 127.0.0.1:4222)")
	flags.StringVar(&cfg.HubFiles.CA, "hub-ca", "", "authorities in a PEM file that vouch for a hub outside, instead of the system's")
	flags.StringVar(&cfg.HubFiles.Cert, "hub-cert", "", "certificate in a PEM file: of the embedded hub, which then speaks TLS and reads it again when it changes; or the client certificate for a hub outside")
	flags.StringVar(&cfg.HubFiles.Key, "hub-key", "", "its key in a PEM file")
	flags.StringVar(&cfg.HubAddress, "hub-address", "", "nats:// or tls:// address under which planes reach the embedded hub, when it is another")
	flags.StringVar(&cfg.HTTPListen, "http", "", "where API and console listen, host:port (default 127.0.0.1:8080)")
	flags.StringSliceVar(&cfg.Origins, "origin", nil, "address at which people open the console, such as https://weir.example.com; may be repeated")
	flags.StringSliceVar(&cfg.TrustedProxies, "trusted-proxies", nil, "networks whose X-Forwarded-For is believed when sign-ins are limited, such as 10.0.0.0/8")
	flags.DurationVar(&cfg.SessionIdle, "session-idle", 12*time.Hour, "how long people stay signed in to the console without using it")
	flags.DurationVar(&cfg.SessionLifetime, "session-lifetime", 7*24*time.Hour, "how long people stay signed in to the console at most, however much they use it")
	flags.BoolVar(&cfg.AllowPrivate, "allow-private", false, "let identity providers of organizations be at private and loopback addresses")
	flags.StringVar(&cfg.Policies, "policies", "", "a policy in Rego, or a folder of them, that every commit of every organization has to pass")
	flags.BoolVar(&cfg.ResetLogin, "reset-login", false, "give the first administrator a new password and token, and print them as the first start does")
	logs := p.LogFlags(cmd)
	p.Bind(cmd, command.Variables{Files: []string{"database"}, Never: []string{"reset-login"}})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log, err := logs.Logger()
		if err != nil {
			return err
		}
		cfg.Hub(hub)
		cfg.Log, cfg.Out = log, p.Out
		plane, err := controlplane.New(cfg)
		if err != nil {
			return command.Usage("%v", err)
		}
		return plane.Run(cmd.Context())
	}
	return cmd
}

// Worker returns the hidden command of the processes that run what may not run in
// a control plane itself. It stands directly below a program's root.
func Worker() *cobra.Command { return command.Worker(Tasks()) }

// Tasks are what these processes run.
func Tasks() worker.Tasks { return worker.Tasks{script.Task: bundle.Serve, own.Task: own.Serve} }

package command

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"weir/dataplane"
	"weir/dataplane/enrol"
	"weir/shared/command"
)

// newJoin returns the command by which a plane joins.
func newJoin(p command.Process) *cobra.Command {
	var cfg enrol.Config
	path := p.Path(Role)
	cmd := &cobra.Command{
		Use:   "join --token TOKEN --control URL",
		Short: "Make this plane's keys and enrol it",
		Long: `Makes the plane's keys on this machine, enrols it with the token of
'weir plane invite', and writes its credentials into the data directory.

WEIR_TOKEN_FILE names a file that holds the token.`,
		Example: `  ` + path + ` join --token weir_join_... --control https://weir.example.com --data-dir /var/lib/weir --name eu-1`,
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Token, "token", "", "the invitation, good once and for an hour")
	flags.StringVar(&cfg.Control, "control", "", "URL of the control plane")
	flags.StringVar(&cfg.DataDir, "data-dir", ".weir/plane", "folder for the plane's keys and data")
	flags.StringVar(&cfg.Name, "name", "", "name of the plane (default: of this machine)")
	flags.StringVar(&cfg.GatewayURL, "gateway-url", "", "URL under which people reach the gateway")
	flags.StringVar(&cfg.ViewURL, "view-url", "", "URL under which browsers reach the view API")
	p.Bind(cmd, command.Variables{Files: []string{"token"}})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cfg.Token == "" || cfg.Control == "" {
			return command.Usage("join needs --token and --control; 'weir plane invite --region R' makes a token")
		}
		if cfg.Name == "" {
			cfg.Name = hostname()
		}
		cfg.Version = p.Version
		if err := dataplane.Join(cmd.Context(), cfg); err != nil {
			return err
		}
		p.Say("joined; start it with: %s --data-dir %s", path, cfg.DataDir)
		return nil
	}
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

package cli

import (
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/shared/command"
)

func newPlane(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var region, kind string
	invite := k.RemoteFlags(&cobra.Command{
		Use:   "invite --region REGION",
		Short: "Make a token with which one data plane may join",
		Long: `Makes a token with which one data plane may join a region, once and within an
hour. A regional plane is shared by all workspaces of its region; a private one
belongs to one organization.`,
		Example: `  weir plane invite --region eu
  weir dataplane join --token TOKEN --control https://weir.example.com`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if kind != "regional" && kind != "private" {
				return command.Usage("--kind %q is neither regional nor private", kind)
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			inv, err := control.Invite(cmd.Context(), region, kind)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(inv)
			}
			k.Say("One plane may join region %s until %s:\n", command.Clean(inv.Region), inv.ExpiresAt.Local().Format(time.DateTime))
			k.Say("  weir dataplane join --token %s --control %s", command.Clean(inv.Token), control.Address())
			return nil
		},
	})
	invite.Flags().StringVar(&region, "region", "", "the region, such as eu")
	invite.Flags().StringVar(&kind, "kind", "regional", "regional or private")
	_ = invite.MarkFlagRequired("region")
	return console.Group("plane", "Let data planes join", invite)
}

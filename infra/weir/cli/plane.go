package cli

import (
	"fmt"
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
belongs to one organization (--org, else your only one), which alone sees it.`,
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
	list := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show the data planes that have joined",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := control.Planes(cmd.Context(), "")
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			if len(all) == 0 {
				k.Say("No data plane has joined. Invite one:\n  weir plane invite --region REGION")
				return nil
			}
			now := time.Now()
			table := console.Table{Head: []string{"NAME", "REGION", "KIND", "VERSION", "LAST BEAT", "WORKSPACES"}}
			for _, p := range all {
				table.Add(p.Name, p.Region, string(p.Kind), console.Dash(p.Version), console.Since(p.LastBeat, now), number(p.WorkspaceCount))
			}
			return table.Write(k.Out)
		},
	})
	remove := k.RemoteFlags(&cobra.Command{
		Use: "remove NAME", Short: "Remove a data plane on which no workspace is",
		Long: `Removes a data plane: one that never started, or is gone for good. Its admission to
the hub ends at once, and nothing of it stays there. A plane with workspaces is not
removed: delete them first. One that runs goes on with what it has, and is not admitted
when it comes back; to return it joins anew, in an empty data directory.`,
		Example: `  weir plane list
  weir plane remove eu-2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := control.RemovePlane(cmd.Context(), args[0]); err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(map[string]string{"removed": args[0]})
			}
			k.Say("removed %s", command.Clean(args[0]))
			return nil
		},
	})
	return console.Group("plane", "Let data planes join, and remove them", list, invite, remove)
}

// number is a count in a cell, a dash for none or one that is not known.
func number(n uint64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

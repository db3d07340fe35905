package cli

import (
	"github.com/spf13/cobra"

	"weir/infra/weir/cli/account"
	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote/tenants"
	"weir/shared/command"
)

func newOrg(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	list := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show the organizations that you have a role in",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := tenants.Organizations(cmd.Context(), control)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			table := console.Table{Head: []string{"NAME", "ROLE", "MADE"}}
			for _, o := range all {
				table.Add(o.Name, console.Dash(o.Role), o.CreatedAt.Local().Format("2006-01-02 15:04"))
			}
			return table.Write(k.Out)
		},
	})
	create := k.RemoteFlags(&cobra.Command{
		Use: "create NAME", Short: "Make an organization that you own; for operators",
		Example: `  weir org create acme
  weir member invite ann@acme.example --role owner --org acme`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := tenants.CreateOrganization(cmd.Context(), control, args[0]); err != nil {
				return err
			}
			k.Say("made organization %s", command.Clean(args[0]))
			return nil
		},
	})
	return console.Group("org", "Organizations: tenants with workspaces, members and tokens of their own", list, create, account.NewSignIn(shell), account.NewOIDC(shell))
}

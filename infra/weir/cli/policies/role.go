package policies

import (
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	client "weir/infra/weir/cli/remote/policies"
	"weir/shared/command"
)

// NewRole returns the command `weir role`.
func NewRole(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	list := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show the roles that can be granted, and their actions",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := client.Roles(cmd.Context(), control)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			table := console.Table{Head: []string{"ROLE", "MADE HERE", "ACTIONS"}}
			for _, r := range all {
				own := "yes"
				if r.Fixed {
					own = "no"
				}
				table.Add(r.Name, own, strings.Join(r.Actions, " "))
			}
			return table.Write(k.Out)
		},
	})
	return console.Group("role", "Sets of actions that are granted in an organization", list, k.setRole(), k.removeRole())
}

func (k invocation) setRole() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "set ROLE ACTION...", Short: "Make a role, or give one other actions, also where it is granted already",
		Long: `A role has no action that you do not have in the whole organization. 'weir role list'
shows which actions there are. What is allowed anywhere, such as self:read, every role has.`,
		Args: cobra.MinimumNArgs(2),
		Example: `  weir role set deployer workspace:read workspace:diff workspace:write
  weir member role ann@acme.example deployer --workspace shop`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := client.SetActions(cmd.Context(), control, args[0], args[1:]); err != nil {
				return err
			}
			k.Say("set %s", command.Clean(args[0]))
			return nil
		},
	})
}

func (k invocation) removeRole() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "remove ROLE", Short: "Remove a role that nobody has",
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := client.RemoveRole(cmd.Context(), control, args[0]); err != nil {
				return err
			}
			k.Say("removed %s", command.Clean(args[0]))
			return nil
		},
	})
}

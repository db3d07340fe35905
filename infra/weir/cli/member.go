package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote/accounts"
	"weir/infra/weir/cli/remote/tenants"
	"weir/shared/command"
)

func newMember(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	list := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show who has a role in the organization, and its service accounts",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := tenants.Members(cmd.Context(), control)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			table := console.Table{Head: []string{"MEMBER", "KIND", "ROLES"}}
			for _, m := range all {
				var roles []string
				for _, r := range m.Roles {
					roles = append(roles, roleText(r))
				}
				table.Add(m.Name, string(m.Kind), console.Dash(strings.Join(roles, ", ")))
			}
			return table.Write(k.Out)
		},
	})
	return console.Group("member", "Who has which role in an organization", list, k.inviteMember(), k.setRole(), k.removeMember(), k.acceptInvitation(), k.resetPassword(), k.resetAuthenticator())
}

func roleText(r tenants.GrantedRole) string {
	if r.Workspace == "" {
		return r.Role
	}
	return strings.TrimSpace(r.Role + " in " + r.Workspace + " " + r.Object)
}

const roleUsage = "owner, admin, editor, marketer, auditor or viewer, or one of weir role list"

func (k invocation) inviteMember() *cobra.Command {
	var r tenants.GrantedRole
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "invite EMAIL", Short: "Print a token by which a person becomes a member, once, within seven days",
		Example: `  weir member invite ann@acme.example --role editor
  weir member accept TOKEN --control https://weir.example.com    what Ann does with it`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			made, err := tenants.Invite(cmd.Context(), control, args[0], r)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(made)
			}
			k.Say("%s", command.Clean(made.Token))
			k.Note("%s accepts it until %s with: weir member accept TOKEN --control %s", command.Clean(made.Email), made.ExpiresAt.Local().Format("2006-01-02 15:04"), command.Clean(control.Address()))
			return nil
		},
	})
	cmd.Flags().StringVar(&r.Role, "role", "viewer", roleUsage)
	cmd.Flags().StringVar(&r.Workspace, "workspace", "", "the one workspace in which the role is good (default: all)")
	return cmd
}

func (k invocation) setRole() *cobra.Command {
	var r tenants.GrantedRole
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "role MEMBER ROLE", Short: "Give a member a role, in place of the one that it has there",
		Args: cobra.ExactArgs(2),
		Example: `  weir member role ann@acme.example admin
  weir member role ann@acme.example editor --workspace shop`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			r.Role = args[1]
			if err := tenants.SetRole(cmd.Context(), control, args[0], r); err != nil {
				return err
			}
			k.Say("%s is %s", command.Clean(args[0]), command.Clean(roleText(r)))
			return nil
		},
	})
	cmd.Flags().StringVar(&r.Workspace, "workspace", "", "the one workspace in which the role is good (default: all)")
	cmd.Flags().StringVar(&r.Object, "object", "", "the identifier of the one source or destination of the workspace on which the role is good")
	return cmd
}

func (k invocation) removeMember() *cobra.Command {
	var workspace string
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "remove MEMBER", Short: "Take a member's roles; a service account goes with its tokens",
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := tenants.RemoveMember(cmd.Context(), control, args[0], workspace); err != nil {
				return err
			}
			k.Say("removed %s", command.Clean(args[0]))
			return nil
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "take the role in this workspace alone")
	return cmd
}

func (k invocation) acceptInvitation() *cobra.Command {
	var control string
	cmd := &cobra.Command{
		Use: "accept TOKEN --control URL", Short: "Become a member by an invitation",
		Long: `Asks for the password of the account with the invitation's e-mail address; where
there is none yet, the account is made with it, 12 characters at least. Where the
input is no terminal the password is its first line.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := k.Secret("password")
			if err != nil {
				return err
			}
			email, err := tenants.Accept(cmd.Context(), control, args[0], password, "")
			if accounts.AsksForCode(err) {
				code := ""
				if code, err = k.Secret("one-time or recovery code"); err == nil {
					email, err = tenants.Accept(cmd.Context(), control, args[0], password, code)
				}
			}
			if err != nil {
				return err
			}
			k.Say("%s is a member; sign in:\n  weir login --control %s --email %s", command.Clean(email), command.Clean(control), command.Clean(email))
			return nil
		},
	}
	cmd.Flags().StringVar(&control, "control", "", "URL of the control plane")
	_ = cmd.MarkFlagRequired("control")
	return cmd
}

func (k invocation) resetPassword() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "reset-password MEMBER", Short: "Print a token by which a member chooses a new password, once, within a day",
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			made, err := accounts.PasswordLink(cmd.Context(), control, args[0])
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(made)
			}
			k.Say("%s", command.Clean(made.Token))
			k.Note("%s uses it until %s with: weir password --control %s --reset TOKEN", command.Clean(args[0]), made.ExpiresAt.Local().Format("2006-01-02 15:04"), command.Clean(control.Address()))
			return nil
		},
	})
}

func (k invocation) resetAuthenticator() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "reset-authenticator MEMBER", Short: "Take the authenticator of a member who lost it, and end the member's sessions",
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := accounts.ResetAuthenticator(cmd.Context(), control, args[0]); err != nil {
				return err
			}
			k.Say("sign-ins of %s ask for the password alone", command.Clean(args[0]))
			return nil
		},
	})
}

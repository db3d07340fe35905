// Package account has the commands by which a person looks after the own account: its
// password, its sessions and its authenticator, and by which an owner says how people sign
// in to an organization.
package account

import (
	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote/accounts"
	"weir/shared/command"
	"weir/shared/fault"
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// proven does something that wants the account's password, and asks for a code where the
// control plane says that the account has an authenticator.
func (k invocation) proven(do func(accounts.Proof) error) error {
	password, err := k.Secret("password")
	if err != nil {
		return err
	}
	p := accounts.Proof{Password: password}
	err = do(p)
	if !accounts.AsksForCode(err) {
		return err
	}
	if p.Code, err = k.Secret("one-time or recovery code"); err != nil {
		return err
	}
	return do(p)
}

// NewSession returns weir session.
func NewSession(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	list := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show where you are signed in to the console",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := accounts.Sessions(cmd.Context(), control)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			table := console.Table{Head: []string{"SESSION", "ADDRESS", "PROGRAM", "BY", "SINCE", "SEEN"}}
			for _, s := range all {
				table.Add(s.ID, console.Dash(s.Address), console.Dash(s.Agent), string(s.By), s.CreatedAt.Local().Format("2006-01-02 15:04"), s.LastSeenAt.Local().Format("2006-01-02 15:04"))
			}
			return table.Write(k.Out)
		},
	})
	var all bool
	revoke := k.RemoteFlags(&cobra.Command{
		Use: "revoke [SESSION]", Short: "End a session of your account, or with --all every one; API tokens stay good", Args: cobra.MaximumNArgs(1),
		Example: `  weir session revoke ses_4kq…
  weir session revoke --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return command.Usage("name a session (weir session list) or give --all")
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if all {
				n, err := accounts.EndSessions(cmd.Context(), control)
				if err == nil {
					k.Say("ended %d sessions", n)
				}
				return err
			}
			if err := accounts.EndSession(cmd.Context(), control, args[0]); err != nil {
				return err
			}
			k.Say("ended session %s", command.Clean(args[0]))
			return nil
		},
	})
	revoke.Flags().BoolVar(&all, "all", false, "every session of the account")
	return console.Group("session", "Where you are signed in to the console", list, revoke)
}

// NewPassword returns weir password.
func NewPassword(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var link string
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "password", Short: "Change your password, or choose one by an administrator's token",
		Long: `Asks for the password of your account and for the new one, and ends the account's
sessions. With --reset it uses the token of 'weir member reset-password', and needs
--control but no sign-in. Where the input is no terminal the passwords are its lines.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if link != "" {
				address := cmd.Flag("control").Value.String()
				if address == "" {
					return command.Usage("--reset needs --control URL")
				}
				password, err := k.chosen()
				if err != nil {
					return err
				}
				if err := accounts.ResetPassword(cmd.Context(), address, link, password); err != nil {
					return err
				}
				k.Say("the password is changed; sign in with 'weir login --control %s'", command.Clean(address))
				return nil
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			password := ""
			err = k.proven(func(p accounts.Proof) error {
				if password == "" {
					if password, err = k.chosen(); err != nil {
						return err
					}
				}
				return accounts.ChangePassword(cmd.Context(), control, p, password)
			})
			if err != nil {
				return err
			}
			k.Say("the password is changed, and the account's sessions ended")
			return nil
		},
	})
	cmd.Flags().StringVar(&link, "reset", "", "the token of 'weir member reset-password'")
	return cmd
}

// chosen asks for a new password, on a terminal twice.
func (k invocation) chosen() (string, error) {
	password, err := k.Secret("new password")
	if err != nil || !k.Asks() {
		return password, err
	}
	again, err := k.Secret("new password again")
	if err == nil && again != password {
		err = fault.New(fault.Invalid, "the two differ")
	}
	return password, err
}

package account

import (
	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote/accounts"
	"weir/shared/command"
)

// NewAuthenticator returns weir authenticator.
func NewAuthenticator(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	show := k.RemoteFlags(&cobra.Command{
		Use: "show", Short: "Say whether sign-ins of your account ask for one-time codes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			a, err := accounts.TheAuthenticator(cmd.Context(), control)
			if err != nil {
				return err
			}
			switch {
			case k.Output != console.AsTable:
				return k.Print(a)
			case a.Enrolled:
				k.Say("sign-ins ask for one-time codes; %d recovery codes are left", a.RecoveryCodes)
			default:
				k.Say("sign-ins ask for the password alone; enrol an authenticator with 'weir authenticator enrol'")
			}
			return nil
		},
	})
	return console.Group("authenticator", "One-time codes at sign-in", show, k.enrol(), k.codes(), k.remove())
}

func (k invocation) enrol() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "enrol", Short: "Have sign-ins of your account ask for the codes of an authenticator app",
		Long: `Asks for your password, prints what to type into an authenticator app, asks for its
code, and prints recovery codes, each of which stands in for one code once. Sign-ins
ask for codes from then on, and every session of the account ends.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			var made accounts.Enrolment
			err = k.proven(func(p accounts.Proof) error {
				made, err = accounts.Enrol(cmd.Context(), control, p)
				return err
			})
			if err != nil {
				return err
			}
			k.Note("key for the authenticator app: %s\n  %s", command.Clean(made.Secret), command.Clean(made.URI))
			code, err := k.Line("code of the app")
			if err != nil {
				return err
			}
			codes, err := accounts.Confirm(cmd.Context(), control, code)
			if err != nil {
				return err
			}
			return k.recovery(codes)
		},
	})
}

// recovery prints recovery codes, this once.
func (k invocation) recovery(codes []string) error {
	if k.Output != console.AsTable {
		return k.Print(map[string][]string{"recoveryCodes": codes})
	}
	k.Note("keep these recovery codes; they are shown this once:")
	for _, c := range codes {
		k.Say("%s", command.Clean(c))
	}
	return nil
}

func (k invocation) codes() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "codes", Short: "Make recovery codes in place of those that are left",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			var codes []string
			err = k.proven(func(p accounts.Proof) error {
				codes, err = accounts.NewRecoveryCodes(cmd.Context(), control, p)
				return err
			})
			if err != nil {
				return err
			}
			return k.recovery(codes)
		},
	})
}

func (k invocation) remove() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "remove", Short: "Have sign-ins of your account ask for no code any more",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := k.proven(func(p accounts.Proof) error { return accounts.RemoveAuthenticator(cmd.Context(), control, p) }); err != nil {
				return err
			}
			k.Say("sign-ins ask for the password alone")
			return nil
		},
	})
}

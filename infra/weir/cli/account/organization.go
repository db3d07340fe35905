package account

import (
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote/accounts"
	"weir/shared/command"
)

// NewSignIn returns weir org sign-in.
func NewSignIn(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var required bool
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "sign-in", Short: "Show or set what the organization asks of its people's sign-ins",
		Example: `  weir org sign-in
  weir org sign-in --require-code`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			var wish *bool
			if cmd.Flags().Changed("require-code") {
				wish = &required
			}
			is, err := accounts.RequireCode(cmd.Context(), control, wish)
			switch {
			case err != nil:
				return err
			case k.Output != console.AsTable:
				return k.Print(map[string]bool{"requireCode": is})
			case is:
				k.Say("roles of people count only after a sign-in with a one-time code")
			default:
				k.Say("a password alone is enough")
			}
			return nil
		},
	})
	cmd.Flags().BoolVar(&required, "require-code", false, "roles of people count only after a sign-in with a one-time code; --require-code=false takes it back")
	return cmd
}

// NewOIDC returns weir org oidc.
func NewOIDC(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	show := k.RemoteFlags(&cobra.Command{
		Use: "show", Short: "Show the organization's identity provider, without the client's secret",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			p, err := accounts.TheProvider(cmd.Context(), control)
			if err != nil {
				return err
			}
			return k.provider(p)
		},
	})
	remove := k.RemoteFlags(&cobra.Command{
		Use: "remove", Short: "Remove the identity provider; who signed in there is signed out",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := accounts.RemoveProvider(cmd.Context(), control); err != nil {
				return err
			}
			k.Say("the organization has no identity provider any more")
			return nil
		},
	})
	return console.Group("oidc", "The OpenID Connect provider at which an organization's people sign in", show, k.setProvider(), remove)
}

func (k invocation) provider(p accounts.KeptProvider) error {
	if k.Output != console.AsTable {
		return k.Print(p)
	}
	joins := "nobody who was not invited gets in"
	if p.Role != "" {
		joins = "who was not invited becomes " + p.Role
	}
	if p.Required {
		joins += "; other sign-ins do not count, but an owner's"
	}
	k.Say("%s as client %s, for addresses of %s: %s", command.Clean(p.Issuer), command.Clean(p.ClientID), command.Clean(strings.Join(p.Domains, ", ")), command.Clean(joins))
	k.Note("the provider has to allow these redirect URIs: %s", command.Clean(strings.Join(p.RedirectUris, " ")))
	return nil
}

func (k invocation) setProvider() *cobra.Command {
	var p accounts.Provider
	var secret bool
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "set --issuer URL --client-id ID --domain DOMAIN", Short: "Set the identity provider",
		Long: `Sets at which OpenID Connect provider people of the organization sign in, with the
authorization code flow and PKCE. With --secret the client's secret is asked for, or is
the first line of the input; without it the secret that is kept stays. The provider has
to say of people's addresses that they are verified.`,
		Example: `  weir org oidc set --issuer https://login.acme.example --client-id weir --domain acme.example --role viewer --secret < secret.txt`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if secret {
				text, err := k.Secret("client secret")
				if err != nil {
					return err
				}
				p.ClientSecret = &text
			}
			kept, err := accounts.SetProvider(cmd.Context(), control, p)
			if err != nil {
				return err
			}
			return k.provider(kept)
		},
	})
	cmd.Flags().StringVar(&p.Issuer, "issuer", "", "the provider's issuer, an https URL")
	cmd.Flags().StringVar(&p.ClientID, "client-id", "", "the client's identifier at the provider")
	cmd.Flags().BoolVar(&secret, "secret", false, "read the client's secret")
	cmd.Flags().StringSliceVar(&p.Domains, "domain", nil, "the end of e-mail addresses that may sign in, such as acme.example; may be repeated")
	cmd.Flags().StringVar(&p.Role, "role", "", "what somebody gets who was not invited: any role but owner (default: nobody gets in)")
	cmd.Flags().BoolVar(&p.Required, "required", false, "roles count only after a sign-in at the provider; owners may sign in by password")
	for _, name := range []string{"issuer", "client-id", "domain"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

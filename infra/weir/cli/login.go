package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/accounts"
	"weir/shared/command"
	"weir/shared/fault"
)

func newLogin(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var control, email, name string
	cmd := &cobra.Command{
		Use:   "login --control URL",
		Short: "Sign in to a control plane, for the commands that follow",
		Long: `Asks for e-mail address and password, exchanges them for an API token with the
same role, and keeps that as a context in weir/contexts.json of your configuration
folder (mode 0600; WEIR_CONTEXTS names another file). Commands use the current
context where nothing else names a control plane. The token is good for 90 days;
signing in again replaces it, 'weir logout' ends it. Where the input is no terminal
the password is its first line, and a one-time code, where the account has an
authenticator, its second.`,
		Example: `  weir login --control https://weir.example.com
  weir login --control http://127.0.0.1:8080 --email admin@localhost < password.txt`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u, err := url.Parse(control)
			if err != nil || u.Host == "" {
				return command.Usage("--control %q is no URL; it looks like https://weir.example.com", control)
			}
			if name == "" {
				name = u.Host
			}
			contexts, err := k.Contexts()
			if err != nil {
				return err
			}
			email, password, err := k.credentials(email)
			if err != nil {
				return err
			}
			signed, err := k.signIn(cmd.Context(), control, email, password, k.tokenName(email, name))
			if err != nil {
				return err
			}
			contexts.Contexts[name] = console.Context{Control: strings.TrimRight(control, "/"), Token: signed.Token, TokenID: signed.ID}
			contexts.Current = name
			if err := contexts.Write(); err != nil {
				return err
			}
			k.Say("signed in to %s as %s (%s) until %s; context %s", command.Clean(control), command.Clean(email), command.Clean(signed.Role),
				time.Now().Add(remote.SignedInFor).Format(time.DateOnly), command.Clean(name))
			return nil
		},
	}
	cmd.Flags().StringVar(&control, "control", "", "URL of the control plane")
	cmd.Flags().StringVar(&email, "email", "", "e-mail address (else it is asked for)")
	cmd.Flags().StringVar(&name, "name", "", "name of the context (default: the control plane's host)")
	_ = cmd.MarkFlagRequired("control")
	return cmd
}

// longestToken is how many bytes the name of an API token may have.
const longestToken = 100

// tokenName names the token of a sign-in, the same whenever it is repeated: by person,
// user, host and context.
func (k invocation) tokenName(email, context string) string {
	user, _ := k.Env("USER")
	host, _ := os.Hostname()
	name := fmt.Sprintf("login of %s by %s@%s, context %s", email, cmp.Or(user, "unknown"), cmp.Or(host, "unknown"), context)
	if len(name) > longestToken {
		sum := sha256.Sum256([]byte(name))
		name = strings.ToValidUTF8(name[:longestToken-9], "") + " " + hex.EncodeToString(sum[:4])
	}
	return name
}

func newLogout(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var name string
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Sign out: revoke the token of a context, and forget it",
		Example: `  weir logout
  weir logout --name weir.example.com`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			contexts, err := k.Contexts()
			if err != nil {
				return err
			}
			name = cmp.Or(name, contexts.Current)
			c, there := contexts.Contexts[name]
			switch {
			case name == "":
				return fault.New(fault.Missing, "there is no current context; name one with --name, %s", console.ThereAre("contexts", slices.Sorted(maps.Keys(contexts.Contexts)), func(s string) string { return s }))
			case !there:
				return fault.New(fault.Missing, "there is no context %s; %s", name, console.ThereAre("contexts", slices.Sorted(maps.Keys(contexts.Contexts)), func(s string) string { return s }))
			case c.TokenID == "":
				return fault.New(fault.Invalid, "context %s is of an older version, which did not note its token; see weir token list, then weir token revoke and weir context remove %s", name, name)
			}
			control, err := remote.NewControl(c.Control, c.Token)
			if err != nil {
				return err
			}
			if err := control.SignOut(cmd.Context(), c.TokenID); err != nil {
				return fmt.Errorf("sign out of %s: %w", c.Control, err)
			}
			delete(contexts.Contexts, name)
			if contexts.Current == name {
				contexts.Current = ""
			}
			if err := contexts.Write(); err != nil {
				return err
			}
			k.Say("signed out of %s; context %s is removed", command.Clean(c.Control), command.Clean(name))
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the context (default: the current one)")
	return cmd
}

// credentials asks on a terminal, else reads the password from the first line of
// the input.
func (k invocation) credentials(email string) (string, string, error) {
	if email == "" {
		if !k.Asks() {
			return "", "", command.Usage("--email is needed where the input is no terminal")
		}
		line, err := k.Line("e-mail address")
		if err != nil {
			return "", "", err
		}
		email = strings.TrimSpace(line)
	}
	password, err := k.Secret("password")
	return email, password, err
}

// signIn signs a person in, and asks for a one-time code where the account has an
// authenticator.
func (k invocation) signIn(ctx context.Context, control, email, password, token string) (remote.Signed, error) {
	signed, err := remote.SignIn(ctx, control, email, password, "", token)
	if !accounts.AsksForCode(err) {
		return signed, err
	}
	code, err := k.Secret("one-time or recovery code")
	if err != nil {
		return remote.Signed{}, err
	}
	return remote.SignIn(ctx, control, email, password, code, token)
}

func newContext(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	type entry struct {
		Name    string `json:"name"`
		Control string `json:"control"`
		Current bool   `json:"current"`
	}
	list := &cobra.Command{
		Use: "list", Short: "Show the control planes that were signed in to",
		RunE: func(*cobra.Command, []string) error {
			contexts, err := k.Contexts()
			if err != nil {
				return err
			}
			var all []entry
			for _, name := range slices.Sorted(maps.Keys(contexts.Contexts)) {
				all = append(all, entry{name, contexts.Contexts[name].Control, name == contexts.Current})
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			if len(all) == 0 {
				k.Say("No control plane was signed in to. Sign in:\n  weir login --control URL")
				return nil
			}
			table := console.Table{Head: []string{"", "CONTEXT", "CONTROL"}}
			for _, e := range all {
				mark := " "
				if e.Current {
					mark = "*"
				}
				table.Add(mark, e.Name, e.Control)
			}
			return table.Write(k.Out)
		},
	}
	change := func(use, short, done string, do func(c *console.Contexts, name string)) *cobra.Command {
		return &cobra.Command{
			Use: use + " NAME", Short: short,
			ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				contexts, _ := k.Contexts() // none to complete where the file cannot be read
				return slices.Sorted(maps.Keys(contexts.Contexts)), cobra.ShellCompDirectiveNoFileComp
			},
			RunE: func(_ *cobra.Command, args []string) error {
				contexts, err := k.Contexts()
				if err != nil {
					return err
				}
				if _, there := contexts.Contexts[args[0]]; !there {
					return fault.New(fault.Missing, "there is no context %s; %s", args[0], console.ThereAre("contexts", slices.Sorted(maps.Keys(contexts.Contexts)), func(s string) string { return s }))
				}
				do(&contexts, args[0])
				if err := contexts.Write(); err != nil {
					return err
				}
				k.Say(done, command.Clean(args[0]))
				return nil
			},
		}
	}
	return console.Group("context", "Choose among control planes that were signed in to", list,
		change("use", "Make a context the current one", "commands use %s now", func(c *console.Contexts, name string) { c.Current = name }),
		change("remove", "Forget a context; its token stays good until it is revoked (weir logout does both)", "removed %s", func(c *console.Contexts, name string) {
			delete(c.Contexts, name)
			if c.Current == name {
				c.Current = ""
			}
		}))
}

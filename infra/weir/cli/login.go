package cli

import (
	"cmp"
	"context"
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
	"weir/infra/weir/cli/signin"
	"weir/shared/command"
	"weir/shared/fault"
)

func newLogin(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var control, email, name string
	var noOpen, withToken bool
	cmd := &cobra.Command{
		Use:   "login --control URL",
		Short: "Sign in to a control plane, for the commands that follow",
		Long: `Shows an address and a code, opens the address in a browser where there is one, and
waits until somebody who is signed in there allows it. The browser may be on another
machine. With --email it asks for a password instead: where the input is no terminal that
is its first line, and a one-time code, where the account has an authenticator, its second.
With --with-token it takes an API token from the first line of the input.

What comes of it is an API token with the person's roles, which is kept as a context in
weir/contexts.json of your configuration folder (mode 0600; WEIR_CONTEXTS names another
file). Commands use the current context where nothing else names a control plane. The
token is good for 90 days and stands among the person's tokens in the console; signing in
again replaces it, 'weir logout' ends it. BROWSER names a browser to open.`,
		Example: `  weir login --control https://weir.example.com
  weir login --control http://127.0.0.1:8080 --email admin@localhost < password.txt
  weir login --control https://weir.example.com --with-token < token.txt`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u, err := url.Parse(control)
			if err != nil || u.Host == "" {
				return command.Usage("--control %q is no URL; it looks like https://weir.example.com", control)
			}
			if withToken && email != "" {
				return command.Usage("--with-token and --email are two ways to sign in; give one")
			}
			name = cmp.Or(name, u.Host)
			contexts, err := k.Contexts()
			if err != nil {
				return err
			}
			var made console.Context
			var as string
			switch {
			case withToken:
				made, as, err = k.byToken(cmd.Context(), control)
			case email != "":
				made, as, err = k.byPassword(cmd.Context(), control, email, k.device(name))
			default:
				made, as, err = k.byBrowser(cmd.Context(), control, k.device(name), !noOpen)
			}
			if err != nil {
				return err
			}
			made.Control = strings.TrimRight(control, "/")
			contexts.Contexts[name], contexts.Current = made, name
			if err := contexts.Write(); err != nil {
				return err
			}
			k.Say("signed in to %s as %s; context %s", command.Clean(control), command.Clean(as), command.Clean(name))
			return nil
		},
	}
	cmd.Flags().StringVar(&control, "control", "", "URL of the control plane")
	cmd.Flags().StringVar(&email, "email", "", "sign in with the password of this e-mail address, not in a browser")
	cmd.Flags().BoolVar(&withToken, "with-token", false, "take an API token from the first line of the input")
	cmd.Flags().BoolVar(&noOpen, "no-open", false, "open no browser, only show the address")
	cmd.Flags().StringVar(&name, "name", "", "name of the context (default: the control plane's host)")
	_ = cmd.MarkFlagRequired("control")
	return cmd
}

// device says where this program runs, for a context.
func (k invocation) device(context string) string {
	user, _ := k.Env("USER")
	host, _ := os.Hostname()
	return signin.Device(cmp.Or(user, "unknown"), cmp.Or(host, "unknown"), context)
}

// byBrowser signs in through a browser. as says who is signed in, and until when.
func (k invocation) byBrowser(ctx context.Context, control, device string, open bool) (c console.Context, as string, err error) {
	got, err := signin.Browser(ctx, k.Console, control, device, open)
	return console.Context{Token: got.Token, TokenID: got.ID}, fmt.Sprintf("%s until %s", got.Email, got.ExpiresAt.Format(time.DateOnly)), err
}

// byPassword signs in with a password, and asks for a one-time code where the account has
// an authenticator.
func (k invocation) byPassword(ctx context.Context, control, email, device string) (c console.Context, as string, err error) {
	password, err := k.Secret("password")
	if err != nil {
		return c, "", err
	}
	token := "login by " + device // as that of a sign-in through a browser
	signed, err := remote.SignIn(ctx, control, email, password, "", token)
	if accounts.AsksForCode(err) {
		code, wrong := k.Secret("one-time or recovery code")
		if wrong != nil {
			return c, "", wrong
		}
		signed, err = remote.SignIn(ctx, control, email, password, code, token)
	}
	return console.Context{Token: signed.Token, TokenID: signed.ID}, fmt.Sprintf("%s (%s) until %s", email, signed.Role, time.Now().Add(remote.SignedInFor).Format(time.DateOnly)), err
}

// byToken takes a token that somebody made, once the control plane knows it.
func (k invocation) byToken(ctx context.Context, control string) (c console.Context, as string, err error) {
	token, err := k.Secret("API token")
	if err != nil {
		return c, "", err
	}
	token = strings.TrimSpace(token)
	asked, err := remote.NewControl(control, token)
	if err != nil {
		return c, "", err
	}
	me, err := accounts.Me(ctx, asked)
	return console.Context{Token: token}, "token " + me.Email, err
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
				return fault.New(fault.Invalid, "context %s has a token that 'weir login' did not make; forget it with weir context remove %s, and revoke the token where it was made", name, name)
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

package cli

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/command"
	"weir/shared/fault"
)

func newToken(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	list := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show API tokens, without their values",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := control.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			table := console.Table{Head: []string{"NAME", "ROLE", "WORKSPACE", "MADE", "EXPIRES", "USED"}}
			for _, t := range all {
				table.Add(t.Name, console.Dash(t.Role), console.Dash(t.Workspace), timeText(&t.CreatedAt), timeText(t.ExpiresAt), timeText(t.LastUsedAt))
			}
			return table.Write(k.Out)
		},
	})
	var t remote.Token
	var expires time.Duration
	create := k.RemoteFlags(&cobra.Command{
		Use: "create NAME", Short: "Make an API token and print its value, this once",
		Example: `  weir token create ci --role editor --workspace acme > ci.token`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			t.Name = args[0]
			if expires > 0 {
				end := time.Now().Add(expires)
				t.ExpiresAt = &end
			}
			value, err := control.IssueToken(cmd.Context(), t)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(map[string]string{"name": args[0], "token": value})
			}
			k.Say("%s", command.Clean(value))
			return nil
		},
	})
	create.Flags().StringVar(&t.Role, "role", "viewer", roleUsage)
	create.Flags().StringSliceVar(&t.Scopes, "scope", nil, "an action that the token is limited to, such as workspace:read (default: all of its role)")
	create.Flags().DurationVar(&expires, "expires", 0, "how long the token is good, such as 720h (default: for ever)")
	create.Flags().StringVar(&t.Workspace, "workspace", "", "the one workspace in which the token is good (default: all)")
	revoke := k.RemoteFlags(&cobra.Command{
		Use: "revoke NAME", Short: "End an API token at once",
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := control.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(t remote.Token) bool { return t.Name == args[0] || t.ID == args[0] })
			if i < 0 {
				return fault.New(fault.Missing, "there is no token %s; %s", args[0], console.ThereAre("tokens", all, func(t remote.Token) string { return t.Name }))
			}
			if err := control.RevokeToken(cmd.Context(), all[i].ID); err != nil {
				return err
			}
			k.Say("revoked %s", command.Clean(all[i].Name))
			return nil
		},
	})
	return console.Group("token", "API tokens, for programs", list, create, revoke)
}

// timeText is a time for people, a dash for none.
func timeText(t *time.Time) string {
	if t == nil {
		return console.Dash("")
	}
	return t.Local().Format("2006-01-02 15:04")
}

package policies

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/apply"
	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	client "weir/infra/weir/cli/remote/policies"
	"weir/shared/command"
)

// NewChange returns the command `weir change`.
func NewChange(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return console.Group("change", "Commits that wait for another person", k.listChanges(), k.showChange(),
		k.decide("approve", "Make another one's change the next revision", "approved"),
		k.decide("reject", "End a change; its author may apply another one", "rejected"),
		k.decide("withdraw", "Take your own change back", "withdrawn"))
}

func (k invocation) listChanges() *cobra.Command {
	var workspace, state string
	limit := 50
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show changes that wait for another person, or waited",
		Args: cobra.NoArgs,
		Example: `  weir change list --state waiting
  weir change show 17
  weir change approve 17 --message "as discussed"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 500 {
				return command.Usage("--limit is from 1 to 500")
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := client.Changes(cmd.Context(), control, workspace, state, limit)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			table := console.Table{Head: []string{"CHANGE", "WORKSPACE", "STATE", "BY", "AT", "CHANGES", "DECIDED BY", "REASON"}}
			for _, r := range all {
				table.Add(strconv.FormatUint(r.Number, 10), r.Workspace, string(r.State), r.Author, r.At.Local().Format("2006-01-02 15:04:05"),
					console.Dash(apply.Summary(r.Changes)), console.Dash(r.DecidedBy), console.Dash(console.OneLine(r.Reason, 60)))
			}
			return table.Write(k.Out)
		},
	})
	cmd.Flags().StringVar(&workspace, "workspace", "", "of this workspace alone")
	cmd.Flags().StringVar(&state, "state", "", "waiting, approved, rejected or withdrawn")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many at most")
	return cmd
}

// find asks for the change of a number.
func (k invocation) find(cmd *cobra.Command, number string) (*remote.Control, client.ChangeRequest, error) {
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil {
		return nil, client.ChangeRequest{}, command.Usage("a change is named by its number")
	}
	control, err := k.Connect()
	if err != nil {
		return nil, client.ChangeRequest{}, err
	}
	r, err := client.ChangeOf(cmd.Context(), control, n)
	return control, r, err
}

func (k invocation) showChange() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "show NUMBER", Short: "Show what a change would change, and why it waits",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, r, err := k.find(cmd, args[0])
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(r)
			}
			k.Say("change %d of %s on revision %d, by %s at %s: %s", r.Number, command.Clean(r.Workspace), r.Base, command.Clean(r.Author), r.At.Local().Format("2006-01-02 15:04:05"), command.Clean(string(r.State)))
			if r.DecidedBy != "" {
				k.Say("decided by %s", command.Clean(strings.TrimSpace(r.DecidedBy+" "+r.Note)))
			}
			if r.Reason != "" {
				k.Say("%s", command.Clean(r.Reason))
			}
			for _, n := range r.Needs {
				k.Say("policy %s: %s", command.Clean(n.Policy), command.Clean(n.Text))
			}
			return apply.Sides(k.Console, r.Before, r.After)
		},
	})
}

func (k invocation) decide(verb, short, done string) *cobra.Command {
	var note string
	cmd := k.RemoteFlags(&cobra.Command{
		Use: verb + " NUMBER", Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, r, err := k.find(cmd, args[0])
			if err != nil {
				return err
			}
			number, err := client.Decide(cmd.Context(), control, r, verb, note)
			if err != nil {
				return err
			}
			if number > 0 {
				k.Say("change %d of %s is %s: it is revision %d; 'weir status' shows when it is applied", r.Number, command.Clean(r.Workspace), done, number)
				return nil
			}
			k.Say("change %d of %s is %s", r.Number, command.Clean(r.Workspace), done)
			return nil
		},
	})
	cmd.Flags().StringVarP(&note, "message", "m", "", "what to tell the author; kept with the change")
	return cmd
}

package apply

import (
	"fmt"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/workspace/document"
)

// NewWorkspace returns the command `weir workspace`. What is in a workspace is the
// business of apply.
func NewWorkspace(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return console.Group("workspace", "List, show, make and delete workspaces", k.listWorkspaces(), k.showWorkspace(), k.createWorkspace(), k.deleteWorkspace())
}

func (k invocation) listWorkspaces() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show the workspaces that you may read",
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, err := control.Workspaces(cmd.Context())
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			if len(all) == 0 {
				k.Say("There is no workspace. Make one:\n  weir workspace create NAME --region REGION")
				return nil
			}
			table := console.Table{Head: []string{"NAME", "REGION", "REVISION", "STATE", "SOURCES", "DESTINATIONS"}}
			for _, w := range all {
				table.Add(w.Name, w.Region, fmt.Sprint(w.Number), string(w.State), fmt.Sprint(len(w.Sources)), fmt.Sprint(len(w.Destinations)))
			}
			return table.Write(k.Out)
		},
	})
}

func (k invocation) showWorkspace() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "show NAME", Short: "Show a workspace with its sources and destinations",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			w, err := control.Workspace(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(w)
			}
			k.Say("%s in %s: revision %d, %s\n", command.Clean(w.Name), command.Clean(w.Region), w.Number, w.State)
			table := console.Table{Head: []string{"OBJECT", "NAME", "KIND", "STAGED", "PARKED", "DEAD"}}
			for _, s := range w.Sources {
				table.Add("source", s.Name, s.Type, "-", "-", "-")
			}
			for _, d := range w.Destinations {
				table.Add("destination", d.Name, d.Type, fmt.Sprint(d.Staged), fmt.Sprint(d.Parked), fmt.Sprint(d.Dead))
			}
			return table.Write(k.Out)
		},
	})
}

func (k invocation) createWorkspace() *cobra.Command {
	var region string
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "create NAME --region REGION", Short: "Make an empty workspace",
		Args: cobra.ExactArgs(1),
		Example: `  weir workspace create acme --region eu
  weir apply -f acme.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if _, err := control.Workspace(cmd.Context(), args[0]); err == nil {
				return fault.New(fault.Conflict, "there is a workspace %s already", args[0])
			} else if fault.KindOf(err) != fault.Missing {
				return err
			}
			number, _, waits, err := control.Apply(cmd.Context(), remote.Proposal{Document: document.Document{Workspace: args[0], Region: region}}, 0, false)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(map[string]any{"workspace": args[0], "number": number, "waits": waits != nil})
			}
			if waits != nil {
				k.Say("workspace %s waits for another person's approval", command.Clean(args[0]))
				return nil
			}
			k.Say("made workspace %s in %s; fill it:\n  weir apply -f FILE", command.Clean(args[0]), command.Clean(region))
			return nil
		},
	})
	cmd.Flags().StringVar(&region, "region", "", "the region, such as eu")
	_ = cmd.MarkFlagRequired("region")
	return cmd
}

func (k invocation) deleteWorkspace() *cobra.Command {
	var discard bool
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "delete NAME", Short: "Delete a workspace in which nothing waits",
		Long: `Deletes a workspace. Its plane is asked first, now, what waits for its destinations: while
something does, the workspace stays, unless --discard-parked gives that up. The
workspace that is deleted is the one that was just read: a commit of somebody else in
between stops the command.`,
		Args: cobra.ExactArgs(1),
		Example: `  weir workspace delete acme
  weir dlq redrive --workspace acme`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			w, err := control.Workspace(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := control.DeleteWorkspace(cmd.Context(), w.Name, w.Number, discard); err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(map[string]string{"deleted": w.Name})
			}
			k.Say("deleted workspace %s", command.Clean(w.Name))
			return nil
		},
	})
	cmd.Flags().BoolVar(&discard, "discard-parked", false, "delete it also while deliveries wait, which are given up")
	return cmd
}

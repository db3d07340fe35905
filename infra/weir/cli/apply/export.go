package apply

import (
	"fmt"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/manifest"
	"weir/infra/weir/cli/remote"
	"weir/shared/fault"
	"weir/shared/workspace/document"
)

// NewExport returns the command `weir export`.
func NewExport(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return k.RemoteFlags(&cobra.Command{
		Use:   "export [WORKSPACE]",
		Short: "Write the configuration of a workspace, or of all, as a file for apply",
		Long: `Writes the newest configuration of a workspace, or of all, as YAML that
'weir apply' reads. A secret is written as { sealed: <fingerprint>, version: n },
which apply takes as unchanged; its value is known to its plane alone.`,
		Example: `  weir export acme > weir.yaml
  weir export --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			names := args
			if len(args) == 0 {
				all, err := control.Workspaces(cmd.Context())
				if err != nil {
					return err
				}
				for _, w := range all {
					names = append(names, w.Name)
				}
			}
			docs := []document.Document{}
			for _, name := range names {
				doc, _, err := control.Document(cmd.Context(), name)
				if err != nil && fault.KindOf(err) == fault.Missing && len(args) == 0 {
					continue // a workspace that nobody configured yet
				}
				if err != nil {
					return fmt.Errorf("export workspace %s: %w", name, k.among(cmd, control, name, err))
				}
				docs = append(docs, doc)
			}
			if len(docs) == 0 {
				return fault.New(fault.Missing, "there is no configuration to export; make one with 'weir apply -f weir.yaml'")
			}
			if k.Output == console.AsJSON {
				return k.Print(map[string]any{"workspaces": docs})
			}
			return manifest.Format(k.Out, docs...)
		},
	})
}

// among adds to a Missing error which workspaces there are.
func (k invocation) among(cmd *cobra.Command, control *remote.Control, name string, err error) error {
	if fault.KindOf(err) != fault.Missing {
		return err
	}
	all, e := control.Workspaces(cmd.Context())
	if e != nil {
		return err
	}
	return fault.New(fault.Missing, "there is no configuration of workspace %s; %s", name, console.ThereAre("workspaces", all, func(w remote.Workspace) string { return w.Name }))
}

package profiles

import (
	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/manifest"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/workspace/document"
)

func newRules(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	file := ""
	cmd := k.flags(&cobra.Command{
		Use: "rules -f FILE", Short: "Show what changed rules of identity would make of the persons there are", Args: cobra.NoArgs,
		Long: `Builds persons by the published rules and inputs and by those of a file, from the newest
200,000 rows of each input, and shows what differs: how many identifiers would move, which
persons would be joined or come apart, the largest ones, and whether the gate would
hold such a run. The warehouse stays as it is, and the file goes to the data plane alone.`,
		Example: "  weir profiles rules -f weir.yaml --entity user",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return command.Usage("name the file that has the rules: weir profiles rules -f weir.yaml")
			}
			in, err := console.OpenFile(file)
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }() // it was read
			files, err := manifest.Parse(file, in)
			if err != nil {
				return err
			}
			var found []document.Profile
			for _, f := range files {
				for _, p := range f.Document.Profiles {
					if (k.workspace == "" || f.Document.Workspace == k.workspace) && (k.profile == "" || p.Name == k.profile) {
						found = append(found, p)
						if len(files) > 1 {
							k.workspace = f.Document.Workspace
						}
					}
				}
			}
			if len(found) != 1 {
				return command.Usage("%s has %d profiles that are meant; choose one with --workspace and --profiles", file, len(found))
			}
			k.profile = found[0].Name
			raw, err := k.ask(cmd.Context(), capability.LookupProfiles, "rules", map[string]any{"entities": found[0].Entities, "inputs": found[0].Inputs})
			return tell(k, raw, err, k.compare)
		},
	})
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file, as 'weir apply' takes it")
	return cmd
}

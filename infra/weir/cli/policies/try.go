package policies

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	client "weir/infra/weir/cli/remote/policies"
	"weir/shared/command"
	"weir/shared/fault"
)

// read reads the policy of a file: of Rego, or rules.
func read(file string) (client.Policy, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return client.Policy{}, fault.New(fault.Invalid, "the policy cannot be read: %v", err)
	}
	p := client.Policy{Name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), Text: string(text), Language: "rules"}
	if filepath.Ext(file) == ".rego" {
		p.Language = "rego"
	}
	return p, nil
}

func (k invocation) try() *cobra.Command {
	var file, workspace string
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "try -f FILE --workspace NAME", Short: "Say what a policy has against a workspace as it is, without setting it",
		Long: `Asks the policy about the newest configuration of the workspace as if that were
committed anew: nothing was there before, and every object is added. Nothing is kept.`,
		Example: `  weir policy try -f names.rego --workspace acme`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := read(file)
			if err != nil {
				return err
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			v, err := client.TryPolicy(cmd.Context(), control, p, workspace)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(v)
			}
			for _, found := range v.Problems {
				k.Say("denies %s", command.Clean(strings.TrimSpace(found.Path+" "+found.Text)))
			}
			for _, n := range v.Needs {
				k.Say("asks for another person: %s", command.Clean(n.Text))
			}
			if len(v.Problems)+len(v.Needs) == 0 {
				k.Say("it lets %s pass", command.Clean(workspace))
			}
			return nil
		},
	})
	cmd.Flags().StringVarP(&file, "file", "f", "", "the policy: *.rego, or rules as YAML or JSON")
	cmd.Flags().StringVar(&workspace, "workspace", "", "the workspace to ask about")
	for _, name := range []string{"file", "workspace"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

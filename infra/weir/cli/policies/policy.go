// Package policies is the commands about what an organization decides: its policies,
// the changes that wait for another person, and the roles that it makes.
package policies

import (
	"strings"

	"github.com/spf13/cobra"

	"weir/controlplane/policy/own"
	"weir/infra/weir/cli/console"
	client "weir/infra/weir/cli/remote/policies"
	"weir/shared/command"
	"weir/shared/fault"
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// New returns the command `weir policy`.
func New(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	list := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show the organization's policies, and the operator's",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			all, operator, err := client.Policies(cmd.Context(), control)
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(map[string]any{"policies": all, "operator": operator})
			}
			table := console.Table{Head: []string{"POLICY", "LANGUAGE", "ENABLED", "SET", "BY"}}
			for _, name := range operator {
				table.Add(name, "rego", "yes", "-", "operator")
			}
			for _, p := range all {
				enabled := "no"
				if p.Enabled {
					enabled = "yes"
				}
				table.Add(p.Name, string(p.Language), enabled, p.UpdatedAt.Local().Format("2006-01-02 15:04:05"), p.UpdatedBy)
			}
			return table.Write(k.Out)
		},
	})
	return console.Group("policy", "What every commit of an organization has to pass", list, k.show(), k.set(), k.remove(), k.try(), k.test())
}

func (k invocation) show() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "show NAME", Short: "Print a policy as it was set",
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			p, err := client.PolicyOf(cmd.Context(), control, args[0])
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return k.Print(p)
			}
			for line := range strings.Lines(p.Text) {
				k.Say("%s", command.Clean(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")))
			}
			return nil
		},
	})
}

func (k invocation) set() *cobra.Command {
	var file string
	var disable, enable bool
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "set NAME -f FILE", Short: "Set a policy, in place of the one of its name",
		Long: `A file *.rego is a module of Rego v1 with a set deny; any other is rules, as YAML or
JSON. See docs/policies.md. A policy that is broken is refused, and the one that was
there stays.`,
		Example: `  weir policy set names -f names.rego
  weir policy set rules -f rules.yaml
  weir policy set names --disable       it is kept, and not asked`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p := client.Policy{Name: args[0], Enabled: !disable}
			if (file == "") == (!disable && !enable) || disable && enable {
				return command.Usage("give the policy, -f FILE, or say --enable or --disable")
			}
			if file != "" {
				kept, err := read(file)
				if err != nil {
					return err
				}
				p.Text, p.Language = kept.Text, kept.Language
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := client.SetPolicy(cmd.Context(), control, p); err != nil {
				return err
			}
			k.Say("set %s", command.Clean(p.Name))
			return nil
		},
	})
	cmd.Flags().StringVarP(&file, "file", "f", "", "the policy: *.rego, or rules as YAML or JSON")
	cmd.Flags().BoolVar(&disable, "disable", false, "keep the policy and do not ask it")
	cmd.Flags().BoolVar(&enable, "enable", false, "ask the policy again")
	return cmd
}

func (k invocation) remove() *cobra.Command {
	return k.RemoteFlags(&cobra.Command{
		Use: "remove NAME", Short: "Remove a policy",
		RunE: func(cmd *cobra.Command, args []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			if err := client.RemovePolicy(cmd.Context(), control, args[0]); err != nil {
				return err
			}
			k.Say("removed %s", command.Clean(args[0]))
			return nil
		},
	})
}

// outcome is what became of a test.
type outcome struct {
	Name string `json:"name"`
	Pass bool   `json:"pass"`
	Skip bool   `json:"skip"`
	Why  string `json:"why,omitempty"`
}

func (k invocation) test() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "test -f DIR", Short: "Compile policies on this machine and run their tests",
		Long: `Reads the files *.rego of a folder. Those that end in _test.rego hold tests, rules that
begin with test_, as of opa test; each other one has to be a policy. Nothing is sent
anywhere. With --output json there is an object for each test.`,
		Args:    cobra.NoArgs,
		Example: `  weir policy test -f policies/`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			files, err := own.Read(path)
			if err != nil {
				return fault.New(fault.Invalid, "the policies cannot be read: %v", err)
			}
			if len(files) == 0 {
				return fault.New(fault.Invalid, "there is no file *.rego in %s", path)
			}
			results, err := own.Test(cmd.Context(), files)
			if err != nil {
				return fault.New(fault.Invalid, "%v", err)
			}
			failed, out := 0, make([]outcome, len(results))
			for i, r := range results {
				out[i] = outcome(r)
				if !r.Pass && !r.Skip {
					failed++
				}
			}
			if k.Output != console.AsTable {
				err = console.PrintEach(k.Console, out)
			} else {
				k.results(out)
			}
			if err == nil && failed > 0 {
				err = fault.New(fault.Invalid, "%d of %d tests failed", failed, len(results))
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&path, "file", "f", "", "a folder of policies and their tests, or one file")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

func (k invocation) results(all []outcome) {
	for _, r := range all {
		word := "failed"
		if r.Skip {
			word = "skipped"
		} else if r.Pass {
			word = "ok"
		}
		k.Say("%s %s", word, command.Clean(strings.TrimSpace(r.Name+" "+r.Why)))
	}
	if len(all) == 0 {
		k.Say("the policies compile; they have no tests")
	}
}

package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/shared/catalog"
	"weir/shared/catalog/page"
	"weir/shared/command"
	"weir/shared/fault"
)

func newCatalog(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var family string
	cmd := &cobra.Command{
		Use: "catalog [TYPE]", Short: "Show the kinds of sources, destinations and warehouses, or all about one",
		Long: `Without TYPE: every kind of this build, a line each. With TYPE: what it does with
events, its settings, secrets, limits, and the codes that only it gives.

It needs no server. The kinds that a data plane of another release has may differ.`,
		Example: `  weir catalog
  weir catalog --family destination
  weir catalog klaviyo
  weir catalog klaviyo --output json   the whole spec`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, s := range kinds("") {
				names = append(names, s.Name+"\t"+s.Title)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains([]string{"", "source", "destination", "warehouse"}, family) {
				return fault.New(fault.Invalid, "--family is source, destination or warehouse, not %q", command.Clean(family))
			}
			if len(args) == 1 {
				return k.kind(args[0], family)
			}
			all := kinds(family)
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, all)
			}
			table := console.Table{Head: []string{"TYPE", "FAMILY", "CATEGORY", "TITLE", "WHAT"}}
			for _, s := range all {
				table.Add(s.Name, string(s.Family), s.Category, s.Title, s.Doc)
			}
			return table.Write(k.Out)
		},
	}
	cmd.Flags().StringVar(&family, "family", "", "only `source`, destination or warehouse kinds")
	return cmd
}

// kind prints all about the kinds called name: a name may stand in two families.
func (k invocation) kind(name, family string) error {
	var found []catalog.Spec
	for _, s := range kinds(family) {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		var names []string
		for _, s := range kinds(family) {
			if strings.HasPrefix(s.Name, name[:min(len(name), 3)]) {
				names = append(names, s.Name)
			}
		}
		hint := ""
		if len(names) > 0 {
			hint = "; did you mean " + strings.Join(names, ", ") + "?"
		}
		return fault.New(fault.Missing, "there is no kind %q%s (weir catalog lists all)", command.Clean(name), hint)
	}
	if k.Output != console.AsTable {
		return console.PrintEach(k.Console, found)
	}
	for _, s := range found {
		k.Say("%s", strings.TrimRight(string(page.Write(s, page.Example{})), "\n"))
	}
	return nil
}

// kinds are the kinds of a family, or all.
func kinds(family string) []catalog.Spec {
	return slices.DeleteFunc(slices.Clone(catalog.All()), func(s catalog.Spec) bool { return family != "" && string(s.Family) != family })
}

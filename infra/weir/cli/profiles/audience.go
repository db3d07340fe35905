package profiles

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/shared/capability"
	"weir/shared/command"
	"weir/shared/workspace/document"
)

// NewAudience returns the command `weir audience`.
func NewAudience(shell *console.Console) *cobra.Command {
	return console.Group("audience", "Audiences of profiles", newList(shell), newPreview(shell, "preview", "audience"), newExport(shell))
}

// names are those of entities and audiences.
var names = regexp.MustCompile(`^[a-z][a-z0-9_]{0,59}$`)

func newList(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	return k.flags(&cobra.Command{
		Use: "list", Short: "List the audiences, and how many persons each has", Args: cobra.NoArgs,
		Long: `Lists the audiences of the last run with persons in them.`, Example: "  weir audience list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.rows(cmd, func(entity string) string {
				return fmt.Sprintf("select audience, count(*) as persons, max(since) as newest from profiles.%s_audiences group by audience order by audience", entity)
			})
		},
	})
}

func newExport(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	return k.flags(&cobra.Command{
		Use: "export NAME", Short: "Print the persons of an audience with their features", Args: cobra.ExactArgs(1),
		Long: `Prints the golden record of each person of the audience, as JSON lines.`, Example: "  weir audience export at_risk",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !names.MatchString(args[0]) {
				return command.Usage("an audience's name is 1 to 60 of a-z, 0-9 and '_'")
			}
			return k.rows(cmd, func(entity string) string {
				return fmt.Sprintf("select a.since, g.* from profiles.%[1]s_audiences a join profiles.%[1]s_golden g on g.weir_id = a.weir_id where a.audience = '%[2]s' order by g.weir_id", entity, args[0])
			})
		},
	})
}

// rows prints the rows of a statement on the warehouse of the chosen profiles, as JSON
// lines.
func (k *invocation) rows(cmd *cobra.Command, sql func(entity string) string) error {
	if k.entity != "" && !names.MatchString(k.entity) {
		return command.Usage("an entity's name is 1 to 30 of a-z, 0-9 and '_'")
	}
	ctx := cmd.Context()
	view, w, err := k.view(ctx, capability.Query)
	if err != nil {
		return err
	}
	chosen, err := k.chosen(ctx, w.Name)
	if err != nil {
		return err
	}
	k.Output = console.AsJSON
	lines := k.Console.Lines(cmd)
	if err := view.Query(ctx, string(console.DestinationID(w, chosen.Warehouse)), sql(cmp.Or(k.entity, chosen.Entities[0].Name)), lines.Print); err != nil {
		return fmt.Errorf("query %s of workspace %s: %w", chosen.Warehouse, w.Name, err)
	}
	return nil
}

// chosen returns the profiles that were named, or the only ones of a workspace.
func (k *invocation) chosen(ctx context.Context, workspace string) (document.Profile, error) {
	control, err := k.Connect()
	if err != nil {
		return document.Profile{}, err
	}
	doc, _, err := control.Document(ctx, workspace)
	if err != nil {
		return document.Profile{}, fmt.Errorf("read the configuration of workspace %s: %w", workspace, err)
	}
	all := slices.DeleteFunc(slices.Clone(doc.Profiles), func(p document.Profile) bool {
		return k.profile != "" && p.Name != k.profile || len(p.Entities) == 0
	})
	if len(all) != 1 {
		return document.Profile{}, command.Usage("name the profiles with --profiles; %s", console.ThereAre("profiles", doc.Profiles, func(p document.Profile) string { return p.Name }))
	}
	return all[0], nil
}

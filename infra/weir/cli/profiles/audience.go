package profiles

import (
	"context"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/shared/capability"
	"weir/shared/command"
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
		Use: "list DESTINATION", Short: "List the audiences in a warehouse, and how many persons each has", Args: cobra.ExactArgs(1),
		Long: `Lists the audiences of the last run with persons in them.`, Example: "  weir audience list lake",
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.rows(cmd, args[0], func(entity string) string {
				return fmt.Sprintf("select audience, count(*) as persons, max(since) as newest from profiles.%s_audiences group by audience order by audience", entity)
			})
		},
	})
}

func newExport(shell *console.Console) *cobra.Command {
	k := &invocation{Console: shell}
	return k.flags(&cobra.Command{
		Use: "export DESTINATION NAME", Short: "Print the persons of an audience with their features", Args: cobra.ExactArgs(2),
		Long: `Prints the golden record of each person of the audience, as JSON lines.`, Example: "  weir audience export lake at_risk",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !names.MatchString(args[1]) {
				return command.Usage("an audience's name is 1 to 60 of a-z, 0-9 and '_'")
			}
			return k.rows(cmd, args[0], func(entity string) string {
				return fmt.Sprintf("select a.since, g.* from profiles.%[1]s_audiences a join profiles.%[1]s_golden g on g.weir_id = a.weir_id where a.audience = '%[2]s' order by g.weir_id", entity, args[1])
			})
		},
	})
}

// rows prints the rows of a statement on a warehouse, as JSON lines.
func (k *invocation) rows(cmd *cobra.Command, destination string, sql func(entity string) string) error {
	entity := k.entity
	if entity == "" {
		entity = "user"
	}
	if !names.MatchString(entity) {
		return command.Usage("an entity's name is 1 to 30 of a-z, 0-9 and '_'")
	}
	k.Output = console.AsJSON
	lines := k.Console.Lines(cmd)
	return k.query(cmd.Context(), destination, sql(entity), lines.Print)
}

func (k *invocation) query(ctx context.Context, destination, sql string, row func([]byte) error) error {
	view, w, err := k.view(ctx, capability.Query)
	if err != nil {
		return err
	}
	if err := view.Query(ctx, string(console.DestinationID(w, destination)), sql, row); err != nil {
		return fmt.Errorf("query %s of workspace %s: %w", destination, w.Name, err)
	}
	return nil
}

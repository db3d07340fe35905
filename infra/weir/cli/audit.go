package cli

import (
	"time"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote/openapi"
	"weir/infra/weir/cli/remote/tenants"
	"weir/shared/command"
	"weir/shared/fault"
)

func newAudit(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return console.Group("audit", "Who did what: the audit log of the organization", k.listAudit(), k.exportAudit(), k.verifyAudit())
}

// auditFilter is what rows of the audit log are chosen by.
type auditFilter struct {
	workspace, actor, action, object, since string
	noReads                                 bool
}

func (f *auditFilter) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.workspace, "workspace", "", "rows about this workspace; the identifier of one that was deleted")
	cmd.Flags().StringVar(&f.actor, "actor", "", "rows of this actor: a name, an address or an identifier")
	cmd.Flags().StringVar(&f.action, "action", "", "rows of this action, such as workspace.commit, or workspace for all of workspaces")
	cmd.Flags().StringVar(&f.object, "object", "", "rows about this object: an identifier or a name")
	cmd.Flags().StringVar(&f.since, "since", "", "rows since then: a duration such as 24h, or a time such as 2026-01-31T12:00:00Z")
	cmd.Flags().BoolVar(&f.noReads, "no-reads", false, "leave out who read events, rows or persons on a plane")
	return cmd
}

// query is f as the API takes it. fault.Invalid: since is neither a duration nor a time.
func (f *auditFilter) query(now time.Time) (openapi.AuditParams, error) {
	out := openapi.AuditParams{Workspace: f.workspace, Actor: f.actor, Action: f.action, Object: f.object, WithoutReads: f.noReads}
	if f.since == "" {
		return out, nil
	}
	at, err := time.Parse(time.RFC3339, f.since)
	if err != nil {
		ago, err := time.ParseDuration(f.since)
		if err != nil || ago <= 0 {
			return out, fault.New(fault.Invalid, "--since takes a duration such as 24h, or a time such as 2026-01-31T12:00:00Z")
		}
		at = now.Add(-ago)
	}
	out.Since = at.UTC().Truncate(time.Second)
	return out, nil
}

func (k invocation) listAudit() *cobra.Command {
	var f auditFilter
	limit := 50
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "list", Short: "Show rows of the audit log, the newest first",
		Example: `  weir audit list --workspace shop --since 24h
  weir audit list --actor ann@acme.example --action workspace --output json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := f.query(time.Now())
			if err != nil {
				return err
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			rows := []tenants.AuditRow{}
			err = tenants.Audit(cmd.Context(), control, query, func(r tenants.AuditRow) (bool, error) {
				rows = append(rows, r)
				return len(rows) < limit, nil
			})
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				return console.PrintEach(k.Console, rows)
			}
			table := console.Table{Head: []string{"AT", "ACTOR", "ADDRESS", "ACTION", "OBJECT", "DETAIL"}}
			for _, r := range rows {
				table.Add(r.At.Local().Format("2006-01-02 15:04:05"), r.Actor, console.Dash(r.Address), r.Action, r.Object, console.Dash(console.OneLine(r.Detail, 60)))
			}
			return table.Write(k.Out)
		},
	})
	cmd.Flags().IntVar(&limit, "limit", limit, "how many rows at most")
	return f.flags(cmd)
}

func (k invocation) exportAudit() *cobra.Command {
	var f auditFilter
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "export", Short: "Print rows of the audit log as JSON lines, the newest first",
		Long: `Prints whole rows, a JSON object a line, with what was before and after. A row's
digest is over the row and the digest of the row with the number below it, so that
the order and the texts can be checked without the control plane.`,
		Example: `  weir audit export > audit.jsonl
  weir audit export --since 24h --workspace shop`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := f.query(time.Now())
			if err != nil {
				return err
			}
			control, err := k.Connect()
			if err != nil {
				return err
			}
			return tenants.Audit(cmd.Context(), control, query, func(r tenants.AuditRow) (bool, error) {
				return true, console.WriteJSON(k.Out, r)
			})
		},
	})
	return f.flags(cmd)
}

func (k invocation) verifyAudit() *cobra.Command {
	installation := false
	cmd := k.RemoteFlags(&cobra.Command{
		Use: "verify", Short: "Find rows of the audit log that were changed, taken out, put in or cut off",
		Long: `Goes through the whole chain of the organization: each row's digest is over the row
and the digest before it. The control plane signs the end of each chain every minute,
and remembers it outside of the database; rows that were signed and are missing at
the end are found by that. Exits with 1 when anything is found.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			control, err := k.Connect()
			if err != nil {
				return err
			}
			progress := k.Progress("verifying the audit log")
			report, err := tenants.VerifyAudit(cmd.Context(), control, installation, func(rows uint64) { progress.Show(int(rows), -1, "") })
			progress.End()
			if err != nil {
				return err
			}
			if k.Output != console.AsTable {
				if err := k.Print(report); err != nil {
					return err
				}
			} else {
				for _, p := range report.Problems {
					k.Say("row %d: %s (%s)", p.Number, command.Clean(p.Text), command.Clean(p.Code))
				}
			}
			if n := len(report.Problems); n > 0 {
				return fault.New(fault.Conflict, "the audit log is not as it was written: %d problems", n)
			}
			if k.Output == console.AsTable {
				k.Say("%d rows are as they were written; signed up to row %d", report.Through, report.Signed)
			}
			return nil
		},
	})
	cmd.Flags().BoolVar(&installation, "installation", false, "the chain of what is about no organization; for operators")
	return cmd
}

// Package cli is the command line `weir`: a client of a control plane's API
// and of a data plane's view, one file per command.
//
// Commands print their result on stdout, in words and tables for people or as
// JSON or YAML for programs, and all else on stderr. They exit with 0 when
// they did what was asked, with 1 when that failed, with 2 when the question
// was wrong. No secret is printed, and none leaves this machine unsealed.
package cli

import (
	"context"
	"maps"

	"github.com/spf13/cobra"

	controlplane "weir/controlplane/command"
	dataplane "weir/dataplane/command"
	"weir/infra/weir/cli/account"
	"weir/infra/weir/cli/activate"
	"weir/infra/weir/cli/apply"
	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/destination"
	"weir/infra/weir/cli/dev"
	"weir/infra/weir/cli/events"
	"weir/infra/weir/cli/jobs"
	"weir/infra/weir/cli/loads"
	"weir/infra/weir/cli/policies"
	"weir/infra/weir/cli/preview"
	"weir/infra/weir/cli/profiles"
	"weir/infra/weir/cli/pull"
	"weir/infra/weir/cli/source"
	"weir/shared/command"
	"weir/shared/worker"
)

// Run executes args (without the program's name) and returns the exit code. The
// zero p is the process's own streams and environment.
func Run(ctx context.Context, p command.Process, args []string) int {
	p.Program = "weir"
	p = p.Complete()
	return p.Run(ctx, newRoot(p), args)
}

// invocation is one execution of a command.
type invocation struct{ *console.Console }

func newRoot(p command.Process) *cobra.Command {
	k := &console.Console{Process: p, Output: console.AsTable}
	root := &cobra.Command{
		Use:   "weir",
		Short: "An open customer data platform: events in, durable, measured, out",
		Long: `Weir takes events from Segment and RudderStack SDKs, keeps them durable, and
delivers each to the destinations of its workspace.

Commands find the control plane by --control and --token, else by WEIR_CONTROL
and WEIR_TOKEN (or WEIR_TOKEN_FILE), else by dev.json in the data directory,
which 'weir dev' writes, else by the context of 'weir login'.`,
		Example: `  weir dev                    both planes on this machine
  weir apply -f weir.yaml     bring the configuration to what the file says
  weir status                 planes, and the revisions they run
  weir ledger                 what became of every event
  weir tail                   events as they pass
  weir dlq list               what did not arrive, and why
  weir replay --all           what broke a rule, after it is corrected
  weir jobs list              pulls, syncs, redrives and replays, and how far they are
  weir sync list              rows of models that are kept in destinations
  weir query lake 'select 1'  rows of a warehouse`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().Var(&k.Output, "output", "how to print results: table, json or yaml")
	root.AddCommand(apply.New(k), apply.NewDiff(k), apply.NewExport(k), apply.NewHistory(k), apply.NewRollback(k), newStatus(k), events.NewLedger(k), events.NewTail(k), events.NewQuery(k),
		events.NewDLQ(k), events.NewReplay(k), events.NewJobs(k, events.Scheduled{
			List:     func(ctx context.Context, workspace string) (int, error) { return jobs.List(ctx, k, workspace) },
			Commands: jobs.Commands(k),
		}), loads.New(k), loads.NewWarehouse(k), loads.NewErase(k), pull.New(k),
		activate.NewSync(k), activate.NewModel(k), newPlane(k), newLogin(k), newLogout(k), newContext(k), newOrg(k), newMember(k), newToken(k), newAudit(k), newCatalog(k), destination.New(k), source.New(k, events.NewArrivals(k)), newVersion(k), profiles.New(k), profiles.NewAudience(k), preview.New(k), dev.New(k), controlplane.New(p), dataplane.New(p), command.Worker(tasks()))
	root.AddCommand(account.NewPassword(k), account.NewSession(k), account.NewAuthenticator(k))
	root.AddCommand(policies.New(k), policies.NewChange(k), policies.NewRole(k))
	root.AddCommand(apply.NewWorkspace(k))
	invocation{k}.completeNames(root)
	return root
}

// tasks are what worker processes of this program run, of either plane.
func tasks() worker.Tasks {
	all := controlplane.Tasks()
	maps.Copy(all, dataplane.Tasks())
	return all
}

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
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	controlplane "weir/controlplane/command"
	dataplane "weir/dataplane/command"
	"weir/shared/command"
)

// Config is what the command line needs from outside.
type Config struct {
	command.Process
	Preview  PreviewFunc      // nil: this binary holds no destinations, and `preview` says so
	Commands []*cobra.Command // further commands, such as the roles
}

// Run executes args (without the program's name) and returns the exit code.
func Run(ctx context.Context, c Config, args []string) int {
	c.Program = "weir"
	c.Process = c.Complete()
	return c.Process.Run(ctx, newRoot(c), args)
}

// console is one execution: its streams, and the flags that all commands share.
type console struct {
	Config
	output  format
	control string
	token   string
	dataDir string
}

func newRoot(c Config) *cobra.Command {
	k := &console{Config: c, output: formatTable}
	root := &cobra.Command{
		Use:   "weir",
		Short: "An open customer data platform: events in, durable, measured, out",
		Long: `Weir takes events from Segment and RudderStack SDKs, keeps them durable, and
delivers each to the destinations of its workspace.

Commands find the control plane by --control and --token, else by WEIR_CONTROL
and WEIR_TOKEN (or WEIR_TOKEN_FILE), else by dev.json in the data directory,
which 'weir dev' writes.`,
		Example: `  weir dev                    both planes on this machine
  weir apply -f weir.yaml     bring the configuration to what the file says
  weir status                 planes, and the revisions they run
  weir ledger                 what became of every event
  weir tail                   events as they pass
  weir dlq list               what did not arrive, and why
  weir replay --all           what broke a rule, after it is corrected
  weir query lake 'select 1'  rows of a warehouse`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().Var(&k.output, "output", "how to print results: table, json or yaml")
	root.AddCommand(newApply(k), newDiff(k), newExport(k), newStatus(k), newLedger(k), newTail(k), newQuery(k), newDLQ(k), newReplay(k), newPlane(k), newPreview(k),
		newDev(k), controlplane.New(k.Process), dataplane.New(k.Process), dataplane.TransformWorker())
	root.AddCommand(c.Commands...)
	return root
}

// group returns a noun, which does nothing without one of its verbs.
func group(noun, short string, verbs ...*cobra.Command) *cobra.Command {
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.Name()
	}
	cmd := &cobra.Command{Use: noun, Short: short, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return command.Usage("say what to do: %s", strings.Join(names, ", "))
	}}
	cmd.AddCommand(verbs...)
	return cmd
}

// terminal reports whether w is one, and may thus show colours and progress.
func (k *console) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colourful reports whether stdout shows colours. NO_COLOR turns them off.
// Source: https://no-color.org
func (k *console) colourful() bool {
	no, _ := k.Env("NO_COLOR")
	dumb, _ := k.Env("TERM")
	return no == "" && dumb != "dumb" && k.terminal(k.Out)
}

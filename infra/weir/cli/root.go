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
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"weir/shared/fault"
)

// Exit codes of the binary.
const (
	ExitDone   = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Config is what the command line needs from outside. Zero fields mean the
// process's own: os.Stdin, os.Stdout, os.Stderr, os.LookupEnv.
type Config struct {
	Version  string
	In       io.Reader
	Out, Err io.Writer
	Env      func(string) (string, bool)
	Preview  PreviewFunc      // nil: this binary holds no destinations, and `preview` says so
	Commands []*cobra.Command // further commands, such as the roles
}

// Root returns the command `weir` with everything below it. Run executes it
// with the exit codes of the package; Root alone is for generated docs.
func Root(c Config) *cobra.Command {
	root, _ := build(c)
	return root
}

// Run executes args (without the program's name) and returns the exit code.
// The first SIGINT or SIGTERM ends the command's context, a second one the
// process.
func Run(ctx context.Context, c Config, args []string) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() { // ends with ctx, which stop ends
		<-ctx.Done()
		stop()
	}()
	root, k := build(c)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return ExitDone
	case !k.started || errors.As(err, new(usageError)):
		_, _ = fmt.Fprintf(k.Err, "weir: %s\nSee '%s --help'.\n", clean(err.Error()), cmd.CommandPath())
		return ExitUsage
	default:
		_, _ = fmt.Fprintf(k.Err, "weir: %s\n", sentence(err))
		return ExitFailed
	}
}

// usageError is a question that cannot be answered as it is put.
type usageError struct{ text string }

func (u usageError) Error() string { return u.text }

func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// console is one execution: its streams, the flags that all commands share,
// and whether a command's own work began.
type console struct {
	Config
	output  format
	control string
	token   string
	dataDir string
	started bool
}

func build(c Config) (*cobra.Command, *console) {
	if c.In == nil {
		c.In = os.Stdin
	}
	if c.Out == nil {
		c.Out = os.Stdout
	}
	if c.Err == nil {
		c.Err = os.Stderr
	}
	if c.Env == nil {
		c.Env = os.LookupEnv
	}
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
		Version:           c.Version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.PersistentFlags().Var(&k.output, "output", "how to print results: table, json or yaml")
	root.AddCommand(newApply(k), newDiff(k), newExport(k), newStatus(k), newLedger(k), newTail(k), newQuery(k), newDLQ(k), newReplay(k), newPlane(k), newPreview(k),
		newDev(k), newControlplane(k), newDataplane(k), newTransformWorker())
	root.AddCommand(c.Commands...)
	watch(root, k)
	return root, k
}

// watch notes, for cmd and all below, when a command's own work begins: what
// fails before is a wrong question.
func watch(cmd *cobra.Command, k *console) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			k.started = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		watch(sub, k)
	}
}

// group returns a noun, which does nothing without one of its verbs.
func group(noun, short string, verbs ...*cobra.Command) *cobra.Command {
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.Name()
	}
	cmd := &cobra.Command{Use: noun, Short: short, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return usage("say what to do: %s", strings.Join(names, ", "))
	}}
	cmd.AddCommand(verbs...)
	return cmd
}

// sentence is an error as a person reads it: problems on lines of their own.
func sentence(err error) string {
	text := err.Error()
	problems := fault.ProblemsOf(err)
	if len(problems) == 0 {
		return clean(text)
	}
	head, _, _ := strings.Cut(text, "\n")
	var b strings.Builder
	b.WriteString(clean(head))
	for _, p := range problems {
		b.WriteString("\n  " + problemLine(p))
	}
	return b.String()
}

// problemLine is a problem on one line, its place first.
func problemLine(p fault.Problem) string {
	text := p.Text
	if text == "" {
		text = p.Code
	}
	if p.Path == "" {
		return clean(text)
	}
	return clean(p.Path + ": " + text)
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

// say prints a line on stdout.
func (k *console) say(format string, args ...any) {
	_, _ = fmt.Fprintf(k.Out, format+"\n", args...)
}

// note prints a line on stderr.
func (k *console) note(format string, args ...any) {
	_, _ = fmt.Fprintf(k.Err, format+"\n", args...)
}

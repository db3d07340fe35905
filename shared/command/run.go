package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"weir/shared/fault"
)

// Exit codes of every program.
const (
	ExitDone   = 0
	ExitFailed = 1
	ExitUsage  = 2 // the command line is wrong: nothing was begun
)

// Process is what a program gets from outside. Zero streams and Env mean the
// process's own.
type Process struct {
	Program  string // its name, as in messages
	Version  string // of the software, semantic
	In       io.Reader
	Out, Err io.Writer
	Env      func(string) (string, bool)
}

// Complete returns p with the process's own streams and environment where p has
// none.
func (p Process) Complete() Process {
	if p.In == nil {
		p.In = os.Stdin
	}
	if p.Out == nil {
		p.Out = os.Stdout
	}
	if p.Err == nil {
		p.Err = os.Stderr
	}
	if p.Env == nil {
		p.Env = os.LookupEnv
	}
	return p
}

// Path returns how a role's command is called: its name alone where it is the
// whole program, else after the program's.
func (p Process) Path(role string) string {
	if p.Program == role {
		return role
	}
	return p.Program + " " + role
}

// Say prints a line on standard output.
func (p Process) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Out, format+"\n", args...)
}

// Note prints a line on standard error.
func (p Process) Note(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Err, format+"\n", args...)
}

// Run executes the command that args (without the program's name) name, and
// returns the exit code. The first SIGINT or SIGTERM ends the command's context,
// a second one the process. p is complete.
func (p Process) Run(ctx context.Context, root *cobra.Command, args []string) int {
	// Libraries may write content there, as the client of net/http does with bytes
	// that come behind an answer. What counts comes back from them as an error.
	log.SetOutput(io.Discard)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() { // ends with ctx, which stop ends
		<-ctx.Done()
		stop()
	}()
	started := false
	p.watch(root, &started)
	checkArguments(root)
	root.Version, root.SilenceUsage, root.SilenceErrors = p.Version, true, true
	root.CompletionOptions = cobra.CompletionOptions{HiddenDefaultCmd: true}
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return ExitDone
	case !started && unknownCommand(root, args) != nil:
		p.Note("%s: %s\nSee '%s --help'.", p.Program, Clean(unknownCommand(root, args).Error()), p.Program)
		return ExitUsage
	case !started || errors.As(err, new(usageError)):
		p.Note("%s: %s\nSee '%s --help'.", p.Program, Clean(explain(cmd, err)), cmd.CommandPath())
		return ExitUsage
	default:
		p.Note("%s: %s", p.Program, Sentence(err))
		if other := (exitError{}); errors.As(err, &other) {
			return other.code
		}
		return ExitFailed
	}
}

// watch notes, for cmd and all below, when a command's own work begins: what
// fails before is a wrong command line.
func (p Process) watch(cmd *cobra.Command, started *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := p.expandHome(cmd); err != nil {
				return err
			}
			*started = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		p.watch(sub, started)
	}
}

// usageError is a command line that cannot be followed as it is.
type usageError struct{ text string }

func (u usageError) Error() string { return u.text }

// Usage returns an error with which a program exits as ExitUsage, also when its
// command has begun.
func Usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// exitError is an error with an exit code of its own.
type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

// ExitWith returns err with the code with which a program exits because of it, in place
// of ExitFailed.
func ExitWith(code int, err error) error { return exitError{err, code} }

// Sentence returns an error as a person reads it: problems on lines of their own.
func Sentence(err error) string {
	text := err.Error()
	problems := fault.ProblemsOf(err)
	if len(problems) == 0 {
		return Clean(text)
	}
	head, _, _ := strings.Cut(text, "\n")
	var b strings.Builder
	b.WriteString(Clean(head))
	for _, p := range problems {
		b.WriteString("\n  " + ProblemLine(p))
	}
	return b.String()
}

// ProblemLine returns a problem on one line, its place first.
func ProblemLine(p fault.Problem) string {
	text := p.Text
	if text == "" {
		text = p.Code
	}
	if p.Path == "" {
		return Clean(text)
	}
	return Clean(p.Path + ": " + text)
}

// Clean makes control characters visible, except line breaks: names and
// vendors' answers must not steer a terminal.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return '\uFFFD'
		}
		return r
	}, s)
}

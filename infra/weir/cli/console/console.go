// Package console is what the commands of a client share: how they print results,
// as tables for people or as JSON or YAML for programs, how they find the control
// plane, and how they find workspaces and destinations by name.
package console

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"weir/shared/command"
	"weir/shared/fault"
)

// Console is one execution of a command: its streams, and the flags that all
// commands share.
type Console struct {
	command.Process
	Output Format // of --output

	control, token, org, dataDir string // of RemoteFlags

	lines *bufio.Reader // of the input, once Line or Secret read of it
}

// Group returns a noun, which does nothing without one of its verbs.
func Group(noun, short string, verbs ...*cobra.Command) *cobra.Command {
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.Name()
	}
	cmd := &cobra.Command{Use: noun, Short: short, RunE: func(*cobra.Command, []string) error {
		return command.Usage("say what to do: %s", strings.Join(names, ", "))
	}}
	cmd.AddCommand(verbs...)
	return cmd
}

// Terminal reports whether w is one, and may thus show colours and progress.
func (k *Console) Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Colourful reports whether stdout shows colours. NO_COLOR turns them off.
// Source: https://no-color.org
func (k *Console) Colourful() bool {
	no, _ := k.Env("NO_COLOR")
	dumb, _ := k.Env("TERM")
	return no == "" && dumb != "dumb" && k.Terminal(k.Out)
}

// OpenFile opens a file that the command line names.
func OpenFile(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.New(fault.Missing, "the file cannot be opened: %v", err)
	}
	return f, nil
}

// Since says how long ago t was, in the largest unit that fits.
func Since(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	switch d := now.Sub(*t); {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}

// Package source is the command `weir source`: it checks the files of sources of one's
// own, and reads their first rows.
package source

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/dataplane/pull"
	"weir/dataplane/pull/api"
	"weir/dataplane/pull/try"
	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/manifest"
	"weir/shared/command"
	"weir/shared/egress"
	"weir/shared/fault"
	"weir/shared/secret"
)

// invocation is one execution of a command.
type invocation struct{ *console.Console }

// New returns the command `weir source`, with more commands below it.
func New(shell *console.Console, more ...*cobra.Command) *cobra.Command {
	return console.Group("source", "What came to sources; check and try sources of your own", append(more, newTest(shell), newLint(shell))...)
}

func newLint(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	return &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check the files of sources of your own",
		Long: `Checks each file as the control plane does when it is applied, and lists every
mistake with its line. It needs no server, and sends nothing.
docs/source-format.md has the format.`,
		Example: "  weir source lint desk.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			wrong := 0
			for _, file := range args {
				_, n, err := k.read(file)
				if err != nil {
					return err
				}
				if wrong += n; n == 0 {
					if _, err := fmt.Fprintf(k.Out, "%s: ok\n", file); err != nil {
						return err
					}
				}
			}
			return mistakes(wrong)
		},
	}
}

func mistakes(n int) error {
	if n > 0 {
		return fault.New(fault.Invalid, "%d mistakes", n)
	}
	return nil
}

// read reads a file, prints its mistakes, and returns how many there are.
func (k invocation) read(file string) (kind pull.Kind, wrong int, err error) {
	text, err := manifest.ReadSpec(file)
	if err != nil {
		return kind, 0, err
	}
	kind, err = api.Custom(text)
	problems := fault.ProblemsOf(err)
	for _, p := range problems {
		at, what := file, p.Text
		if line, rest, ok := strings.Cut(strings.TrimPrefix(p.Text, "line "), ": "); ok && line != p.Text && strings.Trim(line, "0123456789") == "" {
			at, what = file+":"+line, rest
		}
		if p.Path != "" {
			at += " " + p.Path
		}
		if _, err := fmt.Fprintf(k.Out, "%s: %s (%s)\n", at, command.Clean(what), p.Code); err != nil {
			return kind, 0, err
		}
	}
	return kind, len(problems), nil
}

// mostRows is how many rows of a stream are shown at most.
const mostRows = 1000

func newTest(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var file, from string
	var only []string
	var rows int
	var private bool
	cmd := &cobra.Command{
		Use:   "test FILE",
		Short: "Read the first rows of each stream, and print them",
		Long: `Asks the vendor from this machine as the data plane would, and prints the first rows
of each stream, a JSON object a line:

  {"stream","key","deleted","row"}

or {"stream","code","detail"} of a stream that cannot be read. Nothing is kept. Streams
that the file leaves off are read when they are named. The settings file is YAML or
JSON with the keys settings and secrets; here only, secrets stand in clear.

The command exits with 1 when a stream cannot be read.`,
		Example: `  weir source test desk.yaml --settings desk-settings.yaml
  weir source test desk.yaml --settings desk-settings.yaml --stream tickets --rows 20 --from 2026-01-01`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rows < 1 || rows > mostRows {
				return command.Usage("--rows is 1 to %d", mostRows)
			}
			if from != "" {
				day, err := time.Parse(time.DateOnly, from)
				if err != nil {
					return command.Usage("--from %q is no day such as 2026-01-31", from)
				}
				from = day.Format(time.RFC3339)
			}
			cfg := try.Config{Dial: egress.New(egress.Policy{Private: private}).DialContext, Streams: only, From: from, Rows: rows}
			return k.test(cmd.Context(), args[0], file, cfg, k.Lines(cmd))
		},
	}
	cmd.Flags().StringVar(&file, "settings", "", "file with settings and secrets (none: no settings)")
	cmd.Flags().StringArrayVar(&only, "stream", nil, "read this stream alone; may be repeated")
	cmd.Flags().IntVar(&rows, "rows", 3, "so many rows of each stream")
	cmd.Flags().StringVar(&from, "from", "", "begin with rows that changed on this day (default the oldest)")
	cmd.Flags().BoolVar(&private, "allow-private", false, "let the source be at private and loopback addresses")
	return cmd
}

func (k invocation) test(ctx context.Context, file, settingsFile string, cfg try.Config, out *console.Lines) error {
	kind, wrong, err := k.read(file)
	if err != nil {
		return err
	}
	if wrong > 0 {
		return mistakes(wrong)
	}
	settings, secrets, err := settingsOf(settingsFile)
	if err != nil {
		return err
	}
	for _, name := range cfg.Streams {
		if kind.Spec.PullOf(settings).Stream(name) == nil {
			return command.Usage("%s has no stream %q", file, name)
		}
	}
	if len(cfg.Streams) == 0 {
		for _, s := range kind.Spec.StreamsIn(settings) {
			if !s.Off {
				cfg.Streams = append(cfg.Streams, s.Name)
			}
		}
	}
	var failed []string
	err = try.Read(ctx, kind, settings, secrets, cfg, func(l try.Line) error {
		if l.Code != "" && !slices.Contains(failed, l.Stream) {
			failed = append(failed, l.Stream)
		}
		return out.PrintValue(struct {
			try.Line
			Row json.RawMessage `json:"row,omitempty"`
		}{l, l.Row})
	})
	if err != nil {
		return fmt.Errorf("test %s: %w", file, err)
	}
	if len(failed) > 0 {
		return fault.New(fault.Unavailable, "%d streams cannot be read: %s", len(failed), strings.Join(failed, ", "))
	}
	return nil
}

// settingsOf reads a file with settings and secrets.
func settingsOf(file string) ([]byte, map[string]secret.String, error) {
	if file == "" {
		return []byte("{}"), nil, nil
	}
	in, err := console.OpenFile(file)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = in.Close() }()
	settings, clear, err := manifest.ParseSettings(file, in)
	if err != nil {
		return nil, nil, err
	}
	secrets := map[string]secret.String{}
	for field, value := range clear {
		secrets[field] = secret.NewString(value)
	}
	return settings, secrets, nil
}

package destination

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"weir/dataplane"
	"weir/dataplane/destination/cases"
	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/manifest"
	"weir/shared/command"
	"weir/shared/fault"
)

func newLint(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var update bool
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check the files of kinds of your own, and run the cases beside them",
		Long: `Checks each file as the control plane does when it is applied, and lists every
mistake with its line. Then it runs the case files beside it, testdata/*.txtar: for
settings, secrets and events in them, the requests that would be sent have to be those
of want.jsonl, and what answers mean what stands in verdicts.jsonl. Where they are not,
it prints what comes out, and exits with 1.

It needs no server, and sends nothing. docs/destination-format.md has the format.`,
		Example: `  weir destination lint crm.yaml
  weir destination lint crm.yaml --update   write what comes out into the cases; then read it`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			wrong := 0
			for _, file := range args {
				n, err := k.lint(file, update)
				if err != nil {
					return err
				}
				wrong += n
			}
			if wrong > 0 {
				return fault.New(fault.Invalid, "%d mistakes", wrong)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&update, "update", false, "write what comes out into the cases")
	return cmd
}

// lint checks a file and its cases, and returns how many mistakes there are.
func (k invocation) lint(file string, update bool) (wrong int, err error) {
	text, err := manifest.ReadSpec(file)
	if err != nil {
		return 0, err
	}
	kind, err := dataplane.Kinds().Custom(text)
	if err != nil {
		for _, p := range fault.ProblemsOf(err) {
			at, what := file, p.Text
			if line, rest, ok := strings.Cut(strings.TrimPrefix(p.Text, "line "), ": "); ok && line != p.Text && strings.Trim(line, "0123456789") == "" {
				at, what = file+":"+line, rest
			}
			if p.Path != "" {
				at += " " + p.Path
			}
			_, _ = fmt.Fprintf(k.Out, "%s: %s (%s)\n", at, command.Clean(what), p.Code)
		}
		return len(fault.ProblemsOf(err)), nil
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(file), "testdata", "*.txtar"))
	if err != nil {
		return 0, fmt.Errorf("look for cases: %w", err)
	}
	for _, name := range files {
		good, err := k.run(name, update, func(c *cases.Case) (requests, verdicts []byte, wrong []string, err error) {
			o, err := kind.Open(c.Settings, c.Secrets)
			if err != nil {
				return nil, nil, nil, err
			}
			requests, verdicts, wrong = c.Run(o)
			return requests, verdicts, wrong, nil
		})
		if err != nil {
			return wrong, err
		}
		if !good {
			wrong++
		}
	}
	if wrong == 0 {
		_, err = fmt.Fprintf(k.Out, "%s: ok, %d cases\n", file, len(files))
	}
	return wrong, err
}

// run runs one case, and prints what is wrong with it.
func (k invocation) run(name string, update bool, run func(*cases.Case) (requests, verdicts []byte, wrong []string, err error)) (good bool, err error) {
	var requests, verdicts []byte
	var wrong []string
	c, err := cases.Read(name)
	if err == nil {
		requests, verdicts, wrong, err = run(c)
	}
	if err != nil {
		_, err = fmt.Fprintf(k.Out, "%s: %s\n", name, err)
		return false, err
	}
	if update {
		c.Set("want.jsonl", requests)
		if len(verdicts) > 0 {
			c.Set("verdicts.jsonl", verdicts)
		}
		if err := c.Write(); err != nil {
			return false, fmt.Errorf("write a case: %w", err)
		}
	}
	for part, got := range map[string][]byte{"want.jsonl": requests, "verdicts.jsonl": verdicts} {
		if text := difference(string(c.Part(part)), string(got)); text != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s is not what comes out (-: it says, +: comes out):\n%s", name, part, text))
		}
	}
	for _, text := range wrong {
		_, printed := fmt.Fprintln(k.Out, text)
		err = errors.Join(err, printed)
	}
	return len(wrong) == 0, err
}

// difference lists the lines that stand in one of two texts alone.
func difference(want, got string) string {
	if want == got {
		return ""
	}
	left := map[string]int{}
	for l := range strings.Lines(want) {
		left[l]++
	}
	var more, out strings.Builder
	for l := range strings.Lines(got) {
		if left[l]--; left[l] < 0 {
			more.WriteString("+ " + strings.TrimSuffix(l, "\n") + "\n")
		}
	}
	for l := range strings.Lines(want) {
		if left[l] > 0 {
			left[l]--
			out.WriteString("- " + strings.TrimSuffix(l, "\n") + "\n")
		}
	}
	out.WriteString(more.String())
	if out.Len() == 0 {
		return "  the same lines in another order\n"
	}
	return out.String()
}

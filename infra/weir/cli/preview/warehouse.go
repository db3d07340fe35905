package preview

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"weir/dataplane"
	"weir/dataplane/preview"
	"weir/infra/weir/cli/console"
)

func newWarehouse(shell *console.Console) *cobra.Command {
	k := invocation{shell}
	var file, now string
	c := &cobra.Command{
		Use:   "warehouse TYPE",
		Short: "Print the rows that a warehouse would get",
		Long: `Reads events from stdin, one JSON object a line, and prints for each a line with
its rows:

  {"messageId","rows":[{"table","columns":{name:type},"values":{name:value}}],"dropped","error"}

Types are string, text, int, float, boolean, datetime, json and array(T); a list
is printed as a list, JSON text and times as strings. The settings file may hold,
beside the layout's options, settings.metadata with sourceId, sourceType,
sourceCategory, destinationId, destinationType and receivedAt: what a workspace
would know of the events. Nothing is loaded, and no server is asked.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.rows(args[0], file, now, k.Lines(cmd))
		},
	}
	c.Flags().StringVar(&file, "settings", "", "file with settings and secrets (none: no settings)")
	c.Flags().StringVar(&now, "now", "", "the time to take for now, RFC 3339 (default the clock's)")
	return c
}

func (k invocation) rows(typ, file, now string, out *console.Lines) error {
	with, err := readSettings(file, now)
	if err != nil {
		return err
	}
	rows, err := preview.OpenWarehouse(dataplane.Kinds().Layouts, typ, with.settings, with.now)
	if err != nil {
		return fmt.Errorf("preview warehouse %s: %w", typ, err)
	}
	in := bufio.NewReaderSize(k.In, 64<<10)
	for n := 1; ; n++ {
		text, err := lineOf(in, maxLine)
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if err := out.Print(rows(text)); err != nil {
				return fmt.Errorf("preview line %d: %w", n, err)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read line %d of stdin: %w", n, err)
		}
	}
}

// lineOf reads a line. Of one over limit bytes it keeps the beginning, which is
// no JSON: so it becomes a line that says so, and the next are read.
func lineOf(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line) < limit {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

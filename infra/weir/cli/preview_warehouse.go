package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/dataplane"
	"weir/shared/fault"
)

func newPreviewWarehouse(k *console) *cobra.Command {
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
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p := Preview{Type: args[0], Settings: json.RawMessage("{}"), Now: time.Now().UTC()}
			if now != "" {
				t, err := time.Parse(time.RFC3339Nano, now)
				if err != nil {
					return usage("--now %q is no time such as 2026-01-02T03:04:05Z", now)
				}
				p.Now = t
			}
			if file != "" {
				if err := readPreview(&p, file); err != nil {
					return err
				}
			}
			return k.previewRows(p)
		},
	}
	c.Flags().StringVar(&file, "settings", "", "file with settings and secrets (none: no settings)")
	c.Flags().StringVar(&now, "now", "", "the time to take for now, RFC 3339 (default the clock's)")
	return c
}

func (k *console) previewRows(p Preview) error {
	rows, err := dataplane.OpenWarehousePreview(p.Type, p.Settings, p.Now)
	if err != nil {
		return fmt.Errorf("preview warehouse %s: %w", p.Type, err)
	}
	out := bufio.NewWriter(k.Out)
	lines := bufio.NewScanner(k.In)
	lines.Buffer(nil, maxPreviewLine)
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		_, err := out.Write(append(rows(text), '\n'))
		if err := errors.Join(err, out.Flush()); err != nil {
			return fmt.Errorf("preview line %d: %w", n, err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fault.New(fault.Invalid, "a line of stdin is over %d MiB", maxPreviewLine>>20)
	}
	return lines.Err()
}

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"weir/infra/weir/cli/manifest"

	"weir/shared/command"
)

// format is how results are printed; it is a flag's value.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
	formatYAML  format = "yaml"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "table|json|yaml" }

func (f *format) Set(s string) error {
	switch v := format(s); v {
	case formatTable, formatJSON, formatYAML:
		*f = v
		return nil
	}
	return fmt.Errorf("choose table, json or yaml")
}

// print writes v as JSON on one line, or as YAML.
func (k *console) print(v any) error {
	if k.output == formatYAML {
		return manifest.WriteYAML(k.Out, v)
	}
	return writeJSON(k.Out, v)
}

// printEach writes each of vs as JSON on a line of its own, or all as one YAML
// list.
func printEach[T any](k *console, vs []T) error {
	if k.output == formatYAML {
		if vs == nil {
			vs = []T{}
		}
		return manifest.WriteYAML(k.Out, vs)
	}
	for _, v := range vs {
		if err := writeJSON(k.Out, v); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// table is columns of text for people.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = command.Clean(c)
	}
	t.rows = append(t.rows, cells)
}

// write aligns the columns: those whose every cell is a number to the right.
func (t *table) write(w io.Writer) error {
	width := make([]int, len(t.head))
	right, digits := make([]bool, len(t.head)), make([]bool, len(t.head))
	for i, h := range t.head {
		width[i], right[i] = utf8.RuneCountInString(h), len(t.rows) > 0
		for _, r := range t.rows {
			width[i] = max(width[i], utf8.RuneCountInString(r[i]))
			right[i] = right[i] && strings.Trim(r[i], "0123456789-") == ""
			digits[i] = digits[i] || strings.Trim(r[i], "0123456789") == ""
		}
		right[i] = right[i] && digits[i]
	}
	var b strings.Builder
	for _, r := range append([][]string{t.head}, t.rows...) {
		var line strings.Builder
		for i, c := range r {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(c))
			if right[i] {
				line.WriteString(pad + c)
			} else {
				line.WriteString(c + pad)
			}
			line.WriteString("  ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// oneLine is a text for a cell: line breaks become spaces, and what is over
// most runes is cut.
func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// dash stands for nothing in a cell.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

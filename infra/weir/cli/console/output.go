package console

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"weir/infra/weir/cli/manifest"
	"weir/shared/command"
)

// Format is how results are printed; it is a flag's value.
type Format string

// Formats of results.
const (
	AsTable Format = "table"
	AsJSON  Format = "json"
	AsYAML  Format = "yaml"
)

// String implements pflag.Value.
func (f *Format) String() string { return string(*f) }

// Type names the formats for a help text.
func (f *Format) Type() string { return "table|json|yaml" }

// Set refuses what is none of the formats.
func (f *Format) Set(s string) error {
	switch v := Format(s); v {
	case AsTable, AsJSON, AsYAML:
		*f = v
		return nil
	}
	return fmt.Errorf("choose table, json or yaml")
}

// Print writes v as JSON on one line, or as YAML.
func (k *Console) Print(v any) error {
	if k.Output == AsYAML {
		return manifest.WriteYAML(k.Out, v)
	}
	return WriteJSON(k.Out, v)
}

// PrintEach writes each of vs as JSON on a line of its own, or all as one YAML
// list.
func PrintEach[T any](k *Console, vs []T) error {
	if k.Output == AsYAML {
		if vs == nil {
			vs = []T{}
		}
		return manifest.WriteYAML(k.Out, vs)
	}
	for _, v := range vs {
		if err := WriteJSON(k.Out, v); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes v as JSON on one line, with < and & as they are.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// Table is columns of text for people.
type Table struct {
	Head []string
	Rows [][]string
}

// Add appends a row. Control characters become visible.
func (t *Table) Add(cells ...string) {
	for i, c := range cells {
		cells[i] = command.Clean(c)
	}
	t.Rows = append(t.Rows, cells)
}

// Write aligns the columns: those whose every cell is a number to the right.
func (t *Table) Write(w io.Writer) error {
	width := make([]int, len(t.Head))
	right, digits := make([]bool, len(t.Head)), make([]bool, len(t.Head))
	for i, h := range t.Head {
		width[i], right[i] = utf8.RuneCountInString(h), len(t.Rows) > 0
		for _, r := range t.Rows {
			width[i] = max(width[i], utf8.RuneCountInString(r[i]))
			right[i] = right[i] && strings.Trim(r[i], "0123456789-") == ""
			digits[i] = digits[i] || strings.Trim(r[i], "0123456789") == ""
		}
		right[i] = right[i] && digits[i]
	}
	var b strings.Builder
	for _, r := range append([][]string{t.Head}, t.Rows...) {
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

// OneLine is a text for a cell: line breaks become spaces, and what is over
// most runes is cut.
func OneLine(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// Dash stands for nothing in a cell.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

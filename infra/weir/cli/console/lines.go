package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"weir/infra/weir/cli/manifest"
	"weir/shared/command"
	"weir/shared/fault"
)

// Lines prints JSON objects one after the other, as they come: as lines, as members
// of a YAML list, or as rows of a table.
type Lines struct {
	out    io.Writer
	format Format
	plain  bool  // nobody's terminal: JSON as it is
	widths []int // of the table's columns, set by its first row
}

// Lines returns what prints the objects of cmd on stdout: as JSON unless --output was
// given.
func (k *Console) Lines(cmd *cobra.Command) *Lines {
	l := &Lines{out: k.Out, format: AsJSON, plain: !k.Terminal(k.Out)}
	if cmd.Flags().Changed("output") {
		l.format = k.Output
	}
	return l
}

// Print prints one object.
func (l *Lines) Print(object []byte) error {
	text := string(object) + "\n"
	switch {
	case l.format == AsYAML:
		return manifest.WriteYAML(l.out, []json.RawMessage{object})
	case l.format == AsTable:
		var err error
		if text, err = l.row(object); err != nil {
			return err
		}
	case !l.plain:
		text = command.Clean(string(object)) + "\n"
	}
	if _, err := io.WriteString(l.out, text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// PrintValue prints v, which becomes one JSON object.
func (l *Lines) PrintValue(v any) error {
	var b bytes.Buffer
	if err := WriteJSON(&b, v); err != nil {
		return err
	}
	return l.Print(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// leastWidth is the smallest width of a column whose later cells are not known yet.
const leastWidth = 10

// row is an object as a row, with the heading before the first one.
func (l *Lines) row(object []byte) (string, error) {
	names, cells, err := Cells(object)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if l.widths == nil {
		for i, name := range names {
			names[i] = strings.ToUpper(name)
			l.widths = append(l.widths, max(leastWidth, utf8.RuneCountInString(name), utf8.RuneCountInString(cells[i])))
		}
		l.pad(&b, names)
	}
	l.pad(&b, cells)
	return b.String(), nil
}

func (l *Lines) pad(b *strings.Builder, cells []string) {
	var line strings.Builder
	for i, cell := range cells {
		cell = command.Clean(cell)
		line.WriteString(cell + "  ")
		if i < len(l.widths) {
			line.WriteString(strings.Repeat(" ", max(0, l.widths[i]-utf8.RuneCountInString(cell))))
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// Cells are the names and values of a JSON object in its order, as text for people:
// strings without quotes, null as a dash.
func Cells(object []byte) (names, cells []string, err error) {
	bad := fault.New(fault.Unavailable, "the answer holds a row that is no JSON object")
	dec := json.NewDecoder(bytes.NewReader(object))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, bad
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, nil, bad
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, nil, bad
		}
		text := string(value)
		if text == "null" {
			text = "-"
		} else if value[0] == '"' {
			_ = json.Unmarshal(value, &text) // it was decoded before
		}
		names, cells = append(names, command.Clean(fmt.Sprint(name))), append(cells, Dash(OneLine(text, 80)))
	}
	return names, cells, nil
}

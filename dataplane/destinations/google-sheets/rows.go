package googlesheets

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"weir/dataplane/destination"
)

// codeUnsupported is what this kind shares with others.
const codeUnsupported = "unsupported_event"

// What is done with a row.
const (
	upsert = "upsert"
	update = "update"
	insert = "insert" // where there is none
	add    = "append"
	remove = "delete"
)

// maxCell is how many characters a cell holds, as UTF-16 counts them.
// Source: https://support.google.com/drive/answer/37603
const maxCell = 50_000

// value is an ExtendedValue; without any it is an empty cell.
type value struct {
	Text   *string      `json:"stringValue,omitempty"`
	Number *json.Number `json:"numberValue,omitempty"`
	Bool   *bool        `json:"boolValue,omitempty"`
}

// text is the value as the name of a column.
func (v value) text() string {
	switch {
	case v.Text != nil:
		return *v.Text
	case v.Number != nil:
		return v.Number.String()
	}
	return ""
}

// textOf is a value of an answer, or of a field, as text: that of a text itself, else its JSON.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// exact is the largest whole number up to which all are exact in a cell.
const exact = 1 << 53

// valueOf is the value of a field, which is JSON. Numbers that a cell would round are texts.
func valueOf(raw json.RawMessage) (v value, ok bool) {
	switch text := string(bytes.TrimSpace(raw)); {
	case text == "null" || text == "":
		return value{}, true
	case text == "true" || text == "false":
		is := text == "true"
		return value{Bool: &is}, true
	case text[0] != '"' && text[0] != '{' && text[0] != '[':
		n := json.Number(text)
		if whole, err := strconv.ParseInt(text, 10, 64); err == nil && whole < exact && whole > -exact || strings.ContainsAny(text, ".eE") {
			return value{Number: &n}, true
		}
		return value{Text: &text}, true
	}
	text := textOf(raw)
	return value{Text: &text}, len(utf16.Encode([]rune(text))) <= maxCell
}

// row is an item as a row of the sheet.
type row struct {
	item   int
	do     string
	column string           // of the identifier; "" of one that is added
	key    string           // its value
	cells  map[string]value // by column, with the identifier
	shown  map[string]json.RawMessage
}

func has(rows []*row, key string) bool {
	return slices.ContainsFunc(rows, func(r *row) bool { return r.key == key })
}

// read reads an item, or says what becomes of one that is no row.
func read(i int, item *destination.Item) (*row, destination.Verdict) {
	if item.Event.Type != "record" {
		return nil, destination.Verdict{Outcome: destination.Dropped, Code: codeUnsupported}
	}
	var in struct {
		Action, Mode string
		Identifiers  map[string]string
		Fields       map[string]json.RawMessage
	}
	no := func(code, text string) (*row, destination.Verdict) {
		return nil, destination.Verdict{Outcome: destination.Dead, Code: code, Detail: text}
	}
	if err := json.Unmarshal(item.Body(), &in); err != nil {
		return no(CodeBadRow, "The record cannot be read.")
	}
	r := &row{item: i, cells: map[string]value{}, shown: map[string]json.RawMessage{}}
	for name, raw := range in.Fields {
		v, ok := valueOf(raw)
		if !ok {
			return no(CodeCell, "The field "+name+" is longer than a cell holds.")
		}
		r.cells[name], r.shown[name] = v, raw
	}
	for name, text := range in.Identifiers {
		if len(utf16.Encode([]rune(text))) > maxCell {
			return no(CodeCell, "The identifier "+name+" is longer than a cell holds.")
		}
		r.cells[name] = value{Text: &text}
		r.shown[name], _ = json.Marshal(text) // a text always encodes
	}
	switch {
	case in.Mode == "append":
		r.do = add
		if len(r.cells) == 0 {
			return no(CodeBadRow, "The record has neither identifiers nor fields.")
		}
		return r, destination.Verdict{}
	case in.Action == "delete":
		r.do = remove
	case in.Mode == "update":
		r.do = update
	case in.Mode == "insert":
		r.do = insert
	case in.Action == "insert" || in.Action == "update":
		r.do = upsert
	default:
		return no(CodeBadRow, "The record has another action than insert, update and delete.")
	}
	for r.column, r.key = range in.Identifiers {
	}
	if len(in.Identifiers) != 1 || r.key == "" {
		return no(CodeKey, "One identifier names a row of a sheet: the column that has it.")
	}
	return r, destination.Verdict{}
}

// grid is the sheet as it is before a change.
type grid struct {
	sheet               int64
	rows, width, frozen int
	columns             map[string]int // by what stands in the first row
	used                int            // columns of the first row, with empty ones in between
	keys                map[string]int // by identifier, the row
}

// plan is the requests that change the grid to what rows say, in order; missing are the rows
// that are to be updated and are not there.
func (g *grid) plan(rows []*row) (requests []map[string]any, missing []*row) {
	var changed, added, removed []*row
	for _, r := range rows {
		_, there := g.keys[r.key]
		switch {
		case r.do == add || !there && (r.do == upsert || r.do == insert):
			added = append(added, r)
		case there && r.do == remove:
			removed = append(removed, r)
		case there && r.do != insert:
			changed = append(changed, r)
		case r.do == update:
			missing = append(missing, r)
		}
	}
	requests = g.widen(slices.Concat(changed, added))
	for _, r := range changed {
		for _, cells := range g.runs(r) {
			requests = append(requests, g.put(g.keys[r.key], cells[0], r, cells))
		}
	}
	if len(added) > 0 {
		data := make([]map[string]any, len(added))
		for i, r := range added {
			values := make([]map[string]any, 1)
			for name, at := range g.columns {
				if v, has := r.cells[name]; has {
					for len(values) <= at {
						values = append(values, nil)
					}
					values[at] = cell(v)
				}
			}
			for at := range values {
				if values[at] == nil {
					values[at] = map[string]any{}
				}
			}
			data[i] = map[string]any{"values": values}
		}
		requests = append(requests, map[string]any{"appendCells": map[string]any{"sheetId": g.sheet, "rows": data, "fields": "userEnteredValue"}})
	}
	if len(removed) > 0 {
		// A sheet keeps a row beside those that are frozen.
		if len(added) == 0 && g.rows-len(removed) <= max(g.frozen, 1) {
			requests = append(requests, map[string]any{"appendDimension": map[string]any{"sheetId": g.sheet, "dimension": "ROWS", "length": 1}})
		}
		slices.SortFunc(removed, func(a, b *row) int { return g.keys[b.key] - g.keys[a.key] }) // from below
		for _, r := range removed {
			at := g.keys[r.key]
			requests = append(requests, map[string]any{"deleteDimension": map[string]any{"range": map[string]any{"sheetId": g.sheet, "dimension": "ROWS", "startIndex": at, "endIndex": at + 1}}})
		}
	}
	return requests, missing
}

// widen adds the columns that rows need and the first row does not have.
func (g *grid) widen(rows []*row) (requests []map[string]any) {
	need := map[string]bool{}
	first := ""
	for _, r := range rows {
		for name := range r.cells {
			if _, there := g.columns[name]; !there {
				need[name] = true
			}
		}
		if need[r.column] {
			first = r.column
		}
	}
	if len(need) == 0 {
		return nil
	}
	delete(need, first)
	names := slices.Sorted(maps.Keys(need))
	if first != "" {
		names = slices.Insert(names, 0, first) // the identifier before the fields
	}
	from := g.used
	values := make([]map[string]any, len(names))
	for i, name := range names {
		g.columns[name] = from + i
		values[i] = cell(value{Text: &name})
	}
	g.used += len(names)
	if more := g.used - g.width; more > 0 {
		requests = append(requests, map[string]any{"appendDimension": map[string]any{"sheetId": g.sheet, "dimension": "COLUMNS", "length": more}})
	}
	return append(requests, g.update(0, from, values))
}

// runs are the columns of a row's cells, those that stand side by side together. The column
// of the identifier has what it had.
func (g *grid) runs(r *row) (all [][]int) {
	var at []int
	for name := range r.cells {
		if name != r.column {
			at = append(at, g.columns[name])
		}
	}
	slices.Sort(at)
	for i, c := range at {
		if i == 0 || c != at[i-1]+1 {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], c)
	}
	return all
}

// put is the request that writes cells of a row.
func (g *grid) put(at, column int, r *row, cells []int) map[string]any {
	values := make([]map[string]any, len(cells))
	for name, v := range r.cells {
		if i := slices.Index(cells, g.columns[name]); i >= 0 {
			values[i] = cell(v)
		}
	}
	return g.update(at, column, values)
}

func (g *grid) update(row, column int, values []map[string]any) map[string]any {
	return map[string]any{"updateCells": map[string]any{
		"start": map[string]any{"sheetId": g.sheet, "rowIndex": row, "columnIndex": column}, "rows": []map[string]any{{"values": values}}, "fields": "userEnteredValue",
	}}
}

// cell is the CellData of a value; an empty one clears the cell.
func cell(v value) map[string]any {
	if v == (value{}) {
		return map[string]any{}
	}
	return map[string]any{"userEnteredValue": v}
}

// letters is the name of a column, from 0, in A1 notation.
func letters(column int) string {
	var all []byte
	for n := column + 1; n > 0; n = (n - 1) / 26 {
		all = append(all, byte('A'+(n-1)%26))
	}
	slices.Reverse(all)
	return string(all)
}

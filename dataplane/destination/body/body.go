// Package body writes the JSON bodies of destinations' requests, out of what package
// fields found in events: values are copied as they stand, without decoding them.
package body

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/destination/fields"
)

// Writer writes one JSON value at the end of Buf. It puts commas where they belong:
// between two values of a list, and between two members of an object. A member is Name
// and a value; Text, Raw and the others that take a name write both, or nothing.
type Writer struct {
	Buf   []byte
	comma bool
}

// Open and Close write the braces of an object.
func (w *Writer) Open()  { w.begin('{') }
func (w *Writer) Close() { w.end('}') }

// OpenList and CloseList write the brackets of a list.
func (w *Writer) OpenList()  { w.begin('[') }
func (w *Writer) CloseList() { w.end(']') }

func (w *Writer) begin(c byte) {
	w.separate()
	w.Buf, w.comma = append(w.Buf, c), false
}

func (w *Writer) end(c byte) { w.Buf, w.comma = append(w.Buf, c), true }

// separate writes the comma in front of a value or name, if one is due.
func (w *Writer) separate() {
	if w.comma {
		w.Buf = append(w.Buf, ',')
	}
	w.comma = true
}

// Name writes the name of a member; its value has to follow.
func (w *Writer) Name(name string) {
	w.String(name)
	w.Buf, w.comma = append(w.Buf, ':'), false
}

// String writes a text as a value, also an empty one.
func (w *Writer) String(text string) {
	w.separate()
	if plain(text) {
		w.Buf = append(append(append(w.Buf, '"'), text...), '"')
		return
	}
	w.Buf, _ = jsontext.AppendQuote(w.Buf, text) // invalid UTF-8 becomes U+FFFD
}

// plain reports whether a text stands in JSON as it is.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Value writes a value as it stands in an event, null for an absent one.
func (w *Writer) Value(v fields.Value) {
	w.separate()
	if len(v) == 0 {
		v = fields.Value("null")
	}
	w.Buf = append(w.Buf, v...)
}

// Text writes a member unless its text is empty.
func (w *Writer) Text(name, text string) {
	if text != "" {
		w.Name(name)
		w.String(text)
	}
}

// TextOf writes a member that is the text of a value, unless that is empty.
func (w *Writer) TextOf(name string, v fields.Value) {
	switch {
	case len(v) == 0 || string(v) == `""`:
	case v.IsText() && bytes.IndexByte(v, '\\') < 0 && utf8.Valid(v): // as it would be quoted
		w.Raw(name, v)
	default:
		w.Text(name, v.Text())
	}
}

// Except writes the members of an object as they stand, without those that names lists and
// one without a name.
func (w *Writer) Except(object fields.Value, names ...string) {
	object.Scan(func(key, v fields.Value) bool {
		name := key[1 : len(key)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(key.Text())
		}
		if len(name) > 0 && !slices.ContainsFunc(names, func(n string) bool { return n == string(name) }) {
			w.separate()
			w.Buf = append(append(append(w.Buf, key...), ':'), v...)
		}
		return true
	})
}

// Raw writes a member as it stands in the event, unless it is absent.
func (w *Writer) Raw(name string, v fields.Value) {
	if len(v) > 0 {
		w.Name(name)
		w.Value(v)
	}
}

// Number writes a member unless it is no number; a text that holds one is.
func (w *Writer) Number(name string, v fields.Value) {
	if v.IsNumber() {
		w.Raw(name, v)
	} else if n, ok := v.Number(); ok {
		w.Float(name, n)
	}
}

// Float writes a member that is a number, which is neither infinite nor NaN.
func (w *Writer) Float(name string, n float64) {
	w.Name(name)
	w.separate()
	w.Buf = strconv.AppendFloat(w.Buf, n, 'f', -1, 64)
}

// Int writes a member that is an integer.
func (w *Writer) Int(name string, n int64) {
	w.Name(name)
	w.separate()
	w.Buf = strconv.AppendInt(w.Buf, n, 10)
}

// Members writes the members of an object as they stand, each under the name that
// rename gives it, and none that it gives "". A nil rename keeps all names.
func (w *Writer) Members(object fields.Value, rename func(name string) string) {
	for name, v := range object.Members() {
		if rename != nil {
			name = rename(name)
		}
		if name != "" {
			w.Raw(name, v)
		}
	}
}

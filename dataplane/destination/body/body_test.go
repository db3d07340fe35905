package body_test

import (
	"encoding/json"
	"testing"

	"weir/dataplane/destination/body"
	"weir/dataplane/destination/fields"
)

func TestWriterPutsCommasWhereTheyBelong(t *testing.T) {
	t.Parallel()
	var w body.Writer
	w.OpenList()
	w.Open()
	w.Text("none", "")
	w.Text("text", "a\"b\u2028<\xff")
	w.Raw("raw", fields.Value(`1.50`))
	w.Raw("absent", nil)
	w.Number("number", fields.Value(`" 2.5 "`))
	w.Number("as it stands", fields.Value(`12345678901234567890.10`))
	w.Number("no number", fields.Value(`"x"`))
	w.Int("int", -7)
	w.Float("float", 1e21)
	w.Name("in")
	w.Open()
	w.Members(fields.Value(`{"a":1,"b":null,"c":{"d":[]},"":2,"e":3}`), func(name string) string {
		return map[string]string{"a": "A", "c": "c", "e": ""}[name]
	})
	w.Close()
	w.Name("list")
	w.OpenList()
	w.String("")
	w.Value(nil)
	w.CloseList()
	w.Close()
	w.Open()
	w.Members(fields.Value(`{"x":1}`), nil)
	w.Close()
	w.CloseList()
	const want = `[{"text":"a\"b` + "\u2028<\uFFFD" + `","raw":1.50,"number":2.5,"as it stands":12345678901234567890.10,"int":-7,"float":1000000000000000000000,"in":{"A":1,"c":{"d":[]}},"list":["",null]},{"x":1}]`
	if string(w.Buf) != want || !json.Valid(w.Buf) {
		t.Errorf("got\n%s, want\n%s", w.Buf, want)
	}
}

package tree_test

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/dataplane/layout/tree"
)

func TestMembersAreFoundByTheirDecodedKeys(t *testing.T) {
	var tr tree.Tree
	if err := tr.Parse(` {"a":{"b":[1,{"c":"x"}],"b":true},"\u0061c":"\ud83d\ude00\n","bad":"\ud800"} `); err != nil {
		t.Fatal(err)
	}
	if got := tr.Raw(tr.At(0, "a", "b")); got != "true" {
		t.Errorf("a.b is %s, want the last member of the name, true", got)
	}
	if s, damaged := tr.Decoded(tr.Get(0, "ac")); s != "😀\n" || damaged {
		t.Errorf("ac is %q, damaged %v", s, damaged)
	}
	if s, damaged := tr.Decoded(tr.Get(0, "bad")); s != "\uFFFD" || !damaged {
		t.Errorf("bad is %q, damaged %v, want the replacement character", s, damaged)
	}
	if i := tr.At(0, "a", "none", "c"); tr.Kind(i) != 0 {
		t.Errorf("what is not there has the kind %q", tr.Kind(i))
	}
}

// FuzzParse holds Parse to encoding/json, which takes bytes that are no text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `{"a":[],"b":{"c":null}}`, `{"a":1e5,"b":-0.1E+9,"c":"\u0000\ud800"}`, `[]`, `{"a":01}`, `{"a"}`, `{,}`, `{"a":"` + "\x01" + `"}`, `{"a":tru}`, `{"a":{"a":{}}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var tr tree.Tree
		err := tr.Parse(text)
		trimmed := strings.TrimLeft(text, " \t\r\n")
		if valid := json.Valid([]byte(text)) && strings.HasPrefix(trimmed, "{"); err == nil && !valid {
			t.Fatalf("%q is taken", text)
		}
		if err != nil {
			return
		}
		for i := range tr.Nodes {
			if !json.Valid([]byte(tr.Raw(i))) {
				t.Fatalf("value %d of %q is %q", i, text, tr.Raw(i))
			}
		}
		compact, damaged := tree.Compact(tr.Raw(0))
		if !json.Valid([]byte(compact)) || !damaged && len(compact) > len(text) {
			t.Fatalf("%q is compact as %q", text, compact)
		}
	})
}

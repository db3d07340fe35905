package texts

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// JSONFits says whether a server that keeps JSON in a form of its own takes a text
// without losing anything of it: no escaped character, as NUL and lone surrogates are,
// no key twice in an object, and no number that it does not hold, which number says.
func JSONFits(s string, number func(string) bool) bool {
	if strings.Contains(s, `\u`) || !json.Valid([]byte(s)) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.UseNumber()
	type level struct {
		keys map[string]bool
		key  bool // a key comes next
	}
	var stack []level
	for {
		t, err := d.Token()
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		if n := len(stack); n > 0 && stack[n-1].keys != nil {
			if k, ok := t.(string); ok && stack[n-1].key {
				if stack[n-1].keys[k] {
					return false
				}
				stack[n-1].keys[k], stack[n-1].key = true, false
				continue
			}
			stack[n-1].key = true
		}
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{':
				stack = append(stack, level{keys: map[string]bool{}, key: true})
			case '[':
				stack = append(stack, level{})
			default:
				stack = stack[:len(stack)-1]
				if n := len(stack); n > 0 && stack[n-1].keys != nil {
					stack[n-1].key = true
				}
			}
		case json.Number:
			if !number(string(v)) {
				return false
			}
		}
	}
}

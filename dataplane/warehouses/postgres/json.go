package postgres

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// jsonFits says whether jsonb takes a JSON text without losing anything of it:
// no NUL, no lone surrogate, no key twice in an object, no number beyond its limits.
func jsonFits(s string) bool {
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
			if !(&guard{}).numeric(string(v)) {
				return false
			}
		}
	}
}

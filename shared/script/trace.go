package script

import (
	"encoding/json"
	"sort"
	"strings"
)

// LibraryNamespace is what stands before a library's name, and a colon, in source
// maps.
const LibraryNamespace = "library"

// Place is a position in a customer's source, line and column from 1. Library
// is the name of the library that it stands in, empty for the transformation.
type Place struct {
	Library      string
	Line, Column int
}

// Place returns where the customer wrote what stands at line and column, both
// from 1, of s.Code. False: nowhere, it was added by the bundler.
func (s Step) Place(line, column int) (Place, bool) {
	var m struct {
		Sources  []string `json:"sources"`
		Mappings string   `json:"mappings"`
	}
	if json.Unmarshal(s.Map, &m) != nil || line < 1 || column < 1 {
		return Place{}, false
	}
	segments := decode(m.Mappings, line)
	i := sort.Search(len(segments), func(i int) bool { return segments[i].column > column-1 }) - 1
	if i < 0 || segments[i].source < 0 || segments[i].source >= len(m.Sources) {
		return Place{}, false
	}
	p := Place{Line: segments[i].line + 1, Column: segments[i].at + 1}
	if name, ok := strings.CutPrefix(m.Sources[segments[i].source], LibraryNamespace+":"); ok {
		p.Library = name
	}
	return p, true
}

// segment says from where a column on came: source -1, nowhere.
type segment struct{ column, source, line, at int }

// decode returns the segments of one line of a source map.
// Source: https://tc39.es/ecma426/#sec-mappings-grammar
func decode(mappings string, line int) []segment {
	var state segment
	var out []segment
	n := 1
	for group := range strings.SplitSeq(mappings, ";") {
		state.column = 0
		for text := range strings.SplitSeq(group, ",") {
			var fields [4]int
			count := 0
			for count < len(fields) && text != "" {
				fields[count], text = vlq(text)
				count++
			}
			if count == 0 {
				continue
			}
			state.column += fields[0]
			s := state
			s.source = -1
			if count == 4 {
				state.source += fields[1]
				state.line += fields[2]
				state.at += fields[3]
				s = state
			}
			if n == line {
				out = append(out, s)
			}
		}
		if n++; n > line {
			break
		}
	}
	return out
}

// vlq reads one number in base 64 and returns the rest.
func vlq(text string) (int, string) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	value, shift := 0, 0
	for i := 0; i < len(text) && shift < 60; i++ {
		d := strings.IndexByte(digits, text[i])
		if d < 0 {
			return 0, ""
		}
		value |= (d & 31) << shift
		if shift += 5; d < 32 {
			if text = text[i+1:]; value&1 == 1 {
				return -(value >> 1), text
			}
			return value >> 1, text
		}
	}
	return 0, ""
}

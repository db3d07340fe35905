package streams

import (
	"encoding/json"
	"fmt"

	"weir/shared/catalog/streams/word"
	"weir/shared/fault"
)

// Feed is the stream with the changes of all streams that settings name, which there is
// where the setting Where has the value Is. A nil Feed is none.
type Feed struct {
	Stream string `json:"stream" yaml:"stream"`
	Where  string `json:"where" yaml:"where"`
	Is     string `json:"is" yaml:"is"`
}

// Stands reports whether f is complete, where settings name streams, and nil elsewhere.
func (f *Feed) Stands(named bool) bool {
	return f == nil || named && streamName.MatchString(f.Stream) && f.Where != "" && f.Is != ""
}

// asked reports whether settings have the value.
func (f *Feed) asked(settings []byte) bool {
	var given map[string]json.RawMessage
	var value string
	return f != nil && json.Unmarshal(settings, &given) == nil && json.Unmarshal(given[f.Where], &value) == nil && value == f.Is
}

// Of returns the streams that entries of settings name, behind that of their changes where
// there is one.
func (f *Feed) Of(settings []byte, entries map[string]string) []Outline {
	all := InEntries(entries)
	if !f.asked(settings) {
		return all
	}
	for i := range all {
		all[i].Cursor, all[i].Deletes = f.Stream, word.Feed
	}
	return append([]Outline{{Name: f.Stream, Doc: "The changes of all tables.", Key: []string{}, Cursor: f.Stream, Deletes: word.Feed}}, all...)
}

// Check lists what is wrong with entries that name streams, also that one has the name of
// the stream of changes; path is the setting's.
func (f *Feed) Check(settings []byte, entries map[string]string, path string) []fault.Problem {
	problems := CheckEntries(entries, path)
	for key := range entries {
		if f.asked(settings) && Named(key) == f.Stream {
			problems = append(problems, fault.Problem{Path: path + "." + key, Code: "bad_name", Text: fmt.Sprintf("The stream %s is that of changes: write the table with its schema.", f.Stream)})
		}
	}
	return problems
}

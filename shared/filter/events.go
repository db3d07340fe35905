package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/shared/fault"
)

// Limits of rules by name.
const (
	maxNames = 1000 // of one list
	maxName  = 512  // bytes of one name
)

// typePrefix begins an entry that names a type of call.
const typePrefix = "type:"

// callTypes are the types of calls.
var callTypes = []string{"identify", "track", "page", "screen", "group", "alias", "merge"}

// Events chooses events by name. An entry is the name of a track call, of a page or of a
// screen; with * at its end the beginning of such names; or a type of call, written
// type:identify. Deny wins over Allow. An empty Allow admits all.
type Events struct {
	Allow []string `json:"allow,omitempty" doc:"Only these are taken: names of track calls, pages and screens, which may end in *, and types such as type:identify"`
	Deny  []string `json:"deny,omitempty" doc:"These are not taken, also when they are allowed"`
}

// Check lists what is wrong with e; its lists stand under path. Codes: too_many,
// too_large, bad_pattern, required.
func (e Events) Check(path string) (problems []fault.Problem) {
	for _, list := range []struct {
		name    string
		entries []string
	}{{"allow", e.Allow}, {"deny", e.Deny}} {
		at := path + "." + list.name
		if len(list.entries) > maxNames {
			problems = append(problems, fault.Problem{Path: at, Code: "too_many", Text: fmt.Sprintf("A list has at most %d names of events.", maxNames)})
			continue
		}
		for i, entry := range list.entries {
			if code, text := refused(entry); code != "" && len(problems) < 100 {
				problems = append(problems, fault.Problem{Path: fmt.Sprintf("%s[%d]", at, i), Code: code, Text: text})
			}
		}
	}
	return problems
}

// refused says what is wrong with an entry; no code: nothing.
func refused(entry string) (code, text string) {
	name, isType := strings.CutPrefix(entry, typePrefix)
	switch {
	case entry == "":
		return "required", "Here the name of an event is missing."
	case len(entry) > maxName || !utf8.ValidString(entry):
		return "too_large", fmt.Sprintf("The name of an event is at most %d bytes of text.", maxName)
	case isType && !slices.Contains(callTypes, name):
		return "bad_pattern", "After type: stands one of " + strings.Join(callTypes, ", ") + "."
	case strings.Contains(strings.TrimSuffix(entry, "*"), "*"):
		return "bad_pattern", "A * stands at the end of a name, for whatever follows."
	}
	return "", ""
}

// Names is Events, compiled. The nil Names admits everything. It is immutable and safe
// for concurrent use.
type Names struct {
	allow, deny set
	all         bool // what is not denied is admitted
}

// set is one list.
type set struct {
	names  map[string]struct{}
	types  []string
	starts []string // beginnings of names, sorted
}

// Names compiles e, which Check found nothing in; nil when it admits everything.
func (e Events) Names() *Names {
	if len(e.Allow)+len(e.Deny) == 0 {
		return nil
	}
	return &Names{allow: setOf(e.Allow), deny: setOf(e.Deny), all: len(e.Allow) == 0}
}

func setOf(entries []string) (s set) {
	for _, entry := range entries {
		if t, ok := strings.CutPrefix(entry, typePrefix); ok {
			s.types = append(s.types, t)
		} else if start, ok := strings.CutSuffix(entry, "*"); ok {
			s.starts = append(s.starts, start)
		} else {
			if s.names == nil {
				s.names = map[string]struct{}{}
			}
			s.names[entry] = struct{}{}
		}
	}
	slices.Sort(s.starts)
	return s
}

// Admits reports whether an event may go: typ is its type of call, name the event of a
// track call or the name of a page or screen, "" where it has none. It allocates nothing.
func (n *Names) Admits(typ, name string) bool {
	return n == nil || !n.deny.has(typ, name) && (n.all || n.allow.has(typ, name))
}

// has reports whether an event is in the list.
func (s *set) has(typ, name string) bool {
	if slices.Contains(s.types, typ) {
		return true
	}
	if name == "" {
		return false
	}
	if _, ok := s.names[name]; ok {
		return true
	}
	return s.begun(name)
}

// begun reports whether name begins with one of the beginnings. They are sorted, so of
// those that may stand at the front of name none is behind name itself; each step leaves
// out the ones that share too little with it.
func (s *set) begun(name string) bool {
	for limit := name; len(s.starts) > 0; {
		i, found := slices.BinarySearch(s.starts, limit)
		if found {
			return true
		}
		if i == 0 {
			return false
		}
		before := s.starts[i-1]
		common := shared(before, limit)
		if common == len(before) {
			return true
		}
		limit = limit[:common]
	}
	return false
}

// shared is how many bytes a and b have in common at their beginning.
func shared(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

package mapping

import (
	"bytes"
	"strconv"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
)

// maxElements is how many elements of an answer are gone through.
const maxElements = 100_000

// reach calls f with each value of v that path leads to, where * stands for each element
// or member, and with its place in its list.
func reach(v fields.Value, path []string, at int, f func(v fields.Value, at int)) {
	left := maxElements
	reachSome(v, path, at, f, &left)
}

func reachSome(v fields.Value, path []string, at int, f func(fields.Value, int), left *int) {
	if *left--; *left < 0 || len(v) == 0 {
		return
	}
	if len(path) == 0 {
		f(v, at)
		return
	}
	if path[0] != "*" {
		reachSome(follow(v, path[:1]), path[1:], at, f, left)
		return
	}
	for n, e := range v.Indexed() {
		reachSome(e, path[1:], n, f, left)
	}
	n := 0
	for _, e := range v.Members() {
		reachSome(e, path[1:], n, f, left)
		n++
	}
}

// follow returns the value at the end of a path; a number leads into a list.
func follow(v fields.Value, path []string) fields.Value {
	for _, name := range path {
		place, err := strconv.Atoi(name)
		if err != nil || !v.IsList() {
			v = v.Get(name)
			continue
		}
		var found fields.Value
		for n, e := range v.Indexed() {
			if n == place {
				found = e
				break
			}
		}
		v = found
	}
	return v
}

// position is which part an element is of; -1: it does not say.
func (a *answer) position(e fields.Value, at int) int {
	if a.Position {
		return at
	}
	n, err := strconv.Atoi(follow(e, a.Index).Text())
	if err != nil {
		return -1
	}
	return n
}

// itemOf is the item of the part n of a request; -1: there is none.
func itemOf(r destination.Request, n int) int {
	switch {
	case n >= 0 && n < len(r.Parts):
		return r.Parts[n]
	case n == 0 && len(r.Parts) == 0 && len(r.Items) == 1:
		return r.Items[0]
	}
	return -1
}

// ids returns the items of a request by what their parts have at the first of paths at which
// they have something.
func (m *mapped) ids(r destination.Request, paths [][]string) map[string]int {
	all := map[string]int{}
	add := func(part fields.Value, n int) {
		for _, path := range paths {
			if id := part.Get(path...).Text(); id != "" {
				if _, there := all[id]; !there {
					all[id] = itemOf(r, n)
				}
				return
			}
		}
	}
	body := fields.Value(r.Body)
	if len(r.Parts) == 0 {
		add(body, 0)
		return all
	}
	if r.Header.Get("Content-Type") == types["lines"] {
		for n, line := range bytes.Split(r.Body, []byte("\n")) {
			add(line, n)
		}
		return all
	}
	for _, list := range m.lists {
		n := 0
		parts := body
		if len(list) > 0 {
			parts = body.Get(list...)
		}
		for range parts.Elements() {
			n++
		}
		if n != len(r.Parts) {
			continue
		}
		n = 0
		for part := range parts.Elements() {
			add(part, n)
			n++
		}
		break
	}
	return all
}

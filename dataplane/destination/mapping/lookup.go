package mapping

import (
	"net/http"
	"slices"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/destination/values"
	"weir/shared/catalog/calls"
)

// lookup is a compiled look-up.
type lookup struct {
	name    string
	types   []string
	when    values.Condition
	never   bool
	key     values.Sources
	missing []int
	once    bool
	answers *values.Reads
	found   values.Sources
	request
	body values.Value
}

func (c *compiler) lookup(in *calls.Lookup) lookup {
	l := lookup{name: in.Name, types: in.Types, key: c.Sources(in.Key), missing: in.Missing, once: in.Once, request: c.request(&in.Request), body: c.content(in.Body), answers: values.NewReads()}
	l.when, l.never = c.Condition(in.When)
	l.found = c.Below(l.answers).Sources(in.Found)
	return l
}

// keyOf is what the answer is kept by, "" of an event that needs no look-up.
func (l *lookup) keyOf(it *destination.Item, s *values.Scope) string {
	if l.never || len(l.types) > 0 && !slices.Contains(l.types, it.Event.Type) || !l.when.Holds(s) {
		return ""
	}
	if key := l.key.Get(s).Whole(); key != "" && l.address.Whole(s) {
		return l.name + " " + key
	}
	return ""
}

// chained is a destination that is a file with look-ups.
type chained struct{ *mapped }

// LookUps implements destination.Chained.
func (m *chained) LookUps(b destination.Batch) []destination.Request {
	sc, _ := scratches.Get().(*scratch)
	defer sc.free()
	var all []destination.Request
	at := map[string]int{}
	for i := range b.Items {
		s := sc.Read(m.reads, &b.Items[i], b.Now)
		for n := range m.lookups {
			l := &m.lookups[n]
			key := l.keyOf(&b.Items[i], s)
			if key == "" {
				continue
			}
			if n, there := at[key]; there {
				if items := all[n].Items; items[len(items)-1] != i {
					all[n].Items = append(items, i)
				}
				continue
			}
			at[key] = len(all)
			r := destination.Request{Method: l.method, URL: l.target(s), Header: l.head(s), Items: []int{i}, Key: key}
			if l.body != nil {
				built, _ := l.body.Append(nil, s)
				r.Body = l.written(built)
			}
			all = append(all, r)
		}
	}
	return all
}

// Find implements destination.Chained. The name of the look-up stands in front of the key.
func (m *chained) Find(r destination.Request, res destination.Response) (string, destination.Verdict) {
	var l *lookup
	for i := range m.lookups {
		if one := &m.lookups[i]; len(r.Key) > len(one.name) && r.Key[:len(one.name)+1] == one.name+" " {
			l = one
		}
	}
	if l != nil && slices.Contains(l.missing, res.Status) {
		return "", destination.Verdict{Outcome: destination.Delivered}
	}
	one := r
	one.Items, one.Parts = []int{0}, nil
	if res.Header == nil {
		res.Header = http.Header{}
	}
	v := m.Judge(one, res)[0]
	v.Item = 0
	if v.Outcome == destination.Split {
		v.Outcome = destination.Dead
	}
	if v.Outcome != destination.Delivered || l == nil {
		return "", v
	}
	s := values.Within(l.answers, fields.Value(res.Body), 0)
	return l.found.Get(s).Text(), v
}

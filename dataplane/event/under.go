package event

import (
	"bytes"
	"slices"
)

// under is an object of a batch that stands under the same object of each of its
// members: a key that the member's own object does not have is added to it.
type under struct {
	raw    []byte // the object; nil when the batch has none
	fields []field
	sorted []int32  // into fields, by key
	seen   []uint32 // per field: the round in which the member had it
	round  uint32
}

// set makes u the object raw. Anything but an object counts as absent.
func (u *under) set(raw []byte) {
	u.raw, u.fields, u.sorted = nil, u.fields[:0], u.sorted[:0]
	if len(raw) == 0 || raw[0] != '{' {
		return
	}
	var ok bool
	if u.fields, ok = walk(u.fields, raw); !ok || len(u.fields) == 0 {
		return
	}
	u.raw = raw
	for i := range u.fields {
		u.sorted = append(u.sorted, int32(i))
	}
	slices.SortStableFunc(u.sorted, func(i, j int32) int {
		return bytes.Compare(keyOf(raw, u.fields[i]), keyOf(raw, u.fields[j]))
	})
	u.seen, u.round = slices.Grow(u.seen[:0], len(u.fields))[:len(u.fields)], 0
	clear(u.seen)
}

// appendTo appends the member's object sent with what u adds to it; nothing when
// sent stays as it is. inner is scratch.
func (u *under) appendTo(out, sent []byte, inner *[]field) []byte {
	if u.raw == nil {
		return out
	}
	if sent == nil || sent[0] == 'n' || EmptyList(sent) {
		return append(out, u.raw...)
	}
	if sent[0] != '{' {
		return out
	}
	*inner, _ = walk((*inner)[:0], sent)
	u.round++
	for _, f := range *inner {
		u.mark(keyOf(sent, f))
	}
	start := len(out)
	out = append(out, sent[:len(sent)-1]...)
	comma, grown := len(*inner) > 0, false
	for i, f := range u.fields {
		if u.seen[i] == u.round {
			continue
		}
		if comma {
			out = append(out, ',')
		}
		out = append(out, u.raw[f.key-1:f.valEnd]...)
		comma, grown = true, true
	}
	if !grown {
		return out[:start]
	}
	return append(out, '}')
}

// EmptyList reports whether a JSON value is a list of nothing: some languages cannot
// tell an empty map from it.
func EmptyList(value []byte) bool {
	return len(value) > 1 && value[0] == '[' && len(bytes.TrimSpace(value[1:len(value)-1])) == 0
}

// mark notes that the member has key.
func (u *under) mark(key []byte) {
	at, _ := slices.BinarySearchFunc(u.sorted, key, func(i int32, key []byte) int {
		return bytes.Compare(keyOf(u.raw, u.fields[i]), key)
	})
	for ; at < len(u.sorted) && bytes.Equal(keyOf(u.raw, u.fields[u.sorted[at]]), key); at++ {
		u.seen[u.sorted[at]] = u.round
	}
}

// appendContext appends the context of a member with that of its batch under it
// and the times that could not be read in weir.badTime; nothing when it stays
// as it was sent.
func (p *Parser) appendContext(out, sent []byte, t *times) []byte {
	if !t.anyBad {
		return p.context.appendTo(out, sent, &p.inner)
	}
	p.merged = p.context.appendTo(p.merged[:0], sent, &p.inner)
	if len(p.merged) == 0 {
		p.merged = append(p.merged, sent...)
	}
	context := p.merged
	switch {
	case len(context) == 0 || context[0] == 'n':
		out = append(out, `{"weir":`...)
	case context[0] != '{': // no object to add to: it moves into one
		out = append(out, `{"context":`...)
		out = append(out, context...)
		out = append(out, `,"weir":`...)
	default:
		return p.appendWeir(out, context, t)
	}
	out = append(out, '{')
	out = t.appendBad(out)
	return append(out, '}', '}')
}

// appendWeir appends the object context with badTime in its weir.
func (p *Parser) appendWeir(out, context []byte, t *times) []byte {
	p.inner, _ = walk(p.inner[:0], context)
	for i := len(p.inner) - 1; i >= 0; i-- {
		f := p.inner[i]
		if string(keyOf(context, f)) != "weir" {
			continue
		}
		out = append(out, context[:f.val]...)
		if weir := context[f.val:f.valEnd]; weir[0] != '{' {
			out = append(out, `{"sent":`...)
			out = append(out, weir...)
			out = append(out, ',')
		} else {
			out = append(out, weir[:len(weir)-1]...)
			if space(weir, 1) < len(weir)-1 {
				out = append(out, ',')
			}
		}
		out = t.appendBad(out)
		out = append(out, '}')
		return append(out, context[f.valEnd:]...)
	}
	out = append(out, context[:len(context)-1]...)
	if len(p.inner) > 0 {
		out = append(out, ',')
	}
	out = append(out, `"weir":{`...)
	out = t.appendBad(out)
	return append(out, '}', '}')
}

package record

import (
	"math/bits"
	"slices"
)

// span is the indexes from First to Last.
type span struct{ First, Last uint32 }

// Set is a set of indexes: spans in order that do not touch. A whole frame is
// one span, however many events it has.
type Set []span

// SetOf returns the set of indexes, which it sorts.
func SetOf(indexes []uint32) (s Set) {
	slices.Sort(indexes)
	for i, n := range indexes {
		if i > 0 && indexes[i-1] == n {
			continue
		}
		s.Push(n)
	}
	return s
}

// Push adds n, which is higher than all in s.
func (s *Set) Push(n uint32) { s.pushSpan(span{n, n}) }

func (s *Set) pushSpan(p span) {
	if k := len(*s) - 1; k >= 0 && (*s)[k].Last+1 == p.First {
		(*s)[k].Last = p.Last
		return
	}
	*s = append(*s, p)
}

// Len returns how many indexes are in s.
func (s Set) Len() int64 {
	var n int64
	for _, p := range s {
		n += int64(p.Last-p.First) + 1
	}
	return n
}

// Each yields the indexes in order.
func (s Set) Each(yield func(uint32) bool) {
	for _, p := range s {
		for i := p.First; i <= p.Last; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// set writes s in the shorter of two forms, told apart by the lowest bit of
// the first number: spans (count; gap and length of each) or a bitmap (bytes;
// the number of its first byte; the bytes). The empty set is one byte.
func (e *encoder) set(s Set) {
	at := len(e.body)
	e.uint(uint64(len(s)) << 1)
	next := uint32(0)
	for _, p := range s {
		e.uint(uint64(p.First - next))
		e.uint(uint64(p.Last - p.First))
		next = p.Last + 1
	}
	if len(s) < 2 {
		return
	}
	first, last := s[0].First/8, s[len(s)-1].Last/8
	n := int(last-first) + 1
	if n+6 >= len(e.body)-at {
		return
	}
	e.body = e.body[:at]
	e.uint(uint64(n)<<1 | 1)
	e.uint(uint64(first))
	start := len(e.body)
	e.body = append(e.body, make([]byte, n)...)
	for i := range s.Each {
		e.body[start+int(i/8-first)] |= 1 << (i % 8)
	}
}

// set reads a set of indexes below count. Its memory is bounded by a small
// multiple of the bytes that it was read from.
func (d *decoder) set(count uint32) Set {
	head := d.Uint()
	var s Set
	if head&1 == 0 {
		next := uint64(0)
		n := head >> 1
		if n > uint64(d.Left()/2) {
			d.Fail()
			return nil
		}
		s = make(Set, 0, n)
		for range n {
			first := next + d.Uint()
			last := first + d.Uint()
			if first < next || last < first || last >= uint64(count) || next > 0 && first == next {
				d.Fail()
				return nil
			}
			s = append(s, span{uint32(first), uint32(last)})
			next = last + 1
		}
		return s
	}
	first := d.Uint()
	bytes := d.Take(head >> 1)
	if first > MaxIndex/8 || len(bytes) > MaxIndex/8+1 {
		d.Fail()
		return nil
	}
	for i, b := range bytes {
		for ; b != 0; b &= b - 1 {
			n := uint32(first)*8 + uint32(i)*8 + uint32(bits.TrailingZeros8(b))
			if n >= count {
				d.Fail()
				return nil
			}
			s.Push(n)
		}
	}
	return s
}

package pipeline

import (
	"math/bits"
	"slices"
)

// maxIndex is the highest index of an event in its frame.
const maxIndex = 1<<16 - 1

// span is the indexes from First to Last.
type span struct{ First, Last uint32 }

// set is a set of indexes: spans in order that do not touch. A whole frame is
// one span, however many events it has.
type set []span

// setOf returns the set of indexes, which it sorts, and how many of them were
// there more than once.
func setOf(indexes []uint32) (s set, repeated int) {
	slices.Sort(indexes)
	for i, n := range indexes {
		if i > 0 && indexes[i-1] == n {
			repeated++
			continue
		}
		s.push(n)
	}
	return s, repeated
}

// push adds n, which is higher than all in s.
func (s *set) push(n uint32) { s.pushSpan(span{n, n}) }

func (s *set) pushSpan(p span) {
	if k := len(*s) - 1; k >= 0 && (*s)[k].Last+1 == p.First {
		(*s)[k].Last = p.Last
		return
	}
	*s = append(*s, p)
}

// len returns how many indexes are in s.
func (s set) len() int64 {
	var n int64
	for _, p := range s {
		n += int64(p.Last-p.First) + 1
	}
	return n
}

// each yields the indexes in order.
func (s set) each(yield func(uint32) bool) {
	for _, p := range s {
		for i := p.First; i <= p.Last; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// bitmap is a set of indexes that changes: those not yet settled of a frame.
type bitmap []uint64

func bitmapOf(s set, count uint32) bitmap {
	b := make(bitmap, (count+63)/64)
	for i := range s.each {
		b.add(i)
	}
	return b
}

func (b bitmap) has(i uint32) bool { return int(i/64) < len(b) && b[i/64]&(1<<(i%64)) != 0 }
func (b bitmap) add(i uint32)      { b[i/64] |= 1 << (i % 64) }
func (b bitmap) remove(i uint32)   { b[i/64] &^= 1 << (i % 64) }

func (b bitmap) len() int64 {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return int64(n)
}

func (b bitmap) set() set {
	var s set
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			s.push(uint32(i*64 + bits.TrailingZeros64(w)))
		}
	}
	return s
}

// append writes s in the shorter of two forms, told apart by the lowest bit of
// the first number: spans (count; gap and length of each) or a bitmap (bytes;
// the number of its first byte; the bytes). The empty set is one byte.
func (e *encoder) set(s set) {
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
	for i := range s.each {
		e.body[start+int(i/8-first)] |= 1 << (i % 8)
	}
}

// set reads a set of indexes below count. Its memory is bounded by a small
// multiple of the bytes that it was read from.
func (d *decoder) set(count uint32) set {
	head := d.uint()
	var s set
	if head&1 == 0 {
		next := uint64(0)
		n := d.bound(head>>1, 2)
		s = make(set, 0, n)
		for range n {
			first := next + d.uint()
			last := first + d.uint()
			if first < next || last < first || last >= uint64(count) || next > 0 && first == next {
				d.fail()
				return nil
			}
			s = append(s, span{uint32(first), uint32(last)})
			next = last + 1
		}
		return s
	}
	first := d.uint()
	bytes := d.bytes(head >> 1)
	if first > maxIndex/8 || len(bytes) > maxIndex/8+1 {
		d.fail()
		return nil
	}
	for i, b := range bytes {
		for ; b != 0; b &= b - 1 {
			n := uint32(first)*8 + uint32(i)*8 + uint32(bits.TrailingZeros8(b))
			if n >= count {
				d.fail()
				return nil
			}
			s.push(n)
		}
	}
	return s
}

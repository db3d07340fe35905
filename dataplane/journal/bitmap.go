package journal

import (
	"math/bits"

	"weir/dataplane/journal/record"
)

// bitmap is a set of indexes that changes: those not yet settled of a frame.
type bitmap []uint64

func bitmapOf(s record.Set, count uint32) bitmap {
	b := make(bitmap, (count+63)/64)
	for i := range s.Each {
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

func (b bitmap) set() record.Set {
	var s record.Set
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			s.Push(uint32(i*64 + bits.TrailingZeros64(w)))
		}
	}
	return s
}

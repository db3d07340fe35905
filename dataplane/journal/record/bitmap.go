package record

import "math/bits"

// Bitmap is a set of indexes that changes: those not yet settled of a frame.
type Bitmap []uint64

// BitmapOf returns a bitmap of count indexes with those of s.
func BitmapOf(s Set, count uint32) Bitmap {
	b := make(Bitmap, (count+63)/64)
	for i := range s.Each {
		b.Add(i)
	}
	return b
}

// Has reports whether i is in b.
func (b Bitmap) Has(i uint32) bool { return int(i/64) < len(b) && b[i/64]&(1<<(i%64)) != 0 }

// Add puts i, less than the count, into b.
func (b Bitmap) Add(i uint32) { b[i/64] |= 1 << (i % 64) }

// Remove takes i out of b.
func (b Bitmap) Remove(i uint32) { b[i/64] &^= 1 << (i % 64) }

// Len returns how many indexes b has.
func (b Bitmap) Len() int64 {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return int64(n)
}

// Set returns b as a Set.
func (b Bitmap) Set() Set {
	var s Set
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			s.Push(uint32(i*64 + bits.TrailingZeros64(w)))
		}
	}
	return s
}

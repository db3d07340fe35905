package frames

import "sync"

// Buffers keeps buffers in which frames are put together, so that a frame costs
// no more memory than its result. It is safe for concurrent use.
type Buffers struct {
	Most int // bytes of the largest buffer that is kept, so that one large frame does not hold memory for long
	pool sync.Pool
}

// Get returns an empty buffer for the caller alone, until Put.
func (b *Buffers) Get() *[]byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return buf
	}
	return new([]byte)
}

// Put gives a buffer back with the memory of used, which was made from it.
func (b *Buffers) Put(buf *[]byte, used []byte) {
	if cap(used) <= b.Most {
		*buf = used[:0]
		b.pool.Put(buf)
	}
}

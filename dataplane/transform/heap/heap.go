package heap

import (
	"math/bits"
	"unsafe"

	"golang.org/x/sys/unix"
	"modernc.org/quickjs"
)

// Sizes, in bytes.
const (
	header      = 16        // before a block: its length without the header
	minBlock    = 64        // with its header
	maxShared   = 64 << 10  // with its header; a larger block has a segment of its own
	maxBlock    = 1 << 32   // without its header
	segmentSize = 256 << 10 // of one that blocks share
	classes     = 4*10 + 1  // of blocks that share segments: four between powers of two
	maxSpare    = 8         // segments that are kept for the next run
)

// Heap is a VM and its memory: blocks in segments, with a list of free blocks for
// each class of sizes. Blocks are never joined: Restore makes all of them new.
type Heap struct {
	VM      *quickjs.VM
	Context uintptr // the VM's JSContext, for those who know its layout

	segments []*segment
	current  *segment // where new blocks begin
	free     [classes]uintptr
	spare    []*segment
	saved    *image
}

// segment is memory of its own mapping.
type segment struct {
	memory []byte
	used   int
	kept   bool // an image holds it
}

// image is the state of a heap.
type image struct {
	copies   *segment
	segments []*segment
	bytes    [][]byte // of each up to what was used
	current  *segment
	free     [classes]uintptr
}

// class is where a block of n bytes, header included, belongs, and its true size.
func class(n uintptr) (int, uintptr) {
	if n <= minBlock {
		return 0, minBlock
	}
	k := bits.Len64(uint64(n - 1)) // 2^(k-1) < n <= 2^k
	step := uintptr(1) << (k - 3)
	size := (n + step - 1) &^ (step - 1)
	return (k-7)*4 + int((size-1<<(k-1))/step), size
}

func length(p uintptr) uintptr { return *(*uintptr)(unsafe.Add(nil, p-header)) }

// fits reports whether size bytes can stay in a block of old bytes.
func fits(old, size uintptr) bool { return size <= old && (old <= 4*minBlock || size >= old/2) }

// block returns a new block for n bytes, 0 when there is no memory.
func (h *Heap) block(n uintptr) uintptr {
	if n+header > maxShared {
		s := mapped(int(n + header))
		if s == nil {
			return 0
		}
		h.segments = append(h.segments, s)
		s.used = len(s.memory)
		return begin(s.base(), uintptr(len(s.memory)))
	}
	c, size := class(n + header)
	if p := h.free[c]; p != 0 {
		h.free[c] = *(*uintptr)(unsafe.Add(nil, p))
		return p
	}
	if h.current == nil || h.current.used+int(size) > len(h.current.memory) {
		if !h.grow() {
			return 0
		}
	}
	at := h.current.base() + uintptr(h.current.used)
	h.current.used += int(size)
	return begin(at, size)
}

// begin writes the header of a block and returns the address after it.
func begin(at, size uintptr) uintptr {
	*(*uintptr)(unsafe.Add(nil, at)) = size - header
	return at + header
}

// grow makes a new segment the current one.
func (h *Heap) grow() bool {
	var s *segment
	if n := len(h.spare); n > 0 {
		s = h.spare[n-1]
		h.spare = h.spare[:n-1]
	} else if s = mapped(segmentSize); s == nil {
		return false
	}
	h.segments = append(h.segments, s)
	h.current = s
	return true
}

// put frees a block.
func (h *Heap) put(p uintptr) {
	if n := length(p) + header; n <= maxShared {
		c, _ := class(n)
		*(*uintptr)(unsafe.Add(nil, p)) = h.free[c]
		h.free[c] = p
		return
	}
	for i := len(h.segments) - 1; i >= 0; i-- {
		if s := h.segments[i]; s.base() == p-header {
			if !s.kept {
				h.segments[i] = h.segments[len(h.segments)-1]
				h.segments = h.segments[:len(h.segments)-1]
				_ = unix.Munmap(s.memory)
			}
			return
		}
	}
}

// save makes an image. False: there is no memory for it.
func (h *Heap) save() bool {
	size := 0
	for _, s := range h.segments {
		size += s.used
	}
	copies := mapped(size) // outside of Go's memory, whose limit is for what the worker itself needs
	if copies == nil {
		return false
	}
	h.forget()
	h.saved = &image{copies: copies, current: h.current, free: h.free}
	at := copies.memory
	for _, s := range h.segments {
		s.kept = true
		h.saved.segments = append(h.saved.segments, s)
		h.saved.bytes = append(h.saved.bytes, at[:copy(at, s.memory[:s.used])])
		at = at[s.used:]
	}
	return true
}

// forget lets go of the image.
func (h *Heap) forget() {
	if h.saved == nil {
		return
	}
	for _, s := range h.saved.segments {
		s.kept = false
	}
	_ = unix.Munmap(h.saved.copies.memory)
	h.saved = nil
}

func (h *Heap) restore() {
	for _, s := range h.segments {
		if s.kept {
			continue
		}
		if len(s.memory) == segmentSize && len(h.spare) < maxSpare {
			s.used = 0
			h.spare = append(h.spare, s)
		} else {
			_ = unix.Munmap(s.memory)
		}
	}
	h.segments = append(h.segments[:0], h.saved.segments...)
	for i, s := range h.segments {
		s.used = copy(s.memory, h.saved.bytes[i])
	}
	h.current, h.free = h.saved.current, h.saved.free
}

// holds reports whether the heap has memory at p.
func (h *Heap) holds(p uintptr) bool {
	for _, s := range h.segments {
		if p >= s.base() && p-s.base() < uintptr(s.used) {
			return true
		}
	}
	return false
}

// unmap gives all memory back.
func (h *Heap) unmap() {
	for _, s := range append(h.segments, h.spare...) {
		_ = unix.Munmap(s.memory)
	}
	h.forget()
	*h = Heap{}
}

func (s *segment) base() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s.memory))) }

// mapped is a new segment for n bytes, nil when there is no memory.
func mapped(n int) *segment {
	page := unix.Getpagesize()
	memory, err := unix.Mmap(-1, 0, (n+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil
	}
	return &segment{memory: memory}
}

// Package filter is a blocked Bloom filter of keys that are hashes already, in
// memory outside of the collector's heap.
package filter

import (
	"encoding/binary"
	"syscall"

	"weir/shared/fault"
)

// Filter is a blocked Bloom filter: seven bits of one 64-byte block a key, at
// ten bits a key about one false answer in a hundred. Keys are hashes already, so
// their own bits are the hash functions.
type Filter []byte

const (
	// Block is what the size of a filter is a multiple of, in bytes: one cache line.
	Block  = 64
	perKey = 10 // bits
)

// New returns an empty filter for that many keys. fault.Unavailable: no memory.
func New(keys int) (Filter, error) {
	blocks := (keys*perKey + Block*8 - 1) / (Block * 8)
	return Map(max(blocks, 1) * Block)
}

// Map takes size bytes from the system, outside of the collector's heap.
func Map(size int) (Filter, error) {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "no memory for a dedupe filter of %d bytes: %v", size, err)
	}
	return b, nil
}

// Free gives the memory back; nobody may look into f any more.
func (f Filter) Free() error {
	if f == nil {
		return nil
	}
	return syscall.Munmap(f)
}

// place returns the block of k and the bits that choose within it. The first
// eight bytes order runs, so the block comes from the last eight.
func (f Filter) place(k *[16]byte) (block Filter, bits uint64) {
	hi := binary.LittleEndian.Uint64(k[8:])
	n := uint64(len(f) / Block)
	at := ((hi >> 32) * n) >> 32
	bits = binary.LittleEndian.Uint64(k[:8])*0x9E3779B97F4A7C15 + hi
	return f[at*Block : (at+1)*Block], bits
}

// Add puts k into f.
func (f Filter) Add(k *[16]byte) {
	block, bits := f.place(k)
	for range 7 {
		bit := bits & 511
		block[bit>>3] |= 1 << (bit & 7)
		bits >>= 9
	}
}

// Has reports whether k is in f, wrongly about once in a hundred times.
func (f Filter) Has(k *[16]byte) bool {
	block, bits := f.place(k)
	for range 7 {
		bit := bits & 511
		if block[bit>>3]&(1<<(bit&7)) == 0 {
			return false
		}
		bits >>= 9
	}
	return true
}

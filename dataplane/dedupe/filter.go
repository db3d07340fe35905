package dedupe

import (
	"encoding/binary"
	"syscall"

	"weir/shared/fault"
)

// filter is a blocked Bloom filter: seven bits of one 64-byte block a key, at
// ten bits a key about one false answer in a hundred. Keys are hashes already, so
// their own bits are the hash functions.
type filter []byte

const (
	filterBlock  = 64 // bytes: one cache line
	filterPerKey = 10 // bits
)

func newFilter(keys int) (filter, error) {
	blocks := (keys*filterPerKey + filterBlock*8 - 1) / (filterBlock * 8)
	return mapFilter(max(blocks, 1) * filterBlock)
}

// mapFilter takes size bytes from the system, outside of the collector's heap.
func mapFilter(size int) (filter, error) {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "no memory for a dedupe filter of %d bytes: %v", size, err)
	}
	return b, nil
}

func (f filter) free() error {
	if f == nil {
		return nil
	}
	return syscall.Munmap(f)
}

// place returns the block of k and the bits that choose within it. The first
// eight bytes order runs, so the block comes from the last eight.
func (f filter) place(k *Key) (block filter, bits uint64) {
	hi := binary.LittleEndian.Uint64(k[8:])
	n := uint64(len(f) / filterBlock)
	at := ((hi >> 32) * n) >> 32
	bits = binary.LittleEndian.Uint64(k[:8])*0x9E3779B97F4A7C15 + hi
	return f[at*filterBlock : (at+1)*filterBlock], bits
}

func (f filter) add(k *Key) {
	block, bits := f.place(k)
	for range 7 {
		bit := bits & 511
		block[bit>>3] |= 1 << (bit & 7)
		bits >>= 9
	}
}

func (f filter) has(k *Key) bool {
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

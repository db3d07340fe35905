package dedupe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"weir/dataplane/frames"
	"weir/shared/durable"
	"weir/shared/fault"
)

// A run is an immutable file of entries sorted by key:
//
//	entries, 32 bytes each: key 16, frame 8, index 4, at 4 (Unix seconds)
//	fences, 4 bytes each: how many entries lie below each bucket
//	sums, 4 bytes each: the crc of each bucket's entries
//	filter
//	footer, 48 bytes: entries 8, fences 4, filter 4 (bytes), oldest 4, newest 4, crc 4 of fences, sums and filter, zero 12, magic 8
//
// Fences, sums and filter are held in memory (about 1.4 bytes a key); entries
// are read through the page cache, one bucket a lookup. The filter is mapped
// anonymously: outside of the collector's heap, so it is not paid for twice, and
// not a page of the file, so a look-up of a new key never waits for a disk.
const (
	entrySize  = 32
	footerSize = 48
	runMagic   = "weirrun2"
	bucketSize = 64 // entries, on average: keys are uniform
)

// entry is one key, where it was first seen and when, in Unix seconds.
type entry struct {
	key Key
	pos Pos
	at  uint32
}

func (e *entry) append(b []byte) []byte {
	b = append(b, e.key[:]...)
	b = binary.LittleEndian.AppendUint64(b, e.pos.Frame)
	b = binary.LittleEndian.AppendUint32(b, e.pos.Index)
	return binary.LittleEndian.AppendUint32(b, e.at)
}

func (e *entry) decode(b []byte) {
	e.key = Key(b[:16])
	e.pos = Pos{Frame: binary.LittleEndian.Uint64(b[16:]), Index: binary.LittleEndian.Uint32(b[24:])}
	e.at = binary.LittleEndian.Uint32(b[28:])
}

type run struct {
	name           string
	file           *os.File
	entries        uint64
	oldest, newest uint32
	fences, sums   []uint32
	filter         filter
}

// close releases the file and the filter; nobody may look into r any more.
func (r *run) close() error {
	return errors.Join(r.file.Close(), r.filter.free())
}

func (r *run) damaged() error {
	return fault.New(fault.Invalid, "dedupe run %s is damaged", r.name)
}

// bucket maps a key to one of n buckets in key order.
func bucket(k *Key, n int) int {
	return int((binary.BigEndian.Uint64(k[:]) >> 32) * uint64(n) >> 32)
}

// get looks k up. buf is scratch space that it may grow.
func (r *run) get(k *Key, buf *[]byte) (entry, bool, error) {
	if !r.filter.has(k) {
		return entry{}, false, nil
	}
	if err := r.read(bucket(k, len(r.fences)), buf); err != nil {
		return entry{}, false, err
	}
	n := len(*buf) / entrySize
	at := sort.Search(n, func(i int) bool { return bytes.Compare((*buf)[i*entrySize:i*entrySize+16], k[:]) >= 0 })
	var e entry
	if at == n {
		return e, false, nil
	}
	e.decode((*buf)[at*entrySize:])
	return e, e.key == *k, nil
}

// read reads the i-th bucket into buf and checks it.
func (r *run) read(i int, buf *[]byte) error {
	from, to := uint64(r.fences[i]), r.entries
	if i+1 < len(r.fences) {
		to = uint64(r.fences[i+1])
	}
	size := int(to-from) * entrySize
	*buf = slices.Grow((*buf)[:0], size)[:size]
	if _, err := r.file.ReadAt(*buf, int64(from)*entrySize); err != nil {
		return fmt.Errorf("dedupe run %s: %w", r.name, err)
	}
	if frames.Sum(0, *buf) != r.sums[i] {
		return r.damaged()
	}
	return nil
}

// writeRun writes entries, which must come sorted by key and without doubles,
// as a new run in dir and makes it durable. most bounds how many will come.
func writeRun(dir, name string, most int, entries func(yield func(*entry) bool)) (r *run, err error) {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("dedupe run: %w", err)
	}
	r = &run{name: name, file: f, oldest: ^uint32(0)}
	defer func() {
		if err != nil {
			_ = r.close()
			_ = os.Remove(path + ".new")
		}
	}()
	if r.filter, err = newFilter(most); err != nil {
		return nil, err
	}
	n := max(most/bucketSize, 1)
	r.fences, r.sums = make([]uint32, n), make([]uint32, n)
	w := bufio.NewWriterSize(f, 1<<18)
	next, buf := 0, make([]byte, 0, entrySize)
	for e := range entries {
		b := bucket(&e.key, n)
		for ; next <= b; next++ {
			r.fences[next] = uint32(r.entries)
		}
		r.filter.add(&e.key)
		r.oldest, r.newest = min(r.oldest, e.at), max(r.newest, e.at)
		r.entries++
		buf = e.append(buf[:0])
		r.sums[b] = frames.Sum(r.sums[b], buf)
		if _, err = w.Write(buf); err != nil {
			return nil, fmt.Errorf("dedupe run: %w", err)
		}
	}
	for ; next < n; next++ {
		r.fences[next] = uint32(r.entries)
	}
	if err = r.finish(w, path); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *run) finish(w *bufio.Writer, path string) error {
	tail := make([]byte, 0, len(r.fences)*8+len(r.filter)+footerSize)
	for _, v := range r.fences {
		tail = binary.LittleEndian.AppendUint32(tail, v)
	}
	for _, v := range r.sums {
		tail = binary.LittleEndian.AppendUint32(tail, v)
	}
	tail = append(tail, r.filter...)
	sum := frames.Sum(0, tail)
	tail = binary.LittleEndian.AppendUint64(tail, r.entries)
	for _, v := range []uint32{uint32(len(r.fences)), uint32(len(r.filter)), r.oldest, r.newest, sum, 0, 0, 0} {
		tail = binary.LittleEndian.AppendUint32(tail, v)
	}
	tail = append(tail, runMagic...)
	if _, err := w.Write(tail); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	if err := durable.Rename(path+".new", path); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	return nil
}

// openRun opens a run and checks its frame. fault.Invalid: it is damaged.
func openRun(dir, name string) (*run, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fault.New(fault.Invalid, "dedupe run %s: %v", name, err)
	}
	r, err := readRun(f, name)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func readRun(f *os.File, name string) (*run, error) {
	r := &run{name: name, file: f}
	st, err := f.Stat()
	if err != nil || st.Size() < footerSize {
		return nil, r.damaged()
	}
	foot := make([]byte, footerSize)
	if _, err := f.ReadAt(foot, st.Size()-footerSize); err != nil || string(foot[40:]) != runMagic {
		return nil, r.damaged()
	}
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(foot[i:]) }
	r.entries, r.oldest, r.newest = binary.LittleEndian.Uint64(foot), u32(16), u32(20)
	fences, filterLen := int64(u32(8)), int64(u32(12))
	size := fences*8 + filterLen
	if fences < 1 || filterLen < filterBlock || filterLen%filterBlock != 0 || r.entries >= 1<<32 || int64(r.entries)*entrySize+size+footerSize != st.Size() {
		return nil, r.damaged()
	}
	lists := make([]byte, fences*8)
	if r.filter, err = mapFilter(int(filterLen)); err != nil {
		return nil, err
	}
	_, err = f.ReadAt(lists, int64(r.entries)*entrySize)
	if err == nil {
		_, err = f.ReadAt(r.filter, int64(r.entries)*entrySize+fences*8)
	}
	if err != nil || frames.Sum(frames.Sum(0, lists), r.filter) != u32(24) || !r.list(lists) {
		return nil, errors.Join(r.damaged(), r.filter.free())
	}
	return r, nil
}

// list decodes fences and sums; false: they cannot be.
func (r *run) list(b []byte) bool {
	n := len(b) / 8
	r.fences, r.sums = make([]uint32, n), make([]uint32, n)
	last := uint32(0)
	for i := range n {
		r.fences[i], r.sums[i] = binary.LittleEndian.Uint32(b[i*4:]), binary.LittleEndian.Uint32(b[(n+i)*4:])
		if uint64(r.fences[i]) > r.entries || r.fences[i] < last {
			return false
		}
		last = r.fences[i]
	}
	return r.fences[0] == 0
}

// cursor reads a run in order, bucket by bucket.
type cursor struct {
	r    *run
	next int // bucket
	buf  []byte
	rest []byte
	e    entry
}

// advance moves to the next entry; false at the end.
func (c *cursor) advance() (bool, error) {
	for len(c.rest) == 0 {
		if c.next == len(c.r.fences) {
			return false, nil
		}
		if err := c.r.read(c.next, &c.buf); err != nil {
			return false, err
		}
		c.next++
		c.rest = c.buf
	}
	c.e.decode(c.rest)
	c.rest = c.rest[entrySize:]
	return true, nil
}

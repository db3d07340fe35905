package dedupe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"weir/shared/fault"
)

// A run is an immutable file of entries sorted by key:
//
//	entries, 32 bytes each: key 16, frame 8, index 4, at 4 (Unix seconds)
//	fences, 4 bytes each: how many entries lie below each bucket
//	filter
//	footer, 48 bytes: entries 8, fences 4, filter 4 (bytes), oldest 4, newest 4, crc 4 of fences and filter, zero 12, magic 8
//
// Fences and filter are held in memory (about 1.4 bytes a key); entries are
// read through the page cache, one bucket a lookup.
const (
	entrySize  = 32
	footerSize = 48
	runMagic   = "weirrun1"
	bucketSize = 64 // entries, on average: keys are uniform
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

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
	fences         []uint32
	filter         filter
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
	i := bucket(k, len(r.fences))
	from, to := uint64(r.fences[i]), r.entries
	if i+1 < len(r.fences) {
		to = uint64(r.fences[i+1])
	}
	size := int(to-from) * entrySize
	*buf = slices.Grow((*buf)[:0], size)[:size]
	if _, err := r.file.ReadAt(*buf, int64(from)*entrySize); err != nil {
		return entry{}, false, fault.New(fault.Internal, "dedupe run %s: %v", r.name, err)
	}
	n := int(to - from)
	at := sort.Search(n, func(i int) bool { return bytes.Compare((*buf)[i*entrySize:i*entrySize+16], k[:]) >= 0 })
	var e entry
	if at == n {
		return e, false, nil
	}
	e.decode((*buf)[at*entrySize:])
	return e, e.key == *k, nil
}

// writeRun writes entries, which must come sorted by key and without doubles,
// as a new run in dir and makes it durable. most bounds how many will come.
func writeRun(dir, name string, most int, entries func(yield func(*entry) bool)) (r *run, err error) {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("dedupe run: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(path + ".new")
		}
	}()
	r = &run{name: name, file: f, oldest: ^uint32(0), fences: make([]uint32, max(most/bucketSize, 1)), filter: newFilter(most)}
	w := bufio.NewWriterSize(f, 1<<20)
	next, buf := 0, make([]byte, 0, entrySize)
	for e := range entries {
		for b := bucket(&e.key, len(r.fences)); next <= b; next++ {
			r.fences[next] = uint32(r.entries)
		}
		r.filter.add(&e.key)
		r.oldest, r.newest = min(r.oldest, e.at), max(r.newest, e.at)
		r.entries++
		buf = e.append(buf[:0])
		if _, err = w.Write(buf); err != nil {
			return nil, fmt.Errorf("dedupe run: %w", err)
		}
	}
	for ; next < len(r.fences); next++ {
		r.fences[next] = uint32(r.entries)
	}
	if err = r.finish(w, path); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *run) finish(w *bufio.Writer, path string) error {
	tail := make([]byte, 0, len(r.fences)*4+len(r.filter)+footerSize)
	for _, v := range r.fences {
		tail = binary.LittleEndian.AppendUint32(tail, v)
	}
	tail = append(tail, r.filter...)
	sum := crc32.Checksum(tail, castagnoli)
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
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	return syncDir(filepath.Dir(path))
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
	damaged := fault.New(fault.Invalid, "dedupe run %s is damaged", name)
	st, err := f.Stat()
	if err != nil || st.Size() < footerSize {
		return nil, damaged
	}
	foot := make([]byte, footerSize)
	if _, err := f.ReadAt(foot, st.Size()-footerSize); err != nil || string(foot[40:]) != runMagic {
		return nil, damaged
	}
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(foot[i:]) }
	r := &run{name: name, file: f, entries: binary.LittleEndian.Uint64(foot), oldest: u32(16), newest: u32(20)}
	fences, filterLen := int64(u32(8)), int64(u32(12))
	tail := fences*4 + filterLen
	if fences < 1 || filterLen < filterBlock || r.entries > 1<<32 || int64(r.entries)*entrySize+tail+footerSize != st.Size() {
		return nil, damaged
	}
	b := make([]byte, tail)
	if _, err := io.ReadFull(io.NewSectionReader(f, int64(r.entries)*entrySize, tail), b); err != nil || crc32.Checksum(b, castagnoli) != u32(24) {
		return nil, damaged
	}
	r.fences = make([]uint32, fences)
	for i := range r.fences {
		r.fences[i] = binary.LittleEndian.Uint32(b[i*4:])
		if uint64(r.fences[i]) > r.entries || i > 0 && r.fences[i] < r.fences[i-1] {
			return nil, damaged
		}
	}
	r.filter = filter(b[fences*4:])
	return r, nil
}

// scan yields the run's entries in order through its own buffer. A read error
// ends it; failed tells.
func (r *run) scan(failed *error) func(yield func(*entry) bool) {
	return func(yield func(*entry) bool) {
		in := bufio.NewReaderSize(io.NewSectionReader(r.file, 0, int64(r.entries)*entrySize), 1<<18)
		var b [entrySize]byte
		var e entry
		for range r.entries {
			if _, err := io.ReadFull(in, b[:]); err != nil {
				*failed = fmt.Errorf("dedupe run %s: %w", r.name, err)
				return
			}
			e.decode(b[:])
			if !yield(&e) {
				return
			}
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("dedupe: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("dedupe: %w", err)
	}
	return nil
}

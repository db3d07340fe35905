package dedupe

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"

	"weir/dataplane/dedupe/filter"
	"weir/dataplane/frames"
	"weir/shared/durable"
	"weir/shared/fault"
)

// A run is an immutable file of entries sorted by key:
//
//	entries, 32 bytes each: key 16, frame 6, index 2, owner 4, at 4 (Unix seconds)
//	fences, 4 bytes each: how many entries lie below each bucket
//	sums, 4 bytes each: the crc of each bucket's entries
//	filter
//	owners, 8 bytes each: an owner that has a large part of the entries, how many
//	footer, 48 bytes: entries 8, fences 4, filter 4 (bytes), oldest 4, newest 4, crc 4 of all from fences on, with 0 in
//	        its place and without magic, owners 4, zero 8, magic 8
//
// Version 2 has no owners: its entries are key 16, frame 8, index 4, at 4, and
// its crc is of fences, sums and filter.
//
// Fences, sums and filter are held in memory (about 1.4 bytes a key); entries
// are read through the page cache, one bucket a lookup. The filter is mapped
// anonymously: outside of the collector's heap, so it is not paid for twice, and
// not a page of the file, so a look-up of a new key never waits for a disk.
const (
	entrySize  = 32
	ownerSize  = 8
	footerSize = 48
	runMagic   = "weirrun3"
	runMagic2  = "weirrun2"
	bucketSize = 64 // entries, on average: keys are uniform
	mostOwners = 64 // that a run counts by name
	unfinished = ".new"
)

// entry is one key, where it was first seen and when, in Unix seconds, and whose
// it is.
type entry struct {
	key   Key
	pos   Pos
	at    uint32
	owner Owner
}

func (e *entry) append(b []byte) []byte {
	b = append(b, e.key[:]...)
	b = binary.LittleEndian.AppendUint64(b, e.pos.Frame<<16|uint64(e.pos.Index&0xffff))
	b = binary.LittleEndian.AppendUint32(b, uint32(e.owner))
	return binary.LittleEndian.AppendUint32(b, e.at)
}

func (e *entry) decode(b []byte, old bool) {
	e.key, e.at = Key(b[:16]), binary.LittleEndian.Uint32(b[28:])
	at, rest := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint32(b[24:])
	if old {
		e.pos, e.owner = Pos{Frame: at, Index: rest}, 0
	} else {
		e.pos, e.owner = Pos{Frame: at >> 16, Index: uint32(at & 0xffff)}, Owner(rest)
	}
}

// holding is how many keys of a run an owner has.
type holding struct {
	owner Owner
	keys  uint64
}

type run struct {
	name           string
	file           *os.File
	entries        uint64
	oldest, newest uint32
	fences, sums   []uint32
	filter         filter.Filter
	owners         []holding // who has a large part of it
	old            bool      // of version 2

	mu  sync.Mutex
	bad map[int]bool // buckets that cannot be read
}

// size is how many bytes the file has.
func (r *run) size() int64 {
	return int64(r.entries)*entrySize + int64(len(r.fences))*8 + int64(len(r.filter)) + int64(len(r.owners))*ownerSize + footerSize
}

// badBucket says that a bucket of a run cannot be read.
type badBucket struct {
	run    string
	bucket int
	keys   uint64
	reason string
}

func (e *badBucket) Error() string {
	return fmt.Sprintf("dedupe run %s: bucket %d of %d keys: %s", e.run, e.bucket, e.keys, e.reason)
}

// newlyBad returns how many keys are lost with what err says of r, 0 when that
// was known.
func (r *run) newlyBad(err error) uint64 {
	var b *badBucket
	if !errors.As(err, &b) {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bad[b.bucket] {
		return 0
	}
	if r.bad == nil {
		r.bad = map[int]bool{}
	}
	r.bad[b.bucket] = true
	return b.keys
}

// close releases the file and the filter; nobody may look into r any more.
func (r *run) close() error {
	return errors.Join(r.file.Close(), r.filter.Free())
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
	if !r.filter.Has((*[16]byte)(k)) {
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
	e.decode((*buf)[at*entrySize:], r.old)
	return e, e.key == *k, nil
}

// read reads the i-th bucket into buf and checks it. An error is a *badBucket.
func (r *run) read(i int, buf *[]byte) error {
	from, to := uint64(r.fences[i]), r.entries
	if i+1 < len(r.fences) {
		to = uint64(r.fences[i+1])
	}
	size := int(to-from) * entrySize
	*buf = slices.Grow((*buf)[:0], size)[:size]
	if _, err := r.file.ReadAt(*buf, int64(from)*entrySize); err != nil {
		return &badBucket{r.name, i, to - from, err.Error()}
	}
	if frames.Sum(0, *buf) != r.sums[i] {
		return &badBucket{r.name, i, to - from, "the checksum differs"}
	}
	return nil
}

// writeRun writes entries, which must come sorted by key and without doubles,
// as a new run in dir and makes it durable. most bounds how many will come.
func writeRun(dir, name string, most int, entries func(yield func(*entry) bool)) (r *run, err error) {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path+unfinished, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
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
	if r.filter, err = filter.New(most); err != nil {
		return nil, err
	}
	n := max(most/bucketSize, 1)
	r.fences, r.sums = make([]uint32, n), make([]uint32, n)
	w := bufio.NewWriterSize(f, 1<<18)
	next, buf, held := 0, make([]byte, 0, entrySize), map[Owner]uint64{}
	for e := range entries {
		b := bucket(&e.key, n)
		for ; next <= b; next++ {
			r.fences[next] = uint32(r.entries)
		}
		r.filter.Add((*[16]byte)(&e.key))
		r.oldest, r.newest = min(r.oldest, e.at), max(r.newest, e.at)
		r.entries++
		held[e.owner]++
		buf = e.append(buf[:0])
		r.sums[b] = frames.Sum(r.sums[b], buf)
		if _, err = w.Write(buf); err != nil {
			return nil, fmt.Errorf("dedupe run: %w", err)
		}
	}
	for ; next < n; next++ {
		r.fences[next] = uint32(r.entries)
	}
	r.own(held)
	if err = r.finish(w, path); err != nil {
		return nil, err
	}
	return r, nil
}

// own keeps who has a large part of the entries.
func (r *run) own(held map[Owner]uint64) {
	for o, n := range held {
		if o != 0 && n >= max(r.entries/tiny, 1) {
			r.owners = append(r.owners, holding{o, n})
		}
	}
	slices.SortFunc(r.owners, func(a, b holding) int { return cmp.Compare(b.keys, a.keys) })
	r.owners = slices.Clip(r.owners[:min(len(r.owners), mostOwners)])
}

func (r *run) finish(w *bufio.Writer, path string) error {
	tail := make([]byte, 0, len(r.fences)*8+len(r.filter)+len(r.owners)*ownerSize+footerSize)
	for _, v := range r.fences {
		tail = binary.LittleEndian.AppendUint32(tail, v)
	}
	for _, v := range r.sums {
		tail = binary.LittleEndian.AppendUint32(tail, v)
	}
	tail = append(tail, r.filter...)
	for _, h := range r.owners {
		tail = binary.LittleEndian.AppendUint32(tail, uint32(h.owner))
		tail = binary.LittleEndian.AppendUint32(tail, uint32(h.keys))
	}
	foot := binary.LittleEndian.AppendUint64(nil, r.entries)
	for _, v := range []uint32{uint32(len(r.fences)), uint32(len(r.filter)), r.oldest, r.newest, 0, uint32(len(r.owners)), 0, 0} {
		foot = binary.LittleEndian.AppendUint32(foot, v)
	}
	binary.LittleEndian.PutUint32(foot[24:], frames.Sum(frames.Sum(0, tail), foot))
	tail = append(append(tail, foot...), runMagic...)
	if _, err := w.Write(tail); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	if err := durable.Rename(path+unfinished, path); err != nil {
		return fmt.Errorf("dedupe run: %w", err)
	}
	return nil
}

// openRun opens a run and checks all of it but its entries. fault.Invalid: it is
// damaged, or not there. fault.Unavailable: it cannot be opened now.
func openRun(dir, name string) (*run, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.Invalid, "dedupe run %s is not there", name)
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "dedupe run %s: %v", name, err)
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
	if _, err := f.ReadAt(foot, st.Size()-footerSize); err != nil {
		return nil, r.damaged()
	}
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(foot[i:]) }
	r.entries, r.oldest, r.newest = binary.LittleEndian.Uint64(foot), u32(16), u32(20)
	fences, filterLen, owners := int64(u32(8)), int64(u32(12)), int64(u32(28))
	switch string(foot[40:]) {
	case runMagic:
	case runMagic2:
		r.old, owners = true, 0
	default:
		return nil, r.damaged()
	}
	from, lists, size := int64(r.entries)*entrySize, fences*8, fences*8+filterLen+owners*ownerSize
	if fences < 1 || filterLen < filter.Block || filterLen%filter.Block != 0 || r.entries >= 1<<32 || owners > mostOwners || from+size+footerSize != st.Size() {
		return nil, r.damaged()
	}
	rest := make([]byte, lists+owners*ownerSize)
	if r.filter, err = filter.Map(int(filterLen)); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		to []byte
		at int64
	}{{rest[:lists], from}, {r.filter, from + lists}, {rest[lists:], from + lists + filterLen}} {
		if err == nil {
			_, err = f.ReadAt(part.to, part.at)
		}
	}
	sum := u32(24)
	clear(foot[24:28])
	got := frames.Sum(frames.Sum(frames.Sum(0, rest[:lists]), r.filter), rest[lists:])
	if !r.old {
		got = frames.Sum(got, foot[:40])
	}
	if err != nil || got != sum || !r.list(rest[:lists]) {
		return nil, errors.Join(r.damaged(), r.filter.Free())
	}
	for b := rest[lists:]; len(b) > 0; b = b[ownerSize:] {
		r.owners = append(r.owners, holding{Owner(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))})
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
	lose func(*run, error) error
	next int // bucket
	buf  []byte
	rest []byte
	e    entry
}

// advance moves to the next entry; false at the end. A bucket that cannot be
// read is left out when lose allows it.
func (c *cursor) advance() (bool, error) {
	for len(c.rest) == 0 {
		if c.next == len(c.r.fences) {
			return false, nil
		}
		if err := c.r.read(c.next, &c.buf); err == nil {
			c.rest = c.buf
		} else if err := c.lose(c.r, err); err != nil {
			return false, err
		}
		c.next++
	}
	c.e.decode(c.rest, c.r.old)
	c.rest = c.rest[entrySize:]
	return true, nil
}

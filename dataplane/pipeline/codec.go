package pipeline

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/ledger"
	"weir/shared/fault"
	"weir/shared/id"
)

// A journal record is
//
//	0     version, 2
//	1-4   CRC-32C, little endian, of the version and of all after byte 4
//	5-    epoch, counter, base, floor, parked, dead
//	      dictionary: texts, each with its length; books, each as three texts
//	      openings, live settlements, moved settlements, drains, deltas, part, fans
//
// with all numbers as varints and each list behind its length. Books and texts
// are named by their number in the dictionary, so that a settlement costs a
// bit or two, and an event hardly more than its dedupe key. Version 1, which is
// read too, has no fans.
const (
	recordVersion     = 2
	checkpointVersion = 1
	headSize          = 5
	maxText           = 256 // bytes of an identifier or a code
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoder collects a body and the dictionary that it refers to.
type encoder struct {
	body  []byte
	texts map[string]uint64
	list  []string
	books map[ledger.Key]uint64
	keys  []ledger.Key
}

func newEncoder() *encoder {
	return &encoder{texts: map[string]uint64{}, books: map[ledger.Key]uint64{}}
}

func (e *encoder) uint(n uint64) { e.body = binary.AppendUvarint(e.body, n) }
func (e *encoder) byte(b byte)   { e.body = append(e.body, b) }

func (e *encoder) bytes(b []byte) {
	e.uint(uint64(len(b)))
	e.body = append(e.body, b...)
}

func (e *encoder) textNumber(s string) uint64 {
	n, ok := e.texts[s]
	if !ok {
		n = uint64(len(e.list))
		e.texts[s] = n
		e.list = append(e.list, s)
	}
	return n
}

func (e *encoder) text(s string) { e.uint(e.textNumber(s)) }

func (e *encoder) book(k ledger.Key) {
	n, ok := e.books[k]
	if !ok {
		n = uint64(len(e.keys))
		e.books[k] = n
		e.keys = append(e.keys, k)
	}
	e.uint(n)
}

// place is written as the difference to the one before it: within a record one
// byte for the record and one for the item.
func (e *encoder) places(all []delivery.Place) {
	e.uint(uint64(len(all)))
	var last uint64
	for _, p := range all {
		e.body = binary.AppendVarint(e.body, int64(p.Seq-last))
		e.uint(uint64(p.Item))
		last = p.Seq
	}
}

// appendTo adds the dictionary and the body to dst.
func (e *encoder) appendTo(dst []byte) []byte {
	head := &encoder{texts: e.texts, list: e.list}
	head.uint(uint64(len(e.keys)))
	for _, k := range e.keys {
		head.text(string(k.Workspace))
		head.text(string(k.Source))
		head.text(string(k.Destination))
	}
	dst = binary.AppendUvarint(dst, uint64(len(head.list)))
	for _, s := range head.list {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	dst = append(dst, head.body...)
	return append(dst, e.body...)
}

// encode returns the bytes of r.
func (r *record) encode() []byte {
	e := newEncoder()
	e.uint(uint64(len(r.openings)))
	for i := range r.openings {
		e.opening(&r.openings[i])
	}
	e.lives(r.live)
	e.uint(uint64(len(r.moved)))
	for i := range r.moved {
		m := &r.moved[i]
		e.byte(byte(m.stage)<<4 | byte(m.end))
		e.book(m.book)
		if coded(m.end) {
			e.text(m.code)
		}
		e.places(m.from)
	}
	e.uint(uint64(len(r.drains)))
	for _, d := range r.drains {
		e.text(string(d.destination))
		e.uint(d.floor)
	}
	e.deltas(r.deltas)
	e.uint(uint64(r.part.of))
	if r.part.of > 0 {
		e.uint(uint64(r.part.index))
		e.bytes(r.part.data)
	}
	e.fans(r.fans)
	out := make([]byte, headSize, headSize+64+len(e.body)+64*len(e.list))
	out[0] = recordVersion
	for _, n := range [...]uint64{
		r.epoch, r.counter, r.base, r.floor, r.parked, r.dead,
	} {
		out = binary.AppendUvarint(out, n)
	}
	out = e.appendTo(out)
	binary.LittleEndian.PutUint32(out[1:], checksum(out))
	return out
}

func checksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:1], castagnoli), castagnoli, b[headSize:])
}

func (e *encoder) opening(o *opening) {
	e.uint(o.frame)
	e.body = binary.AppendVarint(e.body, o.at.UnixMilli())
	e.uint(uint64(o.count)<<1 | uint64(flag(o.bad)))
	e.set(o.keyed)
	for i := range o.keys {
		e.body = append(e.body, o.keys[i][:]...)
	}
	e.uint(uint64(len(o.ends)))
	for _, s := range o.ends {
		coded := s.account == ledger.Dropped || s.account == ledger.Quarantined
		e.byte(byte(s.account) | flag(s.replayed)<<7)
		e.book(s.book)
		if coded {
			e.text(s.code)
		}
		e.set(s.set)
	}
	e.routed(o.routed)
}

func (e *encoder) routed(all []routedSet) {
	e.uint(uint64(len(all)))
	for _, s := range all {
		e.byte(flag(s.output > 0))
		e.book(s.book)
		if s.output > 0 {
			e.uint(uint64(s.output))
		}
		e.set(s.set)
	}
}

func (e *encoder) fans(all []fan) {
	e.uint(uint64(len(all)))
	for i := range all {
		f := &all[i]
		e.uint(f.frame)
		e.book(f.book)
		e.set(f.of)
		e.uint(uint64(len(f.outs)))
		for _, s := range f.outs {
			e.set(s)
		}
	}
}

func (e *encoder) lives(all []liveSet) {
	e.uint(uint64(len(all)))
	for i := range all {
		l := &all[i]
		e.byte(byte(l.kind)<<5 | flag(l.output > 0)<<4 | byte(l.end))
		e.uint(l.frame)
		e.book(l.book)
		if l.output > 0 {
			e.uint(uint64(l.output))
		}
		if coded(l.end) {
			e.text(l.code)
		}
		e.set(l.set)
	}
}

func (e *encoder) deltas(all []ledger.Delta) {
	e.uint(uint64(len(all)))
	for _, d := range all {
		e.byte(byte(d.Account)<<1 | flag(d.Code != ""))
		e.book(d.Key())
		if d.Code != "" {
			e.text(d.Code)
		}
		e.body = binary.AppendVarint(e.body, d.N)
	}
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// decodeRecord reads what encode wrote. Memory is bounded by a small multiple
// of data, whatever data says; keys and parts share memory with nothing.
//
// fault.Invalid: data is damaged. fault.Unavailable: data is of a version that
// this program does not know.
func decodeRecord(data []byte) (record, error) {
	if len(data) < headSize {
		return record{}, damaged("it is shorter than its header")
	}
	if data[0] != recordVersion && data[0] != recordVersion-1 {
		if data[0] == 0 {
			return record{}, damaged("its version is 0")
		}
		return record{}, fault.New(fault.Unavailable, "The journal has format version %d, this program knows %d.", data[0], recordVersion)
	}
	if binary.LittleEndian.Uint32(data[1:]) != checksum(data) {
		return record{}, damaged("its checksum is wrong")
	}
	return decodeBody(data[0], data[headSize:])
}

// decodeBody reads everything behind the checksum.
func decodeBody(version byte, data []byte) (record, error) {
	d := &decoder{left: data}
	r := record{epoch: d.uint(), counter: d.uint(), base: d.uint(), floor: d.uint(), parked: d.uint(), dead: d.uint()}
	d.dictionary()
	for range d.list(6) {
		r.openings = append(r.openings, d.opening())
	}
	r.live = d.lives()
	for range d.list(3) {
		head := d.byte()
		m := movedSet{stage: delivery.Stage(head >> 4), end: delivery.End(head & 15), book: d.book()}
		if m.stage == delivery.Live || m.stage > delivery.FromDead || m.stage != void && !validEnd(m.end) {
			d.fail()
		}
		if coded(m.end) {
			m.code = d.text()
		}
		m.from = d.places()
		r.moved = append(r.moved, m)
	}
	for range d.list(2) {
		r.drains = append(r.drains, drain{id.Destination(d.text()), d.uint()})
	}
	r.deltas = d.deltas()
	if r.part.of = d.uint32(); r.part.of > 0 {
		r.part.index = d.uint32()
		r.part.data = append([]byte{}, d.bytes(d.uint())...)
		if r.part.index >= r.part.of {
			d.fail()
		}
	}
	if version > 1 {
		for range d.list(4) {
			r.fans = append(r.fans, d.fan())
		}
	}
	return r, d.end()
}

func damaged(why string) error { return fault.New(fault.Invalid, "The journal is damaged: %s.", why) }

func validEnd(e delivery.End) bool { return e >= delivery.EndDelivered && e <= delivery.EndQuarantined }

// decoder takes values off the front of bytes and remembers that one was wrong.
type decoder struct {
	left  []byte
	bad   bool
	texts []string
	books []ledger.Key
}

func (d *decoder) fail() { d.bad, d.left = true, nil }

// end tells whether everything was right and nothing is left.
func (d *decoder) end() error {
	if d.bad || len(d.left) > 0 {
		return damaged("its content does not fit its form")
	}
	return nil
}

func (d *decoder) byte() byte {
	if len(d.left) == 0 {
		d.fail()
		return 0
	}
	b := d.left[0]
	d.left = d.left[1:]
	return b
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.left)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.left = d.left[size:]
	return n
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.left)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.left = d.left[size:]
	return n
}

func (d *decoder) uint32() uint32 {
	n := d.uint()
	if n > 1<<32-1 {
		d.fail()
	}
	return uint32(n)
}

// bytes returns the next n bytes, in data's own memory.
func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.left)) {
		d.fail()
		return nil
	}
	b := d.left[:n:n]
	d.left = d.left[n:]
	return b
}

// bound returns n when n things of at least size bytes can still follow, else 0.
func (d *decoder) bound(n uint64, size int) int {
	if n > uint64(len(d.left)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

// list reads the length of a list of things of at least size bytes.
func (d *decoder) list(size int) int { return d.bound(d.uint(), size) }

func (d *decoder) dictionary() {
	for range d.list(1) {
		n := d.uint()
		if n > maxText {
			d.fail()
		}
		d.texts = append(d.texts, string(d.bytes(n)))
	}
	for range d.list(3) {
		d.books = append(d.books, ledger.Key{
			Workspace: id.Workspace(d.text()), Source: id.Source(d.text()), Destination: id.Destination(d.text()),
		})
	}
}

func (d *decoder) text() string {
	n := d.uint()
	if n >= uint64(len(d.texts)) {
		d.fail()
		return ""
	}
	return d.texts[n]
}

func (d *decoder) book() ledger.Key {
	n := d.uint()
	if n >= uint64(len(d.books)) {
		d.fail()
		return ledger.Key{}
	}
	return d.books[n]
}

func (d *decoder) places() []delivery.Place {
	n := d.list(2)
	all := make([]delivery.Place, 0, n)
	var last uint64
	for range n {
		last += uint64(d.int())
		all = append(all, delivery.Place{Seq: last, Item: d.uint32()})
	}
	return all
}

func (d *decoder) opening() opening {
	o := opening{frame: d.uint(), at: time.UnixMilli(d.int()).UTC()}
	n := d.uint()
	if n>>1 > maxIndex+1 {
		d.fail()
		return o
	}
	o.count, o.bad = uint32(n>>1), n&1 == 1
	o.keyed = d.set(o.count)
	raw := d.bytes(uint64(o.keyed.len()) * uint64(len(dedupe.Key{})))
	for len(raw) > 0 {
		o.keys = append(o.keys, dedupe.Key(raw))
		raw = raw[len(dedupe.Key{}):]
	}
	var ended int64
	for range d.list(3) {
		head := d.byte()
		s := endSet{account: ledger.Account(head & 0x7f), replayed: head&0x80 != 0, book: d.book()}
		if s.account < ledger.Accepted || s.account > ledger.Dead {
			d.fail()
		}
		if s.account == ledger.Dropped || s.account == ledger.Quarantined {
			s.code = d.text()
		}
		s.set = d.set(o.count)
		ended += s.set.len()
		o.ends = append(o.ends, s)
	}
	if ended != int64(o.count) {
		d.fail()
	}
	o.routed = d.routed(o.count)
	return o
}

func (d *decoder) routed(count uint32) []routedSet {
	var all []routedSet
	for range d.list(3) {
		var s routedSet
		more := d.byte()
		s.book = d.book()
		if more != 0 {
			s.output = d.uint32()
		}
		s.set = d.set(count)
		all = append(all, s)
	}
	return all
}

func (d *decoder) fan() fan {
	f := fan{frame: d.uint(), book: d.book(), of: d.set(maxIndex + 1)}
	n := d.list(1)
	if n < 2 {
		d.fail()
	}
	for range n {
		f.outs = append(f.outs, d.set(maxIndex+1))
	}
	return f
}

func (d *decoder) lives() []liveSet {
	var all []liveSet
	for range d.list(4) {
		head := d.byte()
		l := liveSet{kind: liveKind(head >> 5), end: delivery.End(head & 15), frame: d.uint(), book: d.book()}
		if l.kind > extra || !validEnd(l.end) {
			d.fail()
		}
		if head&16 != 0 {
			l.output = d.uint32()
		}
		if coded(l.end) {
			l.code = d.text()
		}
		l.set = d.set(maxIndex + 1)
		all = append(all, l)
	}
	return all
}

func (d *decoder) deltas() []ledger.Delta {
	var all []ledger.Delta
	for range d.list(3) {
		head := d.byte()
		k := d.book()
		v := ledger.Delta{Workspace: k.Workspace, Source: k.Source, Destination: k.Destination, Account: ledger.Account(head >> 1)}
		if v.Account < ledger.Accepted || v.Account > ledger.Dead {
			d.fail()
		}
		if head&1 != 0 {
			v.Code = d.text()
		}
		v.N = d.int()
		all = append(all, v)
	}
	return all
}

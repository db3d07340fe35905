package record

import (
	"encoding/binary"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/frames"
	"weir/dataplane/ledger"
	"weir/shared/fault"
	"weir/shared/id"
)

// A journal record is
//
//	0     version, 4
//	1-4   CRC-32C, little endian, of the version and of all after byte 4
//	5-    epoch, counter, base, floor, parked, dead
//	      dictionary: texts, each with its length; entries of the ledger, each as three texts
//	      openings, live settlements, moved settlements, drains, deltas, part, fans
//
// with all numbers as varints and each list behind its length. Entries and texts
// are named by their number in the dictionary, so that a settlement costs a
// bit or two, and an event hardly more than its dedupe key. Older versions are
// read too: no load refuses anything in version 3, nothing leaves QUARANTINE in
// version 2, and version 1 has no fans.
var format = frames.Format{
	Name: "journal", Oldest: 1, Newest: 4, Sum: 1, Order: binary.LittleEndian, Head: 5, Unknown: fault.Unavailable,
}

const (
	checkpointVersion = 1
	maxText           = 256 // bytes of an identifier or a code
)

// encoder collects a body and the dictionary that it refers to.
type encoder struct {
	body    []byte
	texts   map[string]uint64
	list    []string
	entries map[ledger.Key]uint64
	keys    []ledger.Key
}

func newEncoder() *encoder {
	return &encoder{texts: map[string]uint64{}, entries: map[ledger.Key]uint64{}}
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

func (e *encoder) entry(k ledger.Key) {
	n, ok := e.entries[k]
	if !ok {
		n = uint64(len(e.keys))
		e.entries[k] = n
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

// Encode returns the bytes of r.
func (r *Record) Encode() []byte {
	e := newEncoder()
	e.uint(uint64(len(r.Openings)))
	for i := range r.Openings {
		e.opening(&r.Openings[i])
	}
	e.liveSets(r.Live)
	e.uint(uint64(len(r.Moved)))
	for i := range r.Moved {
		m := &r.Moved[i]
		e.byte(byte(m.Stage)<<4 | byte(m.End))
		e.entry(m.Entry)
		if HasCode(m.End) {
			e.text(m.Code)
		}
		e.places(m.From)
	}
	e.uint(uint64(len(r.Drains)))
	for _, d := range r.Drains {
		e.text(string(d.Destination))
		e.uint(d.Floor)
	}
	e.deltas(r.Deltas)
	e.uint(uint64(r.Part.Of))
	if r.Part.Of > 0 {
		e.uint(uint64(r.Part.Index))
		e.bytes(r.Part.Data)
	}
	e.fans(r.Fans)
	out := make([]byte, format.Head, format.Head+64+len(e.body)+64*len(e.list))
	for _, n := range [...]uint64{
		r.Epoch, r.Counter, r.Base, r.Floor, r.Parked, r.Dead,
	} {
		out = binary.AppendUvarint(out, n)
	}
	out = e.appendTo(out)
	format.Seal(out)
	return out
}

func (e *encoder) opening(o *Opening) {
	e.uint(o.Frame)
	e.body = binary.AppendVarint(e.body, o.At.UnixMilli())
	e.uint(uint64(o.Count)<<1 | uint64(flag(o.Bad)))
	e.set(o.Keyed)
	for i := range o.DedupeKeys {
		e.body = append(e.body, o.DedupeKeys[i][:]...)
	}
	e.uint(uint64(len(o.Ends)))
	for _, s := range o.Ends {
		coded := s.Account == ledger.Dropped || s.Account == ledger.Quarantined
		e.byte(byte(s.Account) | flag(s.Replayed)<<7)
		e.entry(s.Entry)
		if coded {
			e.text(s.Code)
		}
		e.set(s.Set)
	}
	e.routed(o.Routed)
}

func (e *encoder) routed(all []RoutedSet) {
	e.uint(uint64(len(all)))
	for _, s := range all {
		e.byte(flag(s.Output > 0))
		e.entry(s.Entry)
		if s.Output > 0 {
			e.uint(uint64(s.Output))
		}
		e.set(s.Set)
	}
}

func (e *encoder) fans(all []Fan) {
	e.uint(uint64(len(all)))
	for i := range all {
		f := &all[i]
		e.uint(f.Frame)
		e.entry(f.Entry)
		e.set(f.Of)
		e.uint(uint64(len(f.Outs)))
		for _, s := range f.Outs {
			e.set(s)
		}
	}
}

func (e *encoder) liveSets(all []LiveSet) {
	e.uint(uint64(len(all)))
	for i := range all {
		l := &all[i]
		e.byte(byte(l.Kind)<<5 | flag(l.Output > 0)<<4 | byte(l.End))
		e.uint(l.Frame)
		e.entry(l.Entry)
		if l.Output > 0 {
			e.uint(uint64(l.Output))
		}
		if HasCode(l.End) {
			e.text(l.Code)
		}
		e.set(l.Set)
	}
}

func (e *encoder) deltas(all []ledger.Delta) {
	e.uint(uint64(len(all)))
	for _, d := range all {
		e.byte(byte(d.Account)<<1 | flag(d.Code != ""))
		e.entry(d.Key())
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

// Decode reads what Encode wrote. Memory is bounded by a small multiple
// of data, whatever data says; keys and parts share memory with nothing.
//
// fault.Invalid: data is damaged. fault.Unavailable: data is of a version that
// this program does not know.
func Decode(data []byte) (Record, error) {
	if err := format.Check(data); err != nil {
		return Record{}, err
	}
	return decodeBody(data[0], data[format.Head:])
}

// decodeBody reads everything behind the checksum.
func decodeBody(version byte, data []byte) (Record, error) {
	d := &decoder{Cursor: frames.NewCursor(data)}
	r := Record{Epoch: d.Uint(), Counter: d.Uint(), Base: d.Uint(), Floor: d.Uint(), Parked: d.Uint(), Dead: d.Uint()}
	d.dictionary()
	for range d.Count(6) {
		r.Openings = append(r.Openings, d.opening())
	}
	r.Live = d.liveSets()
	for range d.Count(3) {
		head := d.Byte()
		m := MovedSet{Stage: delivery.Stage(head >> 4), End: delivery.End(head & 15), Entry: d.entry()}
		if m.Stage == delivery.Live || m.Stage > delivery.FromQuarantine || m.Stage != StageSkip && !validEnd(m.End) {
			d.Fail()
		}
		if HasCode(m.End) {
			m.Code = d.text()
		}
		m.From = d.places()
		r.Moved = append(r.Moved, m)
	}
	for range d.Count(2) {
		r.Drains = append(r.Drains, Drain{id.Destination(d.text()), d.Uint()})
	}
	r.Deltas = d.deltas()
	if r.Part.Of = d.Uint32(); r.Part.Of > 0 {
		r.Part.Index = d.Uint32()
		r.Part.Data = append([]byte{}, d.Take(d.Uint())...)
		if r.Part.Index >= r.Part.Of {
			d.Fail()
		}
	}
	if version > 1 {
		for range d.Count(4) {
			r.Fans = append(r.Fans, d.fan())
		}
	}
	return r, d.end()
}

func validEnd(e delivery.End) bool { return e >= delivery.EndDelivered && e <= delivery.EndQuarantined }

// decoder takes apart a body and the dictionary that it refers to.
type decoder struct {
	frames.Cursor
	texts   []string
	entries []ledger.Key
}

// end tells whether everything was right and nothing is left.
func (d *decoder) end() error {
	if !d.Done() {
		return format.Damaged("its content does not fit its form")
	}
	return nil
}

func (d *decoder) dictionary() {
	for range d.Count(1) {
		n := d.Uint()
		if n > maxText {
			d.Fail()
		}
		d.texts = append(d.texts, string(d.Take(n)))
	}
	for range d.Count(3) {
		d.entries = append(d.entries, ledger.Key{
			Workspace: id.Workspace(d.text()), Source: id.Source(d.text()), Destination: id.Destination(d.text()),
		})
	}
}

func (d *decoder) text() string {
	n := d.Uint()
	if n >= uint64(len(d.texts)) {
		d.Fail()
		return ""
	}
	return d.texts[n]
}

func (d *decoder) entry() ledger.Key {
	n := d.Uint()
	if n >= uint64(len(d.entries)) {
		d.Fail()
		return ledger.Key{}
	}
	return d.entries[n]
}

func (d *decoder) places() []delivery.Place {
	n := d.Count(2)
	all := make([]delivery.Place, 0, n)
	var last uint64
	for range n {
		last += uint64(d.Int())
		all = append(all, delivery.Place{Seq: last, Item: d.Uint32()})
	}
	return all
}

func (d *decoder) opening() Opening {
	o := Opening{Frame: d.Uint(), At: time.UnixMilli(d.Int()).UTC()}
	n := d.Uint()
	if n>>1 > MaxIndex+1 {
		d.Fail()
		return o
	}
	o.Count, o.Bad = uint32(n>>1), n&1 == 1
	o.Keyed = d.set(o.Count)
	raw := d.Take(uint64(o.Keyed.Len()) * uint64(len(dedupe.Key{})))
	for len(raw) > 0 {
		o.DedupeKeys = append(o.DedupeKeys, dedupe.Key(raw))
		raw = raw[len(dedupe.Key{}):]
	}
	var ended int64
	for range d.Count(3) {
		head := d.Byte()
		s := EndSet{Account: ledger.Account(head & 0x7f), Replayed: head&0x80 != 0, Entry: d.entry()}
		if s.Account < ledger.Accepted || s.Account > ledger.Dead {
			d.Fail()
		}
		if s.Account == ledger.Dropped || s.Account == ledger.Quarantined {
			s.Code = d.text()
		}
		s.Set = d.set(o.Count)
		ended += s.Set.Len()
		o.Ends = append(o.Ends, s)
	}
	if ended != int64(o.Count) {
		d.Fail()
	}
	o.Routed = d.routed(o.Count)
	return o
}

func (d *decoder) routed(count uint32) []RoutedSet {
	var all []RoutedSet
	for range d.Count(3) {
		var s RoutedSet
		more := d.Byte()
		s.Entry = d.entry()
		if more != 0 {
			s.Output = d.Uint32()
		}
		s.Set = d.set(count)
		all = append(all, s)
	}
	return all
}

func (d *decoder) fan() Fan {
	f := Fan{Frame: d.Uint(), Entry: d.entry(), Of: d.set(MaxIndex + 1)}
	n := d.Count(1)
	if n < 2 {
		d.Fail()
	}
	for range n {
		f.Outs = append(f.Outs, d.set(MaxIndex+1))
	}
	return f
}

func (d *decoder) liveSets() []LiveSet {
	var all []LiveSet
	for range d.Count(4) {
		head := d.Byte()
		l := LiveSet{Kind: Kind(head >> 5), End: delivery.End(head & 15), Frame: d.Uint(), Entry: d.entry()}
		if l.Kind > KindCopy || !validEnd(l.End) {
			d.Fail()
		}
		if head&16 != 0 {
			l.Output = d.Uint32()
		}
		if HasCode(l.End) {
			l.Code = d.text()
		}
		l.Set = d.set(MaxIndex + 1)
		all = append(all, l)
	}
	return all
}

func (d *decoder) deltas() []ledger.Delta {
	var all []ledger.Delta
	for range d.Count(3) {
		head := d.Byte()
		k := d.entry()
		v := ledger.Delta{Workspace: k.Workspace, Source: k.Source, Destination: k.Destination, Account: ledger.Account(head >> 1)}
		if v.Account < ledger.Accepted || v.Account > ledger.Dead {
			d.Fail()
		}
		if head&1 != 0 {
			v.Code = d.text()
		}
		v.N = d.Int()
		all = append(all, v)
	}
	return all
}

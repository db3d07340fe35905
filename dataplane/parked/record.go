package parked

import (
	"encoding/binary"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/frames"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// Sizes of records, in bytes.
const (
	recordBytes = 512 << 10 // where a record is closed; a larger delivery makes one of its own
	maxRecord   = 16 << 20  // what a reader is ready to unpack
)

// format is that of records. Items of version 1 do not say what they were before
// transformations.
var format = frames.Format{Name: "record", Oldest: 1, Newest: 2, Sum: 2, Order: binary.BigEndian, Head: 15, Unknown: fault.Invalid}

// markAt is where a record's mark stands, behind version, flags and checksum.
const markAt = 6

// Flags of an item.
const (
	itemGenerated = 1
	itemOriginal  = 2 // the JSON before transformations follows
)

// recordKind is what a record holds.
type recordKind uint8

const (
	kindParked  recordKind = iota + 1 // deliveries, in PARKED
	kindDead                          // deliveries, in DEAD
	kindGone                          // DEAD only: places that left DEAD
	kindDamaged                       // DEAD only: a PARKED record that could not be read, as it was
)

const packed = 1 // flag: the content is packed with s2

// mark identifies a record beyond its number: which owner wrote it, as its how-manieth.
type mark struct{ instance, counter uint64 }

// Record is one record of PARKED or DEAD.
type Record struct {
	Seq   uint64
	At    time.Time // when it was written
	Items []Item
}

// record is a Record and what nobody else sees of it.
type record struct {
	Record
	kind      recordKind
	mark      mark
	discarded bool   // kindGone: no redrive, so each item is a settlement
	damaged   []byte // kindDamaged
}

// bodies are what records are put together in. Those of oversized deliveries are
// not kept.
var bodies = frames.Buffers{Most: 2 * recordBytes}

// encode writes r: version, flags, checksum, mark, content.
func (r *record) encode() []byte {
	scratch := bodies.Get()
	body := append(*scratch, byte(r.kind), flag(r.discarded))
	body = binary.AppendUvarint(body, uint64(len(r.Items)))
	for i := range r.Items {
		body = r.Items[i].append(body)
	}
	body = append(body, r.damaged...)
	var head [markAt + 8 + binary.MaxVarintLen64]byte
	out := head[:markAt]
	out = binary.BigEndian.AppendUint64(out, r.mark.instance)
	out = binary.AppendUvarint(out, r.mark.counter)
	if len(body) >= 1<<10 {
		var small bool
		if out, small = frames.Pack(out, body); small {
			out[1] = packed
		}
	} else {
		out = append(out, body...)
	}
	format.Seal(out)
	bodies.Put(scratch, body)
	return out
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (it *Item) append(b []byte) []byte {
	e := &it.Delivery.Event
	flags := flag(e.Generated) * itemGenerated
	if it.Delivery.Original != nil {
		flags |= itemOriginal
	}
	b = append(b, byte(it.Stage), flags)
	for _, n := range [...]uint64{it.Delivery.Frame, uint64(it.Delivery.Index), uint64(it.Delivery.Output), it.From.Seq, uint64(it.From.Item), it.Delivery.Revision, uint64(it.Status)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, e.ReceivedAt.UnixMilli())
	for _, s := range [...]string{string(e.Workspace), string(e.Source), string(e.MessageID), e.Type, e.User, e.Quarantine, it.Code, it.Detail} {
		b = frames.AppendBytes(b, s)
	}
	b = frames.AppendBytes(b, e.JSON)
	if it.Delivery.Original != nil {
		b = frames.AppendBytes(b, it.Delivery.Original)
	}
	return b
}

// decodeMark reads only who wrote a record.
func decodeMark(data []byte) (mark, []byte, error) {
	if err := format.Check(data); err != nil {
		return mark{}, nil, err
	}
	counter, n := binary.Uvarint(data[markAt+8:])
	if n <= 0 {
		return mark{}, nil, format.Damaged("its counter is unreadable")
	}
	return mark{binary.BigEndian.Uint64(data[markAt:]), counter}, data[markAt+8+n:], nil
}

// decode reads a record of a log. Events may share memory with its data.
// fault.Invalid: it is damaged or of a newer format.
func decode(rec queue.Record) (record, error) {
	data := rec.Data
	m, body, err := decodeMark(data)
	if err != nil {
		return record{}, err
	}
	if data[1]&packed != 0 {
		if body, err = format.Unpack(body, maxRecord); err != nil {
			return record{}, err
		}
	}
	c := frames.NewCursor(body)
	r := record{Record: Record{Seq: rec.Seq, At: rec.At}, mark: m, kind: recordKind(c.Byte()), discarded: c.Byte() == 1}
	count := c.Count(1)
	if r.kind < kindParked || r.kind > kindDamaged || c.Failed() {
		return record{}, format.Damaged("its head is unreadable")
	}
	r.Items = make([]Item, 0, min(count, 4096))
	for range count {
		it := readItem(&c)
		it.Delivery.Destination, it.old = id.Destination(rec.Key), data[0] < format.Newest
		r.Items = append(r.Items, it)
	}
	if r.kind == kindDamaged {
		r.damaged = c.Rest()
	}
	if !c.Done() {
		return record{}, format.Damaged("its content does not fit its size")
	}
	return r, nil
}

// readItem takes what Item.append wrote off c, which fails when it cannot be.
func readItem(c *frames.Cursor) Item {
	var it Item
	it.Stage = delivery.Stage(c.Byte())
	flags := c.Byte()
	it.Delivery.Event.Generated = flags&itemGenerated != 0
	it.Delivery.Ref = delivery.Ref{Frame: c.Uint(), Index: c.Uint32(), Output: c.Uint32()}
	it.From = delivery.Place{Seq: c.Uint(), Item: c.Uint32()}
	it.Delivery.Revision = c.Uint()
	it.Status = int(c.Uint32())
	if it.Stage < delivery.Live || it.Stage > delivery.FromDead {
		c.Fail()
	}
	e := &it.Delivery.Event
	e.ReceivedAt = time.UnixMilli(c.Int()).UTC()
	e.Workspace, e.Source, e.MessageID = id.Workspace(c.Text()), id.Source(c.Text()), id.Event(c.Text())
	e.Type, e.User, e.Quarantine = c.Text(), c.Text(), c.Text()
	it.Code, it.Detail = c.Text(), c.Text()
	e.JSON = c.Bytes()
	if flags&itemOriginal != 0 {
		it.Delivery.Original = c.Bytes()
	}
	return it
}

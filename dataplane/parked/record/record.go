// Package record is the form of the records of PARKED and DEAD: deliveries, what left
// DEAD, and what could not be read. Every record says which format it has, who wrote
// it, and has a checksum; those of former versions are read.
package record

import (
	"encoding/binary"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/frames"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// Sizes of records, in bytes.
const (
	Bytes     = 512 << 10 // where a record is closed; a larger delivery makes one of its own
	maxRecord = 16 << 20  // what a reader is ready to unpack
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

// Kind is what a record holds.
type Kind uint8

// The kinds.
const (
	Parked  Kind = iota + 1 // deliveries, in PARKED
	Dead                    // deliveries, in DEAD
	Gone                    // DEAD only: places that left DEAD
	Damaged                 // DEAD only: a PARKED record that could not be read, as it was
)

const packed = 1 // flag: the content is packed with s2

// Mark identifies a record beyond its number: which owner wrote it, as its how-manieth.
type Mark struct{ Instance, Counter uint64 }

// Record is one record of PARKED or DEAD.
type Record struct {
	Seq     uint64
	At      time.Time // when it was written
	Items   []Item
	Kind    Kind
	Mark    Mark
	Settles bool   // of Gone: no redrive, so each item is a settlement
	Damaged []byte // of Damaged
}

// Item is one delivery in a record.
type Item struct {
	Delivery delivery.Delivery // read from a log, its Read is zero
	Stage    delivery.Stage    // where it was before: in PARKED Live or FromDead, in DEAD Live or FromParked
	From     delivery.Place    // of Stage FromParked and FromDead
	Code     string            // why it is there; empty in PARKED when nothing failed, and in that of older versions
	Status   int               // of the answer, 0 when there was none
	Detail   string            // local to the plane, may hold a vendor's text

	old bool // of format 1: whether the event was rewritten is not known
}

// Left is what remains of an item that left DEAD from a place: no event.
func (it *Item) Left(from delivery.Place) Item {
	e := &it.Delivery.Event
	g := Item{Stage: delivery.FromDead, From: from}
	g.Delivery.Ref, g.Delivery.Destination = it.Delivery.Ref, it.Delivery.Destination
	g.Delivery.Event.Workspace, g.Delivery.Event.Source = e.Workspace, e.Source
	return g
}

// Settled is what an item in a record at to proves.
func (it *Item) Settled(end delivery.End, to delivery.Place) delivery.Settled {
	code := it.Code
	if end == delivery.EndParked {
		code = ""
	}
	s := it.Delivery.Settlement(it.Stage, it.From, end, code)
	s.To = to
	return s
}

// Original is the event as it was before transformations, to be sent again;
// false: it is not known.
func (it *Item) Original() (event.Event, bool) {
	e := it.Delivery.Event
	if it.old {
		return e, false
	}
	if it.Delivery.Original != nil {
		var parser event.Parser
		parser.Begin(event.Stamp{ReceivedAt: e.ReceivedAt}, nil, len(it.Delivery.Original), 1)
		parsed, code := parser.Event(it.Delivery.Original)
		if code != "" {
			return e, false
		}
		parsed.Workspace, parsed.Source = e.Workspace, e.Source
		e = parsed
	}
	e.Destination, e.Replayed = it.Delivery.Destination, true
	return e, true
}

// bodies are what records are put together in. Those of oversized deliveries are
// not kept.
var bodies = frames.Buffers{Most: 2 * Bytes}

// Encode writes r: version, flags, checksum, mark, content.
func (r *Record) Encode() []byte {
	scratch := bodies.Get()
	body := append(*scratch, byte(r.Kind), flag(r.Settles))
	body = binary.AppendUvarint(body, uint64(len(r.Items)))
	for i := range r.Items {
		body = r.Items[i].append(body)
	}
	body = append(body, r.Damaged...)
	var head [markAt + 8 + binary.MaxVarintLen64]byte
	out := head[:markAt]
	out = binary.BigEndian.AppendUint64(out, r.Mark.Instance)
	out = binary.AppendUvarint(out, r.Mark.Counter)
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

// DecodeMark reads only who wrote a record.
func DecodeMark(data []byte) (Mark, []byte, error) {
	if err := format.Check(data); err != nil {
		return Mark{}, nil, err
	}
	counter, n := binary.Uvarint(data[markAt+8:])
	if n <= 0 {
		return Mark{}, nil, format.Damaged("its counter is unreadable")
	}
	return Mark{binary.BigEndian.Uint64(data[markAt:]), counter}, data[markAt+8+n:], nil
}

// Decode reads a record of a log. Events may share memory with its data.
// fault.Invalid: it is damaged or of a newer format.
func Decode(rec queue.Record) (Record, error) {
	data := rec.Data
	m, body, err := DecodeMark(data)
	if err != nil {
		return Record{}, err
	}
	if data[1]&packed != 0 {
		if body, err = format.Unpack(body, maxRecord); err != nil {
			return Record{}, err
		}
	}
	c := frames.NewCursor(body)
	r := Record{Seq: rec.Seq, At: rec.At, Mark: m, Kind: Kind(c.Byte()), Settles: c.Byte() == 1}
	count := c.Count(1)
	if r.Kind < Parked || r.Kind > Damaged || c.Failed() {
		return Record{}, format.Damaged("its head is unreadable")
	}
	r.Items = make([]Item, 0, min(count, 4096))
	for range count {
		it := readItem(&c)
		it.Delivery.Destination, it.old = id.Destination(rec.Key), data[0] < format.Newest
		r.Items = append(r.Items, it)
	}
	if r.Kind == Damaged {
		r.Damaged = c.Rest()
	}
	if !c.Done() {
		return Record{}, format.Damaged("its content does not fit its size")
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

package parked

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"

	"weir/dataplane/delivery"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// Sizes of records, in bytes.
const (
	recordBytes = 512 << 10 // where a record is closed; a larger delivery makes one of its own
	maxRecord   = 16 << 20  // what a reader is ready to unpack
)

// recordVersion is the format of records. Readers refuse a newer one. Items of
// format 1 do not say what they were before transformations.
const recordVersion = 2

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

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of a record without the four bytes where it stands.
func checksum(data []byte) uint32 {
	return crc32.Update(crc32.Checksum(data[:2], castagnoli), castagnoli, data[6:])
}

// bodies are what records are put together in. Those of oversized deliveries are
// not kept.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

const keptBody = 2 * recordBytes

// encode writes r: version, flags, checksum, mark, content.
func (r *record) encode() []byte {
	scratch := bodies.Get().(*[]byte)
	body := append((*scratch)[:0], byte(r.kind), flag(r.discarded))
	body = binary.AppendUvarint(body, uint64(len(r.Items)))
	for i := range r.Items {
		body = r.Items[i].append(body)
	}
	body = append(body, r.damaged...)
	var head [6 + 8 + binary.MaxVarintLen64]byte
	out := append(head[:0], recordVersion, 0, 0, 0, 0, 0)
	out = binary.BigEndian.AppendUint64(out, r.mark.instance)
	out = binary.AppendUvarint(out, r.mark.counter)
	if len(body) >= 1<<10 {
		out[1] = packed
		out = pack(out, body)
	} else {
		out = append(out, body...)
	}
	binary.BigEndian.PutUint32(out[2:], checksum(out))
	if cap(body) <= keptBody {
		*scratch = body
		bodies.Put(scratch)
	}
	return out
}

// pack returns head followed by body packed, in memory of its own.
func pack(head, body []byte) []byte {
	scratch := bodies.Get().(*[]byte)
	space := slices.Grow((*scratch)[:0], s2.MaxEncodedLen(len(body)))
	small := s2.Encode(space[:cap(space)], body)
	out := append(append(make([]byte, 0, len(head)+len(small)), head...), small...)
	if cap(space) <= keptBody {
		*scratch = space
		bodies.Put(scratch)
	}
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
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, uint64(len(e.JSON)))
	b = append(b, e.JSON...)
	if it.Delivery.Original != nil {
		b = binary.AppendUvarint(b, uint64(len(it.Delivery.Original)))
		b = append(b, it.Delivery.Original...)
	}
	return b
}

// decodeMark reads only who wrote a record.
func decodeMark(data []byte) (mark, []byte, error) {
	if len(data) < 15 || data[0] == 0 {
		return mark{}, nil, damaged("it is too short")
	}
	if data[0] > recordVersion {
		return mark{}, nil, fault.New(fault.Invalid, "The record has format %d; this version reads up to %d.", data[0], recordVersion)
	}
	if checksum(data) != binary.BigEndian.Uint32(data[2:6]) {
		return mark{}, nil, damaged("its checksum is wrong")
	}
	counter, n := binary.Uvarint(data[14:])
	if n <= 0 {
		return mark{}, nil, damaged("its counter is unreadable")
	}
	return mark{binary.BigEndian.Uint64(data[6:]), counter}, data[14+n:], nil
}

func damaged(why string) error { return fault.New(fault.Invalid, "The record is damaged: %s.", why) }

// decode reads a record of a log. Events may share memory with its data.
// fault.Invalid: it is damaged or of a newer format.
func decode(rec queue.Record) (record, error) {
	data := rec.Data
	m, body, err := decodeMark(data)
	if err != nil {
		return record{}, err
	}
	if data[1]&packed != 0 {
		n, err := s2.DecodedLen(body)
		if err != nil || n > maxRecord {
			return record{}, damaged("its size is unreadable")
		}
		if body, err = s2.Decode(nil, body); err != nil {
			return record{}, damaged("it cannot be unpacked")
		}
	}
	c := cutter{left: body}
	r := record{Record: Record{Seq: rec.Seq, At: rec.At}, mark: m, kind: recordKind(c.byte()), discarded: c.byte() == 1}
	count := c.uint()
	if r.kind < kindParked || r.kind > kindDamaged || count > uint64(len(c.left)) {
		return record{}, damaged("its head is unreadable")
	}
	r.Items = make([]Item, 0, min(count, 4096))
	for range count {
		it := c.item()
		it.Delivery.Destination, it.old = id.Destination(rec.Key), data[0] < recordVersion
		r.Items = append(r.Items, it)
	}
	if r.kind == kindDamaged {
		r.damaged, c.left = c.left, nil
	}
	if c.bad || len(c.left) > 0 {
		return record{}, damaged("its content does not fit its size")
	}
	return r, nil
}

// cutter takes values off the front of bytes and remembers that one was missing.
type cutter struct {
	left []byte
	bad  bool
}

func (c *cutter) byte() byte {
	if len(c.left) == 0 {
		c.bad = true
		return 0
	}
	b := c.left[0]
	c.left = c.left[1:]
	return b
}

func (c *cutter) uint() uint64 {
	v, n := binary.Uvarint(c.left)
	if n <= 0 {
		c.bad, c.left = true, nil
		return 0
	}
	c.left = c.left[n:]
	return v
}

func (c *cutter) uint32() uint32 {
	v := c.uint()
	if v > 1<<32-1 {
		c.bad = true
	}
	return uint32(v)
}

func (c *cutter) bytes() []byte {
	n := c.uint()
	if n > uint64(len(c.left)) {
		c.bad, c.left = true, nil
		return nil
	}
	b := c.left[:n:n]
	c.left = c.left[n:]
	return b
}

func (c *cutter) item() Item {
	var it Item
	it.Stage = delivery.Stage(c.byte())
	flags := c.byte()
	it.Delivery.Event.Generated = flags&itemGenerated != 0
	it.Delivery.Ref = delivery.Ref{Frame: c.uint(), Index: c.uint32(), Output: c.uint32()}
	it.From = delivery.Place{Seq: c.uint(), Item: c.uint32()}
	it.Delivery.Revision = c.uint()
	it.Status = int(c.uint32())
	at, n := binary.Varint(c.left)
	if n <= 0 || it.Stage < delivery.Live || it.Stage > delivery.FromDead {
		c.bad, c.left = true, nil
		return it
	}
	c.left = c.left[n:]
	e := &it.Delivery.Event
	e.ReceivedAt = time.UnixMilli(at).UTC()
	e.Workspace, e.Source, e.MessageID = id.Workspace(c.bytes()), id.Source(c.bytes()), id.Event(c.bytes())
	e.Type, e.User, e.Quarantine = string(c.bytes()), string(c.bytes()), string(c.bytes())
	it.Code, it.Detail = string(c.bytes()), string(c.bytes())
	e.JSON = c.bytes()
	if flags&itemOriginal != 0 {
		it.Delivery.Original = c.bytes()
	}
	return it
}

package deliver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
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

// item is one delivery in a record, or one place that left DEAD.
type item struct {
	d      delivery.Delivery // its Destination is the record's key, its Read is zero
	stage  delivery.Stage    // where it was before: Live, FromParked (in DEAD) or FromDead (in PARKED)
	from   delivery.Place
	code   string // DEAD only
	status int
	detail string
	old    bool // of format 1
}

// record is the content of one PARKED or DEAD record.
type record struct {
	kind      recordKind
	mark      mark
	discarded bool // kindGone: dropped by hand, so each item is a settlement
	items     []item
	damaged   []byte
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
	body = binary.AppendUvarint(body, uint64(len(r.items)))
	for i := range r.items {
		body = r.items[i].append(body)
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

func (it *item) append(b []byte) []byte {
	e := &it.d.Event
	flags := flag(e.Generated) * itemGenerated
	if it.d.Original != nil {
		flags |= itemOriginal
	}
	b = append(b, byte(it.stage), flags)
	for _, n := range [...]uint64{it.d.Frame, uint64(it.d.Index), uint64(it.d.Output), it.from.Seq, uint64(it.from.Item), it.d.Revision, uint64(it.status)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendVarint(b, e.ReceivedAt.UnixMilli())
	for _, s := range [...]string{string(e.Workspace), string(e.Source), string(e.MessageID), e.Type, e.User, e.Quarantine, it.code, it.detail} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, uint64(len(e.JSON)))
	b = append(b, e.JSON...)
	if it.d.Original != nil {
		b = binary.AppendUvarint(b, uint64(len(it.d.Original)))
		b = append(b, it.d.Original...)
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

// decode reads a record. Events may share memory with data. fault.Invalid: it
// is damaged or of a newer format.
func decode(key id.Destination, data []byte) (record, error) {
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
	r := record{mark: m, kind: recordKind(c.byte()), discarded: c.byte() == 1}
	count := c.uint()
	if r.kind < kindParked || r.kind > kindDamaged || count > uint64(len(c.left)) {
		return record{}, damaged("its head is unreadable")
	}
	r.items = make([]item, 0, min(count, 4096))
	for range count {
		it := c.item()
		it.d.Destination, it.old = key, data[0] < recordVersion
		r.items = append(r.items, it)
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

func (c *cutter) item() item {
	var it item
	it.stage = delivery.Stage(c.byte())
	flags := c.byte()
	it.d.Event.Generated = flags&itemGenerated != 0
	it.d.Ref = delivery.Ref{Frame: c.uint(), Index: c.uint32(), Output: c.uint32()}
	it.from = delivery.Place{Seq: c.uint(), Item: c.uint32()}
	it.d.Revision = c.uint()
	it.status = int(c.uint32())
	at, n := binary.Varint(c.left)
	if n <= 0 || it.stage < delivery.Live || it.stage > delivery.FromDead {
		c.bad, c.left = true, nil
		return it
	}
	c.left = c.left[n:]
	e := &it.d.Event
	e.ReceivedAt = time.UnixMilli(at).UTC()
	e.Workspace, e.Source, e.MessageID = id.Workspace(c.bytes()), id.Source(c.bytes()), id.Event(c.bytes())
	e.Type, e.User, e.Quarantine = string(c.bytes()), string(c.bytes()), string(c.bytes())
	it.code, it.detail = string(c.bytes()), string(c.bytes())
	e.JSON = c.bytes()
	if flags&itemOriginal != 0 {
		it.d.Original = c.bytes()
	}
	return it
}

// settled is what an item in a record at to proves.
func (r *record) settled(it *item, end delivery.End, to delivery.Place) delivery.Settled {
	s := settlement(&it.d, it.stage, it.from, end, it.code)
	s.To = to
	if end == delivery.EndParked {
		s.Code = ""
	}
	return s
}

func settlement(d *delivery.Delivery, stage delivery.Stage, from delivery.Place, end delivery.End, code string) delivery.Settled {
	return delivery.Settled{
		Ref: d.Ref, Workspace: d.Event.Workspace, Source: d.Event.Source, Destination: d.Destination,
		Stage: stage, From: from, End: end, Code: code,
	}
}

// Scan calls fn for every settlement that the records of log with a number of
// at least from prove, in order: EndParked for PARKED; EndDead, and EndDropped
// with code discarded or retransformed, for DEAD. It ends with fn's error. Records that cannot be
// read prove nothing.
func Scan(ctx context.Context, log queue.Log, from uint64, fn func(delivery.Settled) error) error {
	for p, err := range proofs(ctx, log, from) {
		if err != nil {
			return err
		}
		for _, s := range p.settled {
			if err := fn(s); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// Missed is Scan of both logs behind what the journal had. What happened first
// comes first: a delivery is parked before it is dead, and dead before it is
// redriven.
func Missed(ctx context.Context, parked, dead queue.Log, parkedThrough, deadThrough uint64, fn func(delivery.Settled) error) error {
	nextParked, stopParked := iter.Pull2(proofs(ctx, parked, parkedThrough+1))
	defer stopParked()
	nextDead, stopDead := iter.Pull2(proofs(ctx, dead, deadThrough+1))
	defer stopDead()
	p, perr, pok := nextParked()
	d, derr, dok := nextDead()
	for pok || dok {
		if err := errors.Join(perr, derr); err != nil {
			return err
		}
		// A record of PARKED waits for those of DEAD from which it has something.
		now := p
		if dok && (!pok || p.after >= d.seq) {
			now = d
			d, derr, dok = nextDead()
		} else {
			p, perr, pok = nextParked()
		}
		for _, s := range now.settled {
			if err := fn(s); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// proof is what one record proves.
type proof struct {
	seq     uint64
	after   uint64 // the newest record of the other log that was there before
	settled []delivery.Settled
}

// proofs yields what the records of log prove, from number from on.
func proofs(ctx context.Context, log queue.Log, from uint64) iter.Seq2[proof, error] {
	return func(yield func(proof, error) bool) {
		for rec, err := range log.ReadTo(ctx, from, "") {
			if err != nil {
				yield(proof{}, fmt.Errorf("scan from %d: %w", from, err))
				return
			}
			r, err := decode(id.Destination(rec.Key), rec.Data)
			if err != nil || r.kind == kindDamaged || r.kind == kindGone && !r.discarded {
				continue
			}
			if !yield(r.proof(rec.Seq), nil) {
				return
			}
		}
	}
}

func (r *record) proof(seq uint64) proof {
	end, other := delivery.EndParked, delivery.FromDead
	switch r.kind {
	case kindDead:
		end, other = delivery.EndDead, delivery.FromParked
	case kindGone:
		end, other = delivery.EndDropped, delivery.FromParked
	}
	p := proof{seq: seq, settled: make([]delivery.Settled, len(r.items))}
	for i := range r.items {
		it := &r.items[i]
		p.settled[i] = r.settled(it, end, delivery.Place{Seq: seq, Item: uint32(i)})
		if it.stage == other {
			p.after = max(p.after, it.from.Seq)
		}
	}
	return p
}

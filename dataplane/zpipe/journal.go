package pipeline

import (
	"encoding/binary"
	"hash/crc32"
	"slices"

	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/ledger"
	"weir/shared/fault"
	"weir/shared/id"
)

// Entry is one record of a partition's journal: what was settled since the
// record before. Epoch and Counter tell whose it is and that none is missing.
//
// A record with Checkpoint needs no record before it: Deltas are the whole
// book, Openings (without keys) and Settled all that is known of open frames,
// Drains all destinations with parked deliveries.
type Entry struct {
	Epoch, Counter uint64
	Base           uint64 // the newest checkpoint before this record, 0 in a checkpoint
	Checkpoint     bool
	Floor          uint64 // frames up to here are settled and journaled
	Opened         uint64 // frames up to here have an opening
	Parked, Dead   uint64 // records of PARKED and DEAD up to here are booked
	Openings       []Opening
	Settled        []deliver.Settled
	Drains         []Drain
	Deltas         []ledger.Delta
}

// Opening is what was decided about a frame when it was first read.
type Opening struct {
	Frame  uint64
	At     int64 // milliseconds since 1970: the frame's time, for the dedupe window
	Events int
	Groups []Group
	Keys   []dedupe.Key // of the events that were first of their key, by index; none in a checkpoint
}

// Group is the events of one source in a frame. Sets are of indexes.
type Group struct {
	Workspace   id.Workspace
	Source      id.Source
	Of          Set // the source's events
	Duplicate   Set
	Quarantined Set
	Unrouted    Set
	Routes      []Route
}

// Route is the events of a group that go to one destination.
type Route struct {
	Destination id.Destination
	Set         Set
}

// Drain is how far PARKED is settled for a destination; see deliver.Drained.
type Drain struct {
	Destination id.Destination
	Floor       uint64
	Done        []deliver.Place
}

// Set is a set of indexes below a frame's number of events.
type Set []byte

// Add puts i into a set of n.
func (s *Set) Add(i, n int) {
	if *s == nil {
		*s = make(Set, (n+7)/8)
	}
	(*s)[i>>3] |= 1 << (i & 7)
}

// Has reports whether i is in the set.
func (s Set) Has(i int) bool { return i>>3 < len(s) && s[i>>3]&(1<<(i&7)) != 0 }

// Len returns how many indexes are in the set.
func (s Set) Len() int {
	n := 0
	for _, b := range s {
		for ; b != 0; b &= b - 1 {
			n++
		}
	}
	return n
}

const (
	journalVersion = 1
	maxFrameEvents = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// quarantinedAtDoor is the code under which the ledger books what the gateway
// marked; the exact reason stands in QUARANTINE.
const quarantinedAtDoor = "door"

// Recount computes a record's deltas from its openings and settlements alone.
// A record whose Deltas differ was changed or lost a part.
func (e *Entry) Recount() []ledger.Delta {
	var ds []ledger.Delta
	add := func(ws id.Workspace, src id.Source, dst id.Destination, a ledger.Account, code string, n int) {
		if n != 0 {
			ds = append(ds, ledger.Delta{Workspace: ws, Source: src, Destination: dst, Account: a, Code: code, N: int64(n)})
		}
	}
	for _, o := range e.Openings {
		for _, g := range o.Groups {
			dup, bad, none := g.Duplicate.Len(), g.Quarantined.Len(), g.Unrouted.Len()
			add(g.Workspace, g.Source, "", ledger.Accepted, "", g.Of.Len())
			add(g.Workspace, g.Source, "", ledger.Duplicate, "", dup)
			add(g.Workspace, g.Source, "", ledger.Quarantined, quarantinedAtDoor, bad)
			add(g.Workspace, g.Source, "", ledger.Unrouted, "", none)
			add(g.Workspace, g.Source, "", ledger.SourceRouted, "", g.Of.Len()-dup-bad-none)
			for _, r := range g.Routes {
				add(g.Workspace, g.Source, r.Destination, ledger.Routed, "", r.Set.Len())
			}
		}
	}
	for _, s := range e.Settled {
		switch s.Stage {
		case deliver.FromParked:
			add(s.Workspace, s.Source, s.Destination, ledger.Parked, "", -1)
		case deliver.FromDead:
			add(s.Workspace, s.Source, s.Destination, ledger.Dead, "", -1)
		}
		switch s.End {
		case deliver.EndDelivered:
			add(s.Workspace, s.Source, s.Destination, ledger.Delivered, "", 1)
		case deliver.EndDropped:
			add(s.Workspace, s.Source, s.Destination, ledger.Dropped, s.Code, 1)
		case deliver.EndParked:
			add(s.Workspace, s.Source, s.Destination, ledger.Parked, "", 1)
		case deliver.EndDead:
			add(s.Workspace, s.Source, s.Destination, ledger.Dead, "", 1)
		}
	}
	return ledger.Sum(ds)
}

// Encode returns the record's bytes: version, body, CRC-32C of both.
func (e *Entry) Encode() []byte {
	w := writer{b: []byte{journalVersion}, ids: map[string]uint64{}}
	flags := uint64(0)
	if e.Checkpoint {
		flags = 1
	}
	for _, v := range []uint64{e.Epoch, e.Counter, e.Base, flags, e.Floor, e.Opened, e.Parked, e.Dead, uint64(len(e.Openings))} {
		w.uint(v)
	}
	for _, o := range e.Openings {
		w.opening(o)
	}
	w.settled(e.Settled)
	w.uint(uint64(len(e.Drains)))
	for _, d := range e.Drains {
		w.text(string(d.Destination))
		w.uint(d.Floor)
		w.uint(uint64(len(d.Done)))
		for _, p := range d.Done {
			w.place(p)
		}
	}
	w.uint(uint64(len(e.Deltas)))
	for _, d := range e.Deltas {
		w.text(string(d.Workspace))
		w.text(string(d.Source))
		w.text(string(d.Destination))
		w.uint(uint64(d.Account))
		w.text(d.Code)
		w.b = binary.AppendVarint(w.b, d.N)
	}
	return binary.LittleEndian.AppendUint32(w.b, crc32.Checksum(w.b, castagnoli))
}

// writer appends values; a text that came before is written as its number.
type writer struct {
	b   []byte
	ids map[string]uint64
}

func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

func (w *writer) text(s string) {
	if n, ok := w.ids[s]; ok {
		w.uint(n)
		return
	}
	w.ids[s] = uint64(len(w.ids)) + 1
	w.uint(0)
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) place(p deliver.Place) {
	w.uint(p.Seq)
	w.uint(uint64(p.Item))
}

// set writes 0 for none, 1 for all of n, 2 and the bits otherwise.
func (w *writer) set(s Set, n int) {
	switch s.Len() {
	case 0:
		w.uint(0)
	case n:
		w.uint(1)
	default:
		w.uint(2)
		w.b = append(w.b, s...)
	}
}

func (w *writer) opening(o Opening) {
	w.uint(o.Frame)
	w.uint(uint64(max(o.At, 0)))
	w.uint(uint64(o.Events))
	w.uint(uint64(len(o.Groups)))
	for _, g := range o.Groups {
		w.text(string(g.Workspace))
		w.text(string(g.Source))
		for _, s := range []Set{g.Of, g.Duplicate, g.Quarantined, g.Unrouted} {
			w.set(s, o.Events)
		}
		w.uint(uint64(len(g.Routes)))
		for _, r := range g.Routes {
			w.text(string(r.Destination))
			w.set(r.Set, o.Events)
		}
	}
	w.uint(uint64(len(o.Keys)))
	for _, k := range o.Keys {
		w.b = append(w.b, k[:]...)
	}
}

// settled writes runs: neighbours in a frame that ended alike, live and with no
// place, cost a few bytes together. Order within an output is kept, because
// only such neighbours are joined.
func (w *writer) settled(all []deliver.Settled) {
	w.uint(uint64(len(all)))
	for i := 0; i < len(all); {
		s, run := all[i], 1
		for !placed(s) && i+run < len(all) && next(s, all[i+run], run) {
			run++
		}
		w.uint(uint64(run))
		w.text(string(s.Workspace))
		w.text(string(s.Source))
		w.text(string(s.Destination))
		w.uint(s.Frame)
		w.uint(uint64(s.Index))
		w.uint(uint64(s.Output))
		w.uint(uint64(s.Stage)<<4 | uint64(s.End))
		w.text(s.Code)
		if placed(s) {
			w.place(s.From)
			w.place(s.To)
		}
		i += run
	}
}

// placed reports whether a settlement names a place in PARKED or DEAD.
func placed(s deliver.Settled) bool {
	return s.Stage != deliver.Live || s.End == deliver.EndParked || s.End == deliver.EndDead
}

func next(s, o deliver.Settled, run int) bool {
	s.Index += uint32(run)
	return s == o
}

// Decode reads what Encode wrote. fault.Invalid: data is damaged or newer.
func Decode(data []byte) (Entry, error) {
	if len(data) < 5 || data[0] != journalVersion {
		return Entry{}, fault.New(fault.Invalid, "a journal record has an unknown version")
	}
	body := data[:len(data)-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(data[len(data)-4:]) {
		return Entry{}, fault.New(fault.Invalid, "a journal record is damaged")
	}
	r := reader{b: body[1:]}
	e := Entry{Epoch: r.uint(), Counter: r.uint(), Base: r.uint(), Checkpoint: r.uint() == 1, Floor: r.uint(), Opened: r.uint(), Parked: r.uint(), Dead: r.uint()}
	for range r.count(5) {
		e.Openings = append(e.Openings, r.opening())
	}
	e.Settled = r.settled()
	for range r.count(3) {
		d := Drain{Destination: id.Destination(r.text()), Floor: r.uint()}
		for range r.count(2) {
			d.Done = append(d.Done, r.place())
		}
		e.Drains = append(e.Drains, d)
	}
	for range r.count(6) {
		d := ledger.Delta{Workspace: id.Workspace(r.text()), Source: id.Source(r.text()), Destination: id.Destination(r.text()), Account: ledger.Account(r.uint()), Code: r.text(), N: r.int()}
		if d.Account < ledger.Accepted || d.Account > ledger.Dead {
			r.bad = true
		}
		e.Deltas = append(e.Deltas, d)
	}
	if r.bad || len(r.b) > 0 {
		return Entry{}, fault.New(fault.Invalid, "a journal record is damaged")
	}
	return e, nil
}

// reader takes values off b; after a mistake bad is set and all values are zero.
type reader struct {
	b     []byte
	bad   bool
	texts []string
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of things of at least size bytes each, so that a hostile
// number cannot ask for memory that the data does not pay for.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string {
	n := r.uint()
	if n > 0 {
		if n > uint64(len(r.texts)) {
			r.bad, r.b = true, nil
			return ""
		}
		return r.texts[n-1]
	}
	s := string(r.bytes(r.count(1)))
	r.texts = append(r.texts, s)
	return s
}

func (r *reader) place() deliver.Place {
	return deliver.Place{Seq: r.uint(), Item: uint32(r.uint())}
}

func (r *reader) set(n int) Set {
	switch r.uint() {
	case 0:
		return nil
	case 1:
		s := make(Set, (n+7)/8)
		for i := range s {
			s[i] = 0xff
		}
		if n&7 != 0 {
			s[len(s)-1] = 1<<(n&7) - 1
		}
		return s
	case 2:
		return slices.Clone(Set(r.bytes((n + 7) / 8)))
	}
	r.bad, r.b = true, nil
	return nil
}

func (r *reader) opening() Opening {
	o := Opening{Frame: r.uint(), At: int64(r.uint())}
	n := r.uint()
	if n > maxFrameEvents {
		r.bad, r.b = true, nil
		return o
	}
	o.Events = int(n)
	for range r.count(7) {
		g := Group{Workspace: id.Workspace(r.text()), Source: id.Source(r.text())}
		for _, s := range []*Set{&g.Of, &g.Duplicate, &g.Quarantined, &g.Unrouted} {
			*s = r.set(o.Events)
		}
		for range r.count(2) {
			g.Routes = append(g.Routes, Route{Destination: id.Destination(r.text()), Set: r.set(o.Events)})
		}
		o.Groups = append(o.Groups, g)
	}
	if keys := r.count(16); keys > 0 {
		o.Keys = make([]dedupe.Key, keys)
		for i := range o.Keys {
			copy(o.Keys[i][:], r.bytes(16))
		}
	}
	return o
}

func (r *reader) settled() []deliver.Settled {
	var all []deliver.Settled
	total := r.uint()
	if total > maxFrameEvents {
		r.bad, r.b = true, nil
	}
	for uint64(len(all)) < total && !r.bad {
		run := r.uint()
		s := deliver.Settled{Workspace: id.Workspace(r.text()), Source: id.Source(r.text()), Destination: id.Destination(r.text()),
			Ref: deliver.Ref{Frame: r.uint(), Index: uint32(r.uint()), Output: uint32(r.uint())}}
		ends := r.uint()
		s.Stage, s.End, s.Code = deliver.Stage(ends>>4), deliver.End(ends&15), r.text()
		if placed(s) {
			s.From, s.To = r.place(), r.place()
		}
		if run == 0 || run > total-uint64(len(all)) || !valid(s) {
			r.bad, r.b = true, nil
			return nil
		}
		for i := range run {
			o := s
			o.Index += uint32(i)
			all = append(all, o)
		}
	}
	return all
}

func valid(s deliver.Settled) bool {
	return s.Stage >= deliver.Live && s.Stage <= deliver.FromDead && s.End >= deliver.EndDelivered && s.End <= deliver.EndDead
}

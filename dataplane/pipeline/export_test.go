package pipeline

import (
	"math/rand/v2"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/shared/id"
)

// Recoded decodes a journal record and encodes it again.
func Recoded(data []byte) ([]byte, error) {
	r, err := decodeRecord(data)
	if err != nil {
		return nil, err
	}
	return r.encode(), nil
}

// DecodeUnchecked decodes what stands behind a checksum, and returns how many
// bytes of memory the result needs at least.
func DecodeUnchecked(data []byte) (memory int, err error) {
	r, err := decodeBody(recordVersion, data)
	for i := range r.openings {
		o := &r.openings[i]
		memory += 200 + 16*len(o.keys) + 8*cap(o.keyed)
		for _, e := range o.ends {
			memory += 100 + 8*cap(e.set)
		}
		for _, t := range o.routed {
			memory += 80 + 8*cap(t.set)
		}
	}
	for _, f := range r.fans {
		memory += 100 + 8*cap(f.of)
		for _, s := range f.outs {
			memory += 24 + 8*cap(s)
		}
	}
	for _, l := range r.live {
		memory += 120 + 8*cap(l.set)
	}
	for _, m := range r.moved {
		memory += 100 + 16*cap(m.from)
	}
	return memory + 40*len(r.drains) + 80*len(r.deltas) + len(r.part.data), err
}

// DecodeCheckpoint decodes a checkpoint.
func DecodeCheckpoint(data []byte) error { return newState().restore(data) }

// WithoutSettlement returns the record without one of its live settlements, the
// n-th; with balanced also without what it books. ok is false when it has none.
func WithoutSettlement(data []byte, n int, balanced bool) (changed []byte, ok bool) {
	r, err := decodeRecord(data)
	if err != nil || n >= len(r.live) || len(r.live[n].set) == 0 {
		return nil, false
	}
	l := &r.live[n]
	if l.set[0].First++; l.set[0].First > l.set[0].Last {
		l.set = l.set[1:]
	}
	if balanced {
		r.deltas = r.recount()
	}
	return r.encode(), true
}

// Kinds returns what a record has: openings, settlements, parts of a checkpoint.
func Kinds(data []byte) (openings, settlements, parts int) {
	r, err := decodeRecord(data)
	if err != nil {
		return 0, 0, 0
	}
	return len(r.openings), len(r.live) + len(r.moved), int(r.part.of)
}

// HealthyFrame returns the journal's record of a frame of n events that all went
// to one destination.
func HealthyFrame(n uint32) []byte {
	own := ledger.Key{Workspace: id.New[id.Workspace](), Source: id.New[id.Source]()}
	to := own
	to.Destination = id.New[id.Destination]()
	all := set{{0, n - 1}}
	r := record{
		epoch: 3, counter: 1_000_000, base: 900_000, floor: 5_000_000, parked: 70_000, dead: 400,
		openings: []opening{{
			frame: 5_000_001, at: time.UnixMilli(1_800_000_000_000).UTC(), count: n, keyed: all, keys: make([]dedupe.Key, n),
			ends: []endSet{{own, ledger.SourceRouted, "", false, all}}, routed: []routedSet{{to, 0, all}},
		}},
		live: []liveSet{{frame: 5_000_001, book: to, end: delivery.EndDelivered, set: all}},
	}
	r.deltas = r.recount()
	return r.encode()
}

// RandomRecord returns some record and its bytes.
func RandomRecord(seed uint64) (r any, data []byte, decode func([]byte) (any, error)) {
	rng := rand.New(rand.NewPCG(seed, 1))
	rec := randomRecord(rng)
	return rec, rec.encode(), func(b []byte) (any, error) {
		r, err := decodeRecord(b)
		return r, err
	}
}

func randomRecord(rng *rand.Rand) record {
	book := func(dest bool) ledger.Key {
		k := ledger.Key{Workspace: "ws_" + id.Workspace(rune('a'+rng.IntN(3))), Source: "src_" + id.Source(rune('a'+rng.IntN(3)))}
		if dest {
			k.Destination = "dst_" + id.Destination(rune('a'+rng.IntN(4)))
		}
		return k
	}
	some := func(count uint32, often float64) set {
		var s set
		for i := range count {
			if rng.Float64() < often {
				s.push(i)
			}
		}
		return s
	}
	r := record{
		epoch: rng.Uint64N(9), counter: rng.Uint64(), base: rng.Uint64N(1000), floor: rng.Uint64N(1000),
		parked: rng.Uint64N(100), dead: rng.Uint64N(100),
	}
	for range rng.IntN(3) {
		count := rng.Uint32N(700) + 1
		o := opening{frame: rng.Uint64N(1 << 40), at: time.UnixMilli(rng.Int64N(1 << 42)).UTC(), count: count, keyed: some(count, rng.Float64())}
		for range o.keyed.len() {
			var k dedupe.Key
			k[rng.IntN(16)] = byte(rng.Uint32())
			o.keys = append(o.keys, k)
		}
		var routed, dup set
		for i := range count {
			if rng.IntN(3) > 0 {
				routed.push(i)
			} else {
				dup.push(i)
			}
		}
		for _, e := range []endSet{{book(false), ledger.SourceRouted, "", rng.IntN(4) == 0, routed}, {book(false), ledger.Quarantined, "no_id", false, dup}} {
			if len(e.set) > 0 {
				o.ends = append(o.ends, e)
			}
		}
		for range rng.IntN(3) {
			o.routed = append(o.routed, routedSet{book(true), rng.Uint32N(2), some(count, 0.7)})
		}
		r.openings = append(r.openings, o)
	}
	for range rng.IntN(4) {
		l := liveSet{
			kind: liveKind(rng.IntN(3)), frame: rng.Uint64N(1 << 40), book: book(true), output: rng.Uint32N(2) * rng.Uint32N(70),
			end: delivery.End(1 + rng.IntN(5)), set: some(900, rng.Float64()*rng.Float64()),
		}
		if coded(l.end) {
			l.code = "destination_removed"
		}
		r.live = append(r.live, l)
	}
	for range rng.IntN(3) {
		m := movedSet{stage: delivery.FromParked, book: book(true), end: delivery.EndDelivered, from: []delivery.Place{}}
		for range rng.IntN(20) {
			m.from = append(m.from, delivery.Place{Seq: rng.Uint64N(1 << 50), Item: rng.Uint32N(300)})
		}
		r.moved = append(r.moved, m)
	}
	for range rng.IntN(3) {
		r.drains = append(r.drains, drain{"dst_a", rng.Uint64()})
	}
	for range rng.IntN(3) {
		r.fans = append(r.fans, fan{frame: rng.Uint64N(1 << 40), book: book(true), of: some(900, 0.3), outs: []set{some(900, 0.3), some(900, 0.1)}})
	}
	r.deltas = r.recount()
	if len(r.deltas) == 0 {
		r.deltas = nil
	}
	if rng.IntN(4) == 0 {
		r.part = part{index: 1, of: 3, data: []byte("part")}
	}
	return r
}

// Tail returns how many of the records a recovery reads.
func Tail(all []queue.Record) int {
	last, err := decodeRecord(all[len(all)-1].Data)
	if err != nil {
		return -1
	}
	n := 0
	for _, r := range all {
		if r.Seq >= last.base {
			n++
		}
	}
	return n
}

// Mistakes are those that tests can plant, by name.
func Mistakes() map[string]func(*Config) {
	all := map[string]func(*Config){}
	for m, name := range map[mistake]string{
		purgeOpenFrames: "purge open frames", dedupeWithoutFrame: "dedupe without the frame", forgetOpenings: "a checkpoint without what is open",
		lostAnswerIsYes: "a lost answer is a yes", writeOverSuccessor: "write over a successor", takeoverWithoutKeys: "a takeover without keys",
		skipMissed: "skip what was missed", resumeNothing: "resume nothing", forgetDrained: "forget what was drained",
		offerBeforeFan: "offer before the fan", bookQuarantineOnly: "book quarantined ones only", parkedIsDelivered: "parked is delivered",
		checkpointWithoutDone: "a checkpoint without what is done",
	} {
		all[name] = func(c *Config) { c.planted = m }
	}
	return all
}

package record_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/shared/fault"
	"weir/shared/id"
)

// encodedAgain decodes a record and encodes it.
func encodedAgain(data []byte) ([]byte, error) {
	r, err := record.Decode(data)
	if err != nil {
		return nil, err
	}
	return r.Encode(), nil
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		want := random(seed)
		data := want.Encode()
		got, err := record.Decode(data)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if seed < 10 { // comparing costs far more than the rest
			if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("seed %d (-written +read):\n%s", seed, d)
			}
		}
		again, err := encodedAgain(data)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("seed %d: encoding again gives other bytes (%v)", seed, err)
		}
	}
}

// TestTheFormOnDiskStays holds records and the checkpoints in them to their
// bytes: a journal of version 2 is read, and what is read is written the same,
// but for the version and the checksum before it.
func TestTheFormOnDiskStays(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	var checkpoint []byte
	var records, checkpoints int
	for line := range strings.Lines(string(file)) {
		number, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		want, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatalf("record %s: %v", number, err)
		}
		r, err := record.Decode(want)
		if err != nil || fmt.Sprint(r.Counter) != number {
			t.Fatalf("record %s is read as number %d, %v", number, r.Counter, err)
		}
		if got := r.Encode(); !bytes.Equal(got[5:], want[5:]) {
			t.Errorf("record %s is written as\n%x, want\n%x", number, got, want)
		}
		records++
		if r.Part.Of == 0 {
			continue
		}
		if checkpoint = append(checkpoint, r.Part.Data...); r.Part.Index+1 < r.Part.Of {
			continue
		}
		c, err := record.DecodeCheckpoint(checkpoint)
		if err != nil {
			t.Fatalf("the checkpoint that ends in record %s: %v", number, err)
		}
		if got := c.Encode(); !bytes.Equal(got, checkpoint) {
			t.Errorf("the checkpoint that ends in record %s is written as\n%x, want\n%x", number, got, checkpoint)
		}
		checkpoint = nil
		checkpoints++
	}
	if records < 100 || checkpoints < 5 {
		t.Errorf("%d records and %d checkpoints were read, want more", records, checkpoints)
	}
}

func TestAHealthyEventCostsHardlyMoreThanItsKey(t *testing.T) {
	t.Parallel()
	const n = 500
	if got := float64(len(healthy(n))) / n; got >= 17 {
		t.Errorf("%.2f bytes an event, want less than 17", got)
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	t.Parallel()
	data := healthy(20)
	for i := range data {
		broken := bytes.Clone(data)
		broken[i] ^= 0x41
		_, err := record.Decode(broken)
		if err == nil {
			t.Errorf("byte %d changed: read without an error", i)
		} else if want := fault.Invalid; i > 0 && fault.KindOf(err) != want {
			t.Errorf("byte %d changed: %v, want kind %v", i, err, want)
		}
		if _, err := record.Decode(data[:i]); err == nil {
			t.Errorf("cut after %d bytes: read without an error", i)
		}
	}
}

func TestANewerJournalIsNotTakenForADamagedOne(t *testing.T) {
	t.Parallel()
	data := healthy(20)
	data[0]++
	if _, err := record.Decode(data); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a newer version: %v, want kind %v", err, fault.Unavailable)
	}
}

func FuzzRecord(f *testing.F) {
	for seed := range uint64(8) {
		r := random(seed)
		data := r.Encode()
		f.Add(data)
		f.Add(data[5:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if again, err := encodedAgain(data); err == nil {
			if _, err := record.Decode(again); err != nil {
				t.Errorf("a record that was read cannot be read again: %v", err)
			}
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.Unavailable {
			t.Errorf("kind %v of %v", k, err)
		}
		r, err := record.DecodeBody(data)
		if got, limit := memory(&r), 1000+200*len(data); got > limit {
			t.Errorf("%d bytes of memory for %d bytes, want at most %d", got, len(data), limit)
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("kind %v of %v", fault.KindOf(err), err)
		}
		if _, err := record.DecodeCheckpoint(append([]byte{1}, data...)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("kind %v of %v", fault.KindOf(err), err)
		}
	})
}

// memory is how many bytes r needs at least.
func memory(r *record.Record) int {
	n := 40*len(r.Drains) + 80*len(r.Deltas) + len(r.Part.Data)
	for i := range r.Openings {
		o := &r.Openings[i]
		n += 200 + 16*len(o.DedupeKeys) + 8*cap(o.Keyed)
		for _, e := range o.Ends {
			n += 100 + 8*cap(e.Set)
		}
		for _, t := range o.Routed {
			n += 80 + 8*cap(t.Set)
		}
	}
	for _, f := range r.Fans {
		n += 100 + 8*cap(f.Of)
		for _, s := range f.Outs {
			n += 24 + 8*cap(s)
		}
	}
	for _, l := range r.Live {
		n += 120 + 8*cap(l.Set)
	}
	for _, m := range r.Moved {
		n += 100 + 16*cap(m.From)
	}
	return n
}

// healthy is the record of a frame of n events that all went to one destination.
func healthy(n uint32) []byte {
	source := ledger.Key{Workspace: id.New[id.Workspace](), Source: id.New[id.Source]()}
	to := source
	to.Destination = id.New[id.Destination]()
	var all record.Set
	for i := range n {
		all.Push(i)
	}
	r := record.Record{
		Epoch: 3, Counter: 1_000_000, Base: 900_000, Floor: 5_000_000, Parked: 70_000, Dead: 400,
		Openings: []record.Opening{{
			Frame: 5_000_001, At: time.UnixMilli(1_800_000_000_000).UTC(), Count: n, Keyed: all, DedupeKeys: make([]dedupe.Key, n),
			Ends:   []record.EndSet{{Entry: source, Account: ledger.SourceRouted, Set: all}},
			Routed: []record.RoutedSet{{Entry: to, Set: all}},
		}},
		Live: []record.LiveSet{{Frame: 5_000_001, Entry: to, End: delivery.EndDelivered, Set: all}},
	}
	r.Deltas = r.Recount()
	return r.Encode()
}

// random returns some record, the same for equal seeds.
func random(seed uint64) record.Record {
	rng := rand.New(rand.NewPCG(seed, 1))
	entry := func(dest bool) ledger.Key {
		k := ledger.Key{Workspace: "ws_" + id.Workspace(rune('a'+rng.IntN(3))), Source: "src_" + id.Source(rune('a'+rng.IntN(3)))}
		if dest {
			k.Destination = "dst_" + id.Destination(rune('a'+rng.IntN(4)))
		}
		return k
	}
	some := func(count uint32, often float64) record.Set {
		var s record.Set
		for i := range count {
			if rng.Float64() < often {
				s.Push(i)
			}
		}
		return s
	}
	r := record.Record{
		Epoch: rng.Uint64N(9), Counter: rng.Uint64(), Base: rng.Uint64N(1000), Floor: rng.Uint64N(1000),
		Parked: rng.Uint64N(100), Dead: rng.Uint64N(100),
	}
	for range rng.IntN(3) {
		count := rng.Uint32N(700) + 1
		o := record.Opening{Frame: rng.Uint64N(1 << 40), At: time.UnixMilli(rng.Int64N(1 << 42)).UTC(), Count: count, Keyed: some(count, rng.Float64())}
		for range o.Keyed.Len() {
			var k dedupe.Key
			k[rng.IntN(16)] = byte(rng.Uint32())
			o.DedupeKeys = append(o.DedupeKeys, k)
		}
		var routed, dup record.Set
		for i := range count {
			if rng.IntN(3) > 0 {
				routed.Push(i)
			} else {
				dup.Push(i)
			}
		}
		for _, e := range []record.EndSet{
			{Entry: entry(false), Account: ledger.SourceRouted, Replayed: rng.IntN(4) == 0, Set: routed},
			{Entry: entry(false), Account: ledger.Quarantined, Code: "no_id", Set: dup},
		} {
			if len(e.Set) > 0 {
				o.Ends = append(o.Ends, e)
			}
		}
		for range rng.IntN(3) {
			o.Routed = append(o.Routed, record.RoutedSet{Entry: entry(true), Output: rng.Uint32N(2), Set: some(count, 0.7)})
		}
		r.Openings = append(r.Openings, o)
	}
	for range rng.IntN(4) {
		l := record.LiveSet{
			Kind: record.Kind(rng.IntN(3)), Frame: rng.Uint64N(1 << 40), Entry: entry(true), Output: rng.Uint32N(2) * rng.Uint32N(70),
			End: delivery.End(1 + rng.IntN(5)), Set: some(900, rng.Float64()*rng.Float64()),
		}
		if record.HasCode(l.End) {
			l.Code = "destination_removed"
		}
		r.Live = append(r.Live, l)
	}
	for range rng.IntN(3) {
		m := record.MovedSet{Stage: delivery.FromParked, Entry: entry(true), End: delivery.EndDelivered, From: []delivery.Place{}}
		for range rng.IntN(20) {
			m.From = append(m.From, delivery.Place{Seq: rng.Uint64N(1 << 50), Item: rng.Uint32N(300)})
		}
		r.Moved = append(r.Moved, m)
	}
	for range rng.IntN(3) {
		r.Drains = append(r.Drains, record.Drain{Destination: "dst_a", Floor: rng.Uint64()})
	}
	for range rng.IntN(3) {
		r.Fans = append(r.Fans, record.Fan{Frame: rng.Uint64N(1 << 40), Entry: entry(true), Of: some(900, 0.3), Outs: []record.Set{some(900, 0.3), some(900, 0.1)}})
	}
	r.Deltas = r.Recount()
	if len(r.Deltas) == 0 {
		r.Deltas = nil
	}
	if rng.IntN(4) == 0 {
		r.Part = record.Part{Index: 1, Of: 3, Data: []byte("part")}
	}
	return r
}

package journal_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/delivery"
	"weir/dataplane/journal"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/dataplane/queue/queuetest"
)

// partition is a journal, its dedupe index on a disk, and frames of events of which
// some come again.
type partition struct {
	*testing.T
	log    *queuetest.Log
	index  dedupe.Config
	limit  int64 // of the log
	keep   time.Duration
	epoch  uint64
	frames [][]uint64 // numbers of events
	begins []uint64   // by frame, the lowest number that came in none before
	dice   *rand.Rand
	new    uint64 // the next event that never came before
	fill   uint64 // most bytes that the log had
}

func newPartition(t *testing.T, limit int64) *partition {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &partition{
		T: t, log: queuetest.NewLog(1, queuetest.Faults{MaxBytes: limit}), limit: limit, dice: rand.New(rand.NewPCG(seed, 1)),
		index: dedupe.Config{Dir: t.TempDir(), Memory: 4096},
	}
}

// accept makes n frames of 500 events; of twenty, one came before.
func (p *partition) accept(n int) {
	for range n {
		p.begins = append(p.begins, p.new)
		frame := make([]uint64, 500)
		for i := range frame {
			if p.dice.IntN(20) == 0 && p.new > 0 {
				frame[i] = p.dice.Uint64N(p.new)
			} else {
				frame[i] = p.new
				p.new++
			}
		}
		p.frames = append(p.frames, frame)
	}
}

func keyOf(n uint64) (k dedupe.Key) {
	binary.LittleEndian.PutUint64(k[:], n*0x9E3779B97F4A7C15)
	binary.LittleEndian.PutUint64(k[8:], (n^n>>7)*0xBF58476D1CE4E5B9)
	return k
}

// life runs an owner over the frames that were not opened before. A crash ends it
// amid them, with what is under way done or not; else all are opened and settled.
func (p *partition) life(crash bool) {
	p.Helper()
	x, err := dedupe.Open(p.index)
	if err != nil {
		p.Fatal(err)
	}
	ctx, stop := context.WithCancel(p.Context())
	ran := make(chan error, 1)
	go func() { ran <- x.Run(ctx) }()
	log := p.log.Restart()
	p.epoch++
	var alarms []string
	j, err := journal.Recover(ctx, journal.Config{
		Log: log, Epoch: p.epoch, Index: x, Keep: p.keep, Checkpoint: 32 << 10, Limit: p.limit,
		Raise: func(code string) { alarms = append(alarms, code) }, Clear: func(...string) {},
	})
	if err != nil {
		p.Fatal(err)
	}
	full := len(alarms) // before it was trimmed
	sealed, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- j.Run(ctx, sealed, journal.Observer{Read: func() uint64 { return 0 }}) }()
	start, _ := j.Start()
	until := uint64(len(p.frames))
	if crash {
		until = start + 1 + p.dice.Uint64N(until-start)
	}
	for f := start + 1; f <= until; f++ {
		p.open(x, j, f)
		for deadline := time.Now().Add(time.Minute); j.Floor()+20 < f; {
			if time.Now().After(deadline) {
				p.Fatalf("frame %d waits for the floor, which is %d", f, j.Floor())
			}
			time.Sleep(time.Millisecond)
		}
		if st, err := log.State(ctx); err == nil {
			p.fill = max(p.fill, st.Bytes)
		}
		if f%20 == 0 {
			if err := x.Snapshot(ctx, j.Newest()); err != nil {
				p.Error(err)
			}
			if err := j.Trim(ctx); err != nil {
				p.Error(err)
			}
		}
	}
	if crash {
		log.Crash()
		stop()
	}
	close(sealed)
	if err := <-ended; err != nil && !crash {
		p.Errorf("the journal ended with %v", err)
	}
	j.Close()
	stop()
	<-ran
	if err := x.Close(); err != nil {
		p.Error(err)
	}
	if p.keep == 0 && slices.Contains(alarms[full:], journal.AlarmFull) {
		p.Error("a journal that keeps its tail alone was full")
	}
}

// open decides about a frame, and wants that its events are new exactly when they
// never came before.
func (p *partition) open(x *dedupe.Index, j *journal.Journal, f uint64) {
	p.Helper()
	if fresh, _ := j.Frame(f); !fresh {
		if left := j.Left(f, ""); len(left) > 0 {
			p.settle(j, f, left)
		}
		return
	}
	var d record.Decisions
	seen := map[uint64]bool{}
	for i, n := range p.frames[f-1] {
		first, err := x.First(dedupe.OwnerOf(to.Workspace), keyOf(n), dedupe.Pos{Frame: f, Index: uint32(i)}, time.Now())
		if err != nil {
			p.Fatal(err)
		}
		if want := n >= p.begins[f-1] && !seen[n]; first != want {
			p.Fatalf("event %d in frame %d: first = %v, want %v", n, f, first, want)
		}
		seen[n] = true
		if !first {
			d.End(uint32(i), source, ledger.Duplicate, "", false)
			continue
		}
		d.Key(uint32(i), keyOf(n))
		d.End(uint32(i), source, ledger.SourceRouted, "", false)
		d.Route(uint32(i), to)
	}
	o := d.Opening(f, time.Now(), uint32(len(p.frames[f-1])), false)
	j.Open(o)
	var left []journal.Output
	for i := range o.Keys {
		left = append(left, journal.Output{Index: i, Entry: to})
	}
	p.settle(j, f, left)
}

func (p *partition) settle(j *journal.Journal, f uint64, left []journal.Output) {
	all := make([]delivery.Settled, 0, len(left))
	for _, l := range left {
		all = append(all, delivered(f, l.Index))
	}
	j.Settle(all)
}

// TestKeysDoNotFillTheJournal sends many times the keys that a journal has room for
// through it, over crashes: it is never full, and every key is known.
func TestKeysDoNotFillTheJournal(t *testing.T) {
	t.Parallel()
	p := newPartition(t, 1<<20)
	for range 6 {
		p.accept(100)
		p.life(true)
	}
	p.accept(1)
	p.life(false)
	if written := int64(p.new) * 16; written < 4*p.limit || int64(p.fill) > p.limit*7/8 {
		t.Errorf("%d bytes of keys went through a journal that held %d, of %d", written, p.fill, p.limit)
	}
}

// TestAJournalThatKeepsKeysForOthersForgetsTheOldestWhenItIsFull sends more keys
// through a journal that keeps them than it has room for: nothing waits for ever.
func TestAJournalThatKeepsKeysForOthersForgetsTheOldestWhenItIsFull(t *testing.T) {
	t.Parallel()
	p := newPartition(t, 1<<20)
	p.keep = 7 * 24 * time.Hour
	for _, crash := range []bool{true, false, true, false} {
		p.accept(100)
		p.life(crash)
	}
	if written := int64(p.new) * 16; written < 2*p.limit || int64(p.fill) < p.limit/2 || int64(p.fill) > p.limit*7/8 {
		t.Errorf("%d bytes of keys went through a journal that held %d, of %d", written, p.fill, p.limit)
	}
}

// TestAFullJournalOfTheVersionBeforeIsTrimmed begins with a journal that keeps all
// keys, is full, and whose index is partial, as on a disk of an installation of before.
func TestAFullJournalOfTheVersionBeforeIsTrimmed(t *testing.T) {
	t.Parallel()
	for name, index := range map[string]bool{"with an index": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t, 0)
			p.keep = 7 * 24 * time.Hour
			p.accept(250)
			p.life(false)
			if !index {
				p.index.Dir = t.TempDir()
			}
			st, err := p.log.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p.keep, p.limit = 0, 1<<20 // what is there is more
			p.log.SetFaults(queuetest.Faults{MaxBytes: p.limit})
			if int64(st.Bytes) < p.limit {
				t.Fatalf("%d bytes are in the journal, want more than %d", st.Bytes, p.limit)
			}
			p.accept(50)
			p.life(true)
			p.accept(50)
			p.life(false)
			if st, err := p.log.State(t.Context()); err != nil || int64(st.Bytes) > p.limit*3/4 {
				t.Errorf("%d bytes are left in the journal (%v)", st.Bytes, err)
			}
		})
	}
}

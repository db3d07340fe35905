package deliver_test

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
)

// samples returns records as lanes write them: of PARKED, small and packed, and
// of DEAD.
func samples(f testing.TB) [][]byte {
	var all [][]byte
	w := newWorld(f, 1, hook)
	w.server.set(hook, always(400, 0))
	w.start()
	w.offer("u", hook)
	w.wait("dead", func() bool { return w.settledAs(hook, delivery.EndDead) == 1 })
	if _, err := w.lanes.Discard(context.Background(), deliver.Filter{Destination: hook}); err != nil {
		f.Error(err)
	}
	w.change(hook, func(d *destination.Target) { d.Disabled = true })
	time.Sleep(time.Second)
	for range 20 {
		w.offer("u", hook)
	}
	w.wait("parked", func() bool { return w.settledAs(hook, delivery.EndParked) == 20 })
	w.stop()
	for _, log := range []*queuetest.Log{w.parked, w.dead} {
		for _, r := range log.Snapshot().Records {
			all = append(all, r.Data)
		}
	}
	return all
}

// FuzzScan reads anything as a record: it must not panic, and what it proves
// must name a place in that record.
func FuzzScan(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 6 && data[2] != 0xff { // most inputs get past the checksum
			crc := crc32.MakeTable(crc32.Castagnoli)
			data = append([]byte(nil), data...)
			binary.BigEndian.PutUint32(data[2:], crc32.Update(crc32.Checksum(data[:2], crc), crc, data[6:]))
		}
		log := queuetest.NewLog(1, queuetest.Faults{})
		log.Restore(queuetest.Snapshot{Records: []queue.Record{{Seq: 7, Key: string(hook), Data: data}}, Last: 7})
		err := deliver.Scan(t.Context(), log, 1, func(s delivery.Settled) error {
			if s.To.Seq != 7 || s.Destination != hook || s.End < delivery.EndDropped || s.End > delivery.EndDead {
				t.Errorf("proves %+v", s)
			}
			return nil
		})
		if err != nil {
			t.Errorf("Scan = %v, want damaged records to prove nothing", err)
		}
	})
}

func TestDamagedRecordsProveNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, good := range samples(t) {
			count := func(data []byte) (n int) {
				log := queuetest.NewLog(1, queuetest.Faults{})
				log.Restore(queuetest.Snapshot{Records: []queue.Record{{Seq: 1, Key: string(hook), Data: data}}, Last: 1})
				if err := deliver.Scan(t.Context(), log, 1, func(delivery.Settled) error { n++; return nil }); err != nil {
					t.Errorf("Scan = %v", err)
				}
				return n
			}
			if count(good) == 0 {
				t.Errorf("a good record of %d bytes proves nothing", len(good))
			}
			for i := range good {
				bad := append([]byte(nil), good...)
				bad[i] ^= 0x20
				if count(bad) != 0 {
					t.Fatalf("a record with byte %d changed proves something", i)
				}
				if count(good[:i]) != 0 {
					t.Fatalf("a record cut to %d bytes proves something", i)
				}
			}
		}
	})
}

package parked_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/parked"
	"weir/dataplane/parked/record"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
)

// samples returns records as the store writes them: of PARKED, small and packed,
// and of DEAD.
func samples(t testing.TB) [][]byte {
	h := newHarness(t)
	h.start()
	h.bury(refused(1, "{}"), refused(2, "{}"))
	if _, err := h.store.Discard(t.Context(), parked.Filter{Destination: hook, Places: []delivery.Place{{Seq: 1}}}); err != nil {
		t.Error(err)
	}
	h.park(made(3, `{"small":1}`))
	h.park(made(4, strings.Repeat("large ", 1000)), made(5, "{}"))
	h.stop()
	var all [][]byte
	for _, log := range []*queuetest.Log{h.parked, h.dead} {
		for _, r := range log.Snapshot().Records {
			all = append(all, r.Data)
		}
	}
	return all
}

// sealed gives data the checksum that it should have.
func sealed(data []byte) []byte {
	crc := crc32.MakeTable(crc32.Castagnoli)
	data = bytes.Clone(data)
	binary.BigEndian.PutUint32(data[2:], crc32.Update(crc32.Checksum(data[:2], crc), crc, data[6:]))
	return data
}

// holding is a log of one record.
func holding(seq uint64, data []byte) *queuetest.Log {
	log := queuetest.NewLog(1, queuetest.Faults{})
	log.Restore(queuetest.Snapshot{Records: []queue.Record{{Seq: seq, Key: string(hook), Data: data}}, Last: seq})
	return log
}

// proven returns what a record proves, in whichever log it is.
func proven(t testing.TB, seq uint64, data []byte) (all []delivery.Settled) {
	t.Helper()
	err := record.Missed(t.Context(), holding(seq, data), queuetest.NewLog(2, queuetest.Faults{}), 0, 0, func(s delivery.Settled) error {
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Errorf("Missed = %v, want damaged records to prove nothing", err)
	}
	return all
}

// FuzzMissed reads anything as a record: it must not panic, and what it proves
// must name a place in that record.
func FuzzMissed(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 6 && data[2] != 0xff { // most inputs get past the checksum
			data = sealed(data)
		}
		for _, s := range proven(t, 7, data) {
			if s.To.Seq != 7 || s.Destination != hook || s.End < delivery.EndDropped || s.End > delivery.EndDead {
				t.Errorf("proves %+v", s)
			}
		}
	})
}

func TestDamagedRecordsProveNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := samples(t)
		if len(all) != 4 {
			t.Fatalf("%d records, want two of each log", len(all))
		}
		for _, good := range all {
			if len(proven(t, 1, good)) == 0 {
				t.Errorf("a good record of %d bytes proves nothing", len(good))
			}
			for i := range good {
				bad := bytes.Clone(good)
				bad[i] ^= 0x20
				if len(proven(t, 1, bad)) != 0 {
					t.Fatalf("a record with byte %d changed proves something", i)
				}
				if len(proven(t, 1, good[:i])) != 0 {
					t.Fatalf("a record cut to %d bytes proves something", i)
				}
			}
		}
	})
}

// kept are records that former builds wrote, by name.
func kept(t testing.TB) map[string][]byte {
	t.Helper()
	f, err := os.Open("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]byte{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if all[name], err = hex.DecodeString(text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

// keptItem is one of those, with the n-th event.
func keptItem(n int, change func(*parked.Item)) parked.Item {
	it := parked.Item{Stage: delivery.Live, Delivery: delivery.Delivery{
		Ref: delivery.Ref{Frame: 300, Index: 2, Output: 1}, Destination: hook, Revision: 7,
		Event: event.Event{Workspace: "ws_kept", Source: "src_kept", MessageID: "message 1", Type: "track", User: "user ü", ReceivedAt: time.UnixMilli(1700000000123).UTC(),
			JSON: fmt.Appendf(nil, `{"event":"Kept","n":%d}`, n)},
	}}
	if change != nil {
		change(&it)
	}
	return it
}

var (
	rewritten = keptItem(2, func(it *parked.Item) {
		it.Stage, it.From = delivery.FromDead, delivery.Place{Seq: 70000, Item: 5}
		it.Delivery.Revision, it.Delivery.Original = 8, []byte(`{"event":"Before"}`)
		it.Delivery.Event.Generated, it.Delivery.Event.Quarantine = true, "bad_json"
	})
	long = keptItem(4, func(it *parked.Item) {
		it.Delivery.Event.JSON = []byte(`"` + strings.Repeat("long ", 300) + `"`)
	})
	dead = keptItem(3, func(it *parked.Item) {
		it.Stage, it.From = delivery.FromParked, delivery.Place{Seq: 9, Item: 1}
		it.Code, it.Status, it.Detail = "rejected_400", 400, "no such field"
	})
)

// TestKeptRecordsAreRead reads what former builds wrote.
func TestKeptRecordsAreRead(t *testing.T) {
	t.Parallel()
	records := kept(t)
	for name, want := range map[string][]parked.Item{"parked": {keptItem(1, nil), rewritten}, "packed": {long}, "damaged": nil} {
		h := newHarness(t)
		h.parked = holding(7, records[name])
		h.start()
		for r, err := range h.store.Read(t.Context(), hook, 1, 7) {
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, r.Items, cmpopts.IgnoreUnexported(parked.Item{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want +got\n%s", name, diff)
			}
		}
		h.stop()
	}
	for _, name := range []string{"dead", "format1"} {
		h := newHarness(t)
		h.dead = holding(7, records[name])
		h.start()
		letters, err := h.store.List(t.Context(), parked.Filter{Destination: hook}, delivery.Place{}, 10)
		want := []parked.DeadLetter{{Place: delivery.Place{Seq: 7}, Delivery: dead.Delivery, Code: dead.Code, Status: dead.Status, Detail: dead.Detail}}
		if diff := cmp.Diff(want, letters); diff != "" || err != nil {
			t.Errorf("%s: %v, -want +got\n%s", name, err, diff)
		}
		h.stop()
	}
	gone := delivery.Settled{Ref: dead.Delivery.Ref, Workspace: "ws_kept", Source: "src_kept", Destination: hook, Stage: delivery.FromDead,
		From: delivery.Place{Seq: 12, Item: 3}, End: delivery.EndDropped, To: delivery.Place{Seq: 7}, Code: "discarded"}
	for name, want := range map[string][]delivery.Settled{"discarded": {gone}, "redriven": nil} {
		if diff := cmp.Diff(want, proven(t, 7, records[name])); diff != "" {
			t.Errorf("%s proves: -want +got\n%s", name, diff)
		}
	}
}

// TestRecordsAreWrittenAsEver wants new records to be those of former builds, but
// for the checksum and who wrote them.
func TestRecordsAreWrittenAsEver(t *testing.T) {
	t.Parallel()
	const mark = 14 // version, flags, checksum, who
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.start()
		h.park(keptItem(1, nil), rewritten)
		h.bury(dead)
		h.stop()
		for name, log := range map[string]*queuetest.Log{"parked": h.parked, "dead": h.dead} {
			want, records := kept(t)[name], log.Snapshot().Records
			got := records[len(records)-1].Data
			if !bytes.Equal(got[:2], want[:2]) || !bytes.Equal(got[mark+1:], want[mark+2:]) { // a counter of one byte, and of two
				t.Errorf("%s:\n%x, want\n%x", name, got, want)
			}
		}
	})
}

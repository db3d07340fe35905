package queue_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"

	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
)

// sample returns n events of about 1 KB.
func sample(n int) []event.Event {
	rng := rand.New(rand.NewPCG(7, 7))
	events := make([]event.Event, n)
	for i := range events {
		user := fmt.Sprintf("user-%d", rng.IntN(1000))
		events[i] = event.Event{
			Workspace: "ws_abcdefghijklmnop", Source: "src_abcdefghijklmnop",
			MessageID: id.Event(fmt.Sprintf("%016x-%016x", rng.Uint64(), rng.Uint64())),
			Type:      "track", User: user, Generated: i%5 == 0,
			ReceivedAt: time.UnixMilli(1_700_000_000_000 + int64(i)).UTC(),
		}
		var b strings.Builder
		fmt.Fprintf(&b, `{"type":"track","event":"Order Completed","messageId":%q,"userId":%q,"properties":{`, events[i].MessageID, user)
		for p := range 16 {
			fmt.Fprintf(&b, `"property_%d":"%x",`, p, rng.Uint64())
		}
		fmt.Fprintf(&b, `"total":%d.5},"context":{"library":{"name":"analytics.js","version":"2.11.1"},"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},"receivedAt":"2026-01-02T03:04:05.678Z"}`, rng.IntN(100000))
		events[i].JSON = []byte(b.String())
	}
	return events
}

func TestFrameKeepsEveryField(t *testing.T) {
	t.Parallel()
	odd := event.Event{
		Workspace: "ws", Source: "src", MessageID: "m\x00\xff", Generated: true, Type: "", User: strings.Repeat("ü", 300),
		ReceivedAt: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), Quarantine: "too_deep", JSON: []byte("\xff not JSON \x00"),
		Destination: "dst_a", Detail: "line 3: \xff", Replayed: true, Delivery: "a.b\x00",
	}
	for name, events := range map[string][]event.Event{
		"none":             {},
		"one":              sample(1),
		"many":             sample(700),
		"odd":              {odd, {ReceivedAt: time.UnixMilli(-1).UTC(), JSON: []byte{}}, odd},
		"that do not pack": {{ReceivedAt: time.UnixMilli(0).UTC(), JSON: noise(1 << 20)}},
		"that pack well":   {{ReceivedAt: time.UnixMilli(0).UTC(), JSON: bytes.Repeat([]byte("a"), 4<<20)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := queue.EncodeFrame(events)
			frame, err := queue.DecodeFrame(data)
			if err != nil {
				t.Fatalf("DecodeFrame of %d events: %v", len(events), err)
			}
			if diff := cmp.Diff(events, frame.Events, cmp.Comparer(bytes.Equal)); diff != "" {
				t.Errorf("events differ (-want +got):\n%s", diff)
			}
			if !bytes.Equal(data, queue.EncodeFrame(frame.Events)) {
				t.Error("encoding again gives other bytes")
			}
		})
	}
}

// kept returns the events of testdata/plain.frame, which has every field and is
// too small to be packed.
func kept() []event.Event {
	return []event.Event{
		{
			Workspace: "ws_a", Source: "src_b", MessageID: "m\x00\xff", Type: "track", User: "ü", Generated: true, Replayed: true,
			ReceivedAt: time.UnixMilli(1_700_000_000_123).UTC(), Quarantine: "too_deep", Destination: "dst_c", Detail: "line 3",
			JSON: []byte(`{"type":"track"}`),
		},
		{ReceivedAt: time.UnixMilli(-5).UTC(), JSON: []byte{}},
	}
}

// staged returns the events of testdata/staged.frame, which is of version 2.
func staged() []event.Event {
	all := kept()
	all[0].Delivery, all[1].Delivery = "2s.1.0", "\x00"
	return all
}

// TestFramesOnDiskStayReadable holds the format to frames that were written once: the
// first two by version 1.
func TestFramesOnDiskStayReadable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]event.Event{"plain": kept(), "packed": sample(3), "staged": staged()} {
		data, err := os.ReadFile("testdata/" + name + ".frame")
		if err != nil {
			t.Fatal(err)
		}
		got, err := queue.DecodeFrame(data)
		if err != nil {
			t.Fatalf("DecodeFrame of %s: %v", name, err)
		}
		if diff := cmp.Diff(want, got.Events); diff != "" {
			t.Errorf("%s: events differ (-want +got):\n%s", name, diff)
		}
		// Packing may come out otherwise on another processor; what is not packed may not.
		if name == "staged" && !bytes.Equal(data, queue.EncodeFrame(want)) {
			t.Errorf("EncodeFrame = %x, want %x", queue.EncodeFrame(want), data)
		}
	}
}

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestDamagedFramesAreRefused(t *testing.T) {
	t.Parallel()
	good := queue.EncodeFrame(sample(5))
	for i := range good {
		for _, flip := range []byte{1, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= flip
			wantInvalid(t, fmt.Sprintf("byte %d changed", i), bad)
		}
	}
	for n := range len(good) {
		wantInvalid(t, fmt.Sprintf("cut at %d", n), good[:n])
	}
	wantInvalid(t, "a byte more", append(bytes.Clone(good), 0))
}

func wantInvalid(t *testing.T, what string, data []byte) {
	t.Helper()
	if frame, err := queue.DecodeFrame(data); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("%s: DecodeFrame = %d events, %v, want invalid", what, len(frame.Events), err)
	}
}

// seal gives data, a frame, the checksum that it should have, so that what lies
// behind the checksum is reached.
func seal(data []byte) []byte {
	if len(data) < 14 {
		return data
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(crc32.Checksum(data[:2], table), table, data[6:])
	binary.LittleEndian.PutUint32(data[2:], sum)
	return data
}

// frame builds a frame by hand.
func frame(flags byte, count, size uint32, body []byte) []byte {
	b := []byte{1, flags, 0, 0, 0, 0}
	b = binary.LittleEndian.AppendUint32(b, count)
	b = binary.LittleEndian.AppendUint32(b, size)
	return seal(append(b, body...))
}

func TestHostileLengthsAreRefusedWithoutTheirMemory(t *testing.T) {
	entry := func(head, text uint32) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, head), text)
	}
	head := []byte{0, 0, 0, 0, 0, 0, 0, 0}
	for name, data := range map[string][]byte{
		"more events than bytes":      frame(0, 1<<16, 100, make([]byte, 100)),
		"count of all ones":           frame(0, 1<<32-1, 100, make([]byte, 100)),
		"size of all ones":            frame(1, 1, 1<<32-1, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}),
		"s2 says more than the frame": frame(1, 1, 16, s2.Encode(nil, make([]byte, 7<<20))),
		"s2 says four gigabytes":      frame(1, 1, 1<<20, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}),
		"head beyond the body":        frame(0, 1, 16, append(entry(9, 0), head...)),
		"head of all ones":            frame(0, 1, 16, append(entry(1<<32-1, 0), head...)),
		"JSON beyond the body":        frame(0, 1, 16, append(entry(8, 1), head...)),
		"JSON of all ones":            frame(0, 1, 16, append(entry(8, 1<<32-1), head...)),
		"something after the last":    frame(0, 1, 17, append(append(entry(8, 0), head...), 'x')),
		"offsets that go back":        frame(0, 2, 32, append(append(append(entry(16, 0), entry(8, 0)...), head...), head...)),
		"text beyond its head":        frame(0, 1, 16, append(entry(8, 0), 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)),
		"text length over 64 bits":    frame(0, 1, 22, append(entry(14, 0), 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0)),
		"bytes left in a head":        frame(0, 1, 17, append(append(entry(9, 0), head...), 0)),
		"unknown event flags":         frame(0, 1, 16, append(entry(8, 0), 16, 0, 0, 0, 0, 0, 0, 0)),
		"no head":                     frame(0, 1, 16, append(entry(0, 8), head...)),
		"unknown flags":               seal(append([]byte{1, 2}, queue.EncodeFrame(nil)[2:]...)),
		"another version":             seal(append([]byte{3}, queue.EncodeFrame(nil)[1:]...)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		wantInvalid(t, name, data)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
			t.Errorf("%s: took %d bytes", name, got)
		}
	}
	if _, err := queue.DecodeFrame(frame(0, 1, 16, append(entry(8, 0), head...))); err != nil {
		t.Errorf("the frame that the others are made from: %v", err)
	}
}

// FuzzDecodeFrame says that whatever is taken is a frame: encoding what was read
// gives the same events again.
func FuzzDecodeFrame(f *testing.F) {
	f.Add(queue.EncodeFrame(nil))
	f.Add(queue.EncodeFrame(sample(1)))
	f.Add(queue.EncodeFrame(sample(3)))
	f.Add(queue.EncodeFrame([]event.Event{{JSON: noise(100)}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range [][]byte{data, seal(bytes.Clone(data))} {
			got, err := queue.DecodeFrame(d)
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Fatalf("DecodeFrame = %v, want invalid", err)
				}
				continue
			}
			again, err := queue.DecodeFrame(queue.EncodeFrame(got.Events))
			if err != nil || len(again.Events) != len(got.Events) {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			for i, e := range got.Events {
				if diff := cmp.Diff(e, again.Events[i]); diff != "" {
					t.Fatalf("event %d differs (-want +got):\n%s", i, diff)
				}
			}
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	events := sample(500)
	size := 0
	for _, e := range events {
		size += len(e.JSON)
	}
	data := queue.EncodeFrame(events)
	perEvent := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		b.ReportMetric(float64(len(data))/float64(size), "stored/byte")
	}
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			queue.EncodeFrame(events)
		}
		perEvent(b)
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := queue.DecodeFrame(data); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b)
	})
}

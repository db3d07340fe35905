package deliver_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/event"
)

// rewritten offers what code made of an original: outputs 1 to 3 of frame 1, and
// what it left as it was of frame 2.
func (w *world) rewritten() {
	w.t.Helper()
	for n, original := range []string{"", `{"type":"track","messageId":"m","userId":"u","event":"E"}`, `{"type":"track","messageId":"m","userId":"u","event":"E"}`, `no JSON`} {
		d := delivery.Delivery{
			Ref: delivery.Ref{Frame: 1, Output: uint32(n)}, Destination: hook, Read: time.Now(), Original: []byte(original),
			Event: event.Event{Workspace: ws, Source: "src_web", MessageID: "other", User: "v", Type: "page", ReceivedAt: time.Unix(1700000000, 0).UTC(), JSON: fmt.Appendf(nil, `{"n":%d}`, n)},
		}
		if n == 0 {
			d.Frame, d.Original = 2, nil
		}
		w.offered[output{hook, d.Ref}] = d
		w.order = append(w.order, output{hook, d.Ref})
		if err := w.lanes.Offer(context.Background(), []delivery.Delivery{d}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestDeadLettersAreSentFromTheirOriginals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, hook)
		w.server.set(hook, always(0, time.Millisecond))
		w.start()
		defer func() { w.stop() }()
		w.rewritten() // parked first, then dead after a restart: the originals last
		w.wait("parked", func() bool { return w.settledAs(hook, delivery.EndParked) == 4 })
		w.crash()
		w.server.set(hook, always(400, time.Millisecond))
		w.start()
		w.wait("dead", func() bool { return w.settledAs(hook, delivery.EndDead) == 4 })
		w.crash()
		w.start()
		var sent []event.Event
		again := func(_ context.Context, events []event.Event) error { sent = append(sent, events...); return nil }
		all := func(event.Event) bool { return true }
		choice := deliver.Filter{Destination: hook, Code: "rejected_400"}
		if n, err := w.lanes.Retransform(t.Context(), choice, func(event.Event) bool { return false }, again); n != 0 || err != nil {
			t.Errorf("without a way: %d, %v, want none", n, err)
		}
		away := errors.New("away")
		if n, err := w.lanes.Retransform(t.Context(), choice, all, func(context.Context, []event.Event) error { return away }); n != 0 || !errors.Is(err, away) {
			t.Errorf("while events are not taken: %d, %v, want none", n, err)
		}
		if n, err := w.lanes.Retransform(t.Context(), choice, all, again); n != 3 || err != nil {
			t.Errorf("Retransform = %d, %v, want 3", n, err)
		}
		var got []string
		for _, e := range sent {
			got = append(got, fmt.Sprintf("%s %s %s %s %s %v %d", e.MessageID, e.User, e.Type, e.Workspace, e.Destination, e.Replayed, e.ReceivedAt.Unix()))
		}
		if d := cmp.Diff([]string{"other v page ws_test " + string(hook) + " true 1700000000", "m u track ws_test " + string(hook) + " true 1700000000"}, got); d != "" {
			t.Errorf("sent (-want +got):\n%s", d)
		}
		if n := w.settledAs(hook, delivery.EndDropped); n != 3 {
			t.Errorf("%d dropped, want 3", n)
		}
		left, err := w.lanes.List(t.Context(), choice, delivery.Place{}, 10)
		if err != nil || len(left) != 1 || string(left[0].Delivery.Original) != "no JSON" {
			t.Errorf("left: %+v, %v, want the one that cannot be read", left, err)
		}
		w.crash()
		w.start()
		if n, err := w.lanes.Retransform(t.Context(), choice, all, again); n != 0 || err != nil || len(sent) != 2 {
			t.Errorf("once more after a restart: %d, %v, %d sent", n, err, len(sent))
		}
	})
}

// TestRecordsOfFormatOneAreRead turns DEAD into what the former version wrote.
func TestRecordsOfFormatOneAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, hook)
		w.server.set(hook, always(400, time.Millisecond))
		w.start()
		defer func() { w.stop() }()
		w.offer("u", hook)
		w.wait("dead", func() bool { return w.settledAs(hook, delivery.EndDead) == 1 })
		w.crash()
		snapshot := w.dead.Snapshot()
		for i := range snapshot.Records {
			data, table := append([]byte(nil), snapshot.Records[i].Data...), crc32.MakeTable(crc32.Castagnoli)
			data[0] = 1
			binary.BigEndian.PutUint32(data[2:], crc32.Update(crc32.Checksum(data[:2], table), table, data[6:]))
			snapshot.Records[i].Data = data
		}
		w.dead.Restore(snapshot)
		w.start()
		if n, err := w.lanes.Retransform(t.Context(), deliver.Filter{Destination: hook}, func(event.Event) bool { return true }, nil); n != 0 || err != nil {
			t.Errorf("Retransform = %d, %v, want none: nobody knows whether it is the original", n, err)
		}
		w.server.set(hook, nil)
		if n, err := w.lanes.Redrive(t.Context(), deliver.Filter{Destination: hook}); n != 1 || err != nil {
			t.Errorf("Redrive = %d, %v, want 1", n, err)
		}
		w.wait("delivered", func() bool { return w.settledAs(hook, delivery.EndDelivered) == 1 })
		w.check(hook, 0)
	})
}

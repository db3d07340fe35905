package syncstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
	"weir/dataplane/syncs"
	"weir/dataplane/syncs/books"
	"weir/shared/egress"
	"weir/shared/workspace/activation"
)

// Kept is a destination in front of the other side, a fake or a real server, in which a
// sync keeps records.
type Kept struct {
	Opened destination.Opened
	Deps   destination.Deps // of a sink
	Sync   activation.Sync  // its object, and its mode, Mirror when it is not said
	// Records returns the fields, as JSON, of the records that the other side has, by the key
	// of the row.
	Records func() map[string]string
	// Break makes the other side refuse all, or take again; nil: it cannot.
	Break func(broken bool)
	// NoEmpty says that the other side has no empty texts: they are as null.
	NoEmpty bool
}

// keptRow is a row of the model of Keeps.
type keptRow map[string]any

func (r keptRow) text() string {
	b, _ := json.Marshal(r) // texts, numbers and booleans
	return string(b)
}

// errLost is what becomes of an answer that is lost.
var errLost = errors.New("the answer was lost")

// lossy is a sink that loses answers, some of writes that were done.
type lossy struct {
	destination.Sink
	lose func() (before, after bool)
}

func (l lossy) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	before, after := l.lose()
	if before {
		return nil, errLost
	}
	verdicts, err := l.Sink.Write(ctx, b)
	if after {
		return nil, errLost
	}
	return verdicts, err
}

// Keeps sends rows that change at random through a destination, as the runs of a sync do:
// answers are lost, batches are repeated, and the other side refuses all for a while. It
// fails unless the other side has, after each step, what the model has.
func Keeps(t *testing.T, k Kept, steps int) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	if k.Sync.Mode == "" {
		k.Sync.Mode = activation.Mirror
	}
	k.Sync.ID = "sync_kept"
	calm := false
	lose := func() (before, after bool) { n := r.IntN(8); return !calm && n == 0, !calm && n == 1 }
	target := destination.Target{Workspace: "ws_test", ID: "dst_kept", Opened: k.Opened}
	target.Limits.Ordered = false
	if open := k.Opened.Sink; open != nil {
		target.Sink = func(ctx context.Context, d destination.Deps) (destination.Sink, error) {
			s, err := open(ctx, d)
			return lossy{s, lose}, err
		}
	}
	client := outbound.New(outbound.Config{Dial: egress.New(egress.Policy{Private: true}).DialContext})
	defer client.Close()
	link := outbound.Link{Deps: k.Deps, Do: func(ctx context.Context, req destination.Request, most time.Duration) (destination.Response, error) {
		before, after := lose()
		if before {
			return destination.Response{}, errLost
		}
		res, err := client.Do(ctx, req, most)
		if after {
			return destination.Response{}, errLost
		}
		return res, err
	}, Plane: client.Plane()}
	if link.Deps.Now == nil {
		link.Deps.Now = time.Now
	}
	defer link.Close()

	model, sent := map[string]keptRow{}, map[string]keptRow{}
	empty := any("")
	if k.NoEmpty {
		empty = nil
	}
	texts := []any{"free", "pro", "it's; \"quoted\"", "ünï ✓\nb", "=1+1", empty, nil}
	for step := range steps {
		for range 5 + r.IntN(30) {
			key := fmt.Sprintf("p%03d", r.IntN(40))
			model[key] = keptRow{"name": fmt.Sprintf("name of %d", r.IntN(1000)), "plan": texts[r.IntN(len(texts))], "score": r.IntN(9), "vip": r.IntN(2) == 0}
			if k.Sync.Mode == activation.Mirror && r.IntN(4) == 0 {
				delete(model, key)
			}
		}
		if k.Break != nil && step%2 == 1 {
			k.Break(true)
			calm = true
			was := k.Records()
			if taken := k.send(t, &link, &target, differ(model, sent)); len(taken) > 0 || !maps.Equal(was, k.Records()) {
				t.Fatalf("step %d: a side that refuses all took %d rows", step, len(taken))
			}
			k.Break(false)
		}
		calm = false
		for round := 0; ; round++ {
			rows := differ(model, sent)
			if len(rows) == 0 {
				break
			}
			if calm = round > 50; round > 100 {
				t.Fatalf("step %d: %d rows are left after many rounds", step, len(rows))
			}
			for _, row := range k.send(t, &link, &target, rows) {
				if sent[row.Key] = model[row.Key]; row.Op == "delete" {
					delete(sent, row.Key)
				}
			}
		}
		want := map[string]string{}
		for key, row := range model {
			want[key] = row.text()
		}
		if got := k.Records(); !maps.Equal(got, want) {
			t.Fatalf("step %d: the other side has %d records %v, want %d %v", step, len(got), got, len(want), want)
		}
	}
}

// differ returns the rows that make sent what the model is.
func differ(model, sent map[string]keptRow) (rows []books.Row) {
	row := func(op, key, hash string) books.Row {
		return books.Row{N: int64(len(rows) + 1), Op: op, Key: key, Hash: hash, Identifiers: map[string]string{"id": key}}
	}
	for _, key := range slices.Sorted(maps.Keys(model)) {
		is, was := model[key], sent[key]
		if was != nil && was.text() == is.text() {
			continue
		}
		op := "insert"
		if was != nil {
			op = "update"
		}
		r := row(op, key, is.text())
		r.Fields = is
		rows = append(rows, r)
	}
	for _, key := range slices.Sorted(maps.Keys(sent)) {
		if model[key] == nil {
			rows = append(rows, row("delete", key, ""))
		}
	}
	return rows
}

// send sends rows in batches, and returns those that the other side took.
func (k Kept) send(t *testing.T, link *outbound.Link, target *destination.Target, rows []books.Row) (taken []books.Row) {
	t.Helper()
	for some := range slices.Chunk(rows, min(max(target.Limits.BatchSize, 1), 11)) {
		now := time.Now()
		b := destination.Batch{Now: now}
		for _, row := range some {
			e, err := syncs.Event("ws_test", k.Sync, row, now)
			if err != nil {
				t.Fatal(err)
			}
			b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
		}
		results := make([]outbound.Result, len(some))
		link.Send(t.Context(), target, b, results)
		for i, res := range results {
			switch res.Outcome {
			case destination.Delivered:
				taken = append(taken, some[i])
			case destination.Dead, destination.Dropped:
				t.Fatalf("a row was not taken: %+v, %s", res, b.Items[i].Event.JSON)
			}
		}
	}
	return taken
}

// Replay returns the fields, as JSON, of the records that messages of rows make, in their
// order, by the key of the row.
func Replay(t testing.TB, messages ...[]byte) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range messages {
		var r struct {
			Type, Action, Object, Key, MessageID string
			Identifiers                          map[string]string
			Fields                               keptRow
		}
		if err := json.Unmarshal(m, &r); err != nil || r.Type != "record" || r.Object != "record" || r.Identifiers["id"] != r.Key || r.MessageID == "" {
			t.Fatalf("a message is %s, %v", m, err)
		}
		switch r.Action {
		case "insert", "update":
			all[r.Key] = r.Fields.text()
		case "delete":
			delete(all, r.Key)
		default:
			t.Fatalf("the action of a message is %q", r.Action)
		}
	}
	return all
}

package pipeline_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/dataplane/route"
	pipeline "weir/dataplane/zpipe"
	"weir/shared/id"
	"weir/shared/workspace"
)

const ws id.Workspace = "ws_sim"

var dests = []id.Destination{"dst_good", "dst_flaky", "dst_down"}

type hook struct{ dest id.Destination }

func (h hook) Build(b deliver.Batch) ([]deliver.Request, []deliver.Verdict) {
	var reqs []deliver.Request
	for i, it := range b.Items {
		reqs = append(reqs, deliver.Request{Method: "POST", URL: "http://" + string(h.dest) + "/", Header: http.Header{}, Body: it.Event.JSON, Items: []int{i}})
	}
	return reqs, nil
}

func (h hook) Judge(r deliver.Request, s deliver.Response) []deliver.Verdict {
	return deliver.Classify(r, s)
}

// world is what survives crashes: the logs, the destinations, what was acknowledged.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	logs  map[string]*queuetest.Log
	epoch uint64
	acked []string
	nextN map[string]int
	mu    sync.Mutex
	down  bool
	got   map[id.Destination][]string
}

type lease struct{ held func() bool }

func (l lease) Held() bool { return l.held() }
func (l lease) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// seen is a dedupe index that forgets everything at a crash: the journal has it.
type seen struct{ m map[dedupe.Key]dedupe.Pos }

func (s *seen) First(k dedupe.Key, p dedupe.Pos, _ time.Time) (bool, error) {
	if was, ok := s.m[k]; ok {
		return was == p, nil
	}
	s.m[k] = p
	return true, nil
}
func (s *seen) Snapshot(context.Context, uint64) error { return nil }
func (s *seen) Position() uint64                       { return 0 }

func (w *world) do(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	dest := id.Destination(r.URL.Host)
	w.mu.Lock()
	down, roll := w.down, w.rng.IntN(100)
	wait := time.Duration(w.rng.IntN(4)) * time.Millisecond
	w.mu.Unlock()
	if dest == dests[2] && down {
		wait = 40 * time.Second
	}
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(wait):
	}
	status := 200
	switch {
	case dest == dests[2] && down:
		return nil, io.ErrUnexpectedEOF
	case dest == dests[1] && roll < 30:
		status = 500
	case dest == dests[1] && roll < 33:
		status = 422
	}
	if status == 200 {
		w.mu.Lock()
		w.got[dest] = append(w.got[dest], string(body))
		w.mu.Unlock()
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func (w *world) start(ctx context.Context) (*pipeline.Pipeline, chan error) {
	w.epoch++
	held := true
	tables := route.Compile(workspace.Config{Workspace: ws, Sources: []workspace.Source{{ID: "src_a", Name: "a"}},
		Destinations: []workspace.Destination{{ID: dests[0], Name: "good"}, {ID: dests[1], Name: "flaky"}, {ID: dests[2], Name: "down"}},
		Connections:  []workspace.Connection{{Source: "src_a", Destination: dests[0]}, {Source: "src_a", Destination: dests[1]}, {Source: "src_a", Destination: dests[2]}}})
	s := &seen{map[dedupe.Key]dedupe.Pos{}}
	hasher := dedupe.NewHasher([32]byte{})
	epoch := w.epoch
	p, err := pipeline.New(pipeline.Config{
		Events: w.logs["events"], Journal: w.logs["journal"], Parked: w.logs["parked"], Dead: w.logs["dead"], Quarantine: w.logs["quarantine"], Bad: w.logs["bad"],
		Lease: func(context.Context) (pipeline.Lease, uint64, error) {
			return lease{func() bool { return held }}, epoch, nil
		},
		Seen: s, Key: hasher.Key,
		Route: func(id.Workspace, id.Source) (*route.Table, uint64, bool) { return tables["src_a"], 1, true },
		Lanes: func(r pipeline.Reports) (pipeline.Lanes, error) {
			return deliver.New(deliver.Config{Parked: w.logs["parked"], Dead: w.logs["dead"], Settle: r.Settle, Drained: r.Drained, Held: r.Held, Do: w.do, Seed: w.rng.Uint64() | 1, Grace: time.Millisecond,
				Lookup: func(_ id.Workspace, d id.Destination) (*deliver.Target, deliver.Presence) {
					return &deliver.Target{Workspace: ws, ID: d, Name: string(d), Type: "hook", Opened: deliver.Opened{HTTP: hook{d}, Limits: deliver.Limits{Ordered: true, Concurrency: 8, BatchSize: 1, Timeout: 30 * time.Second}}}, deliver.Present
				}})
		},
		Alarm: func(code string) { w.t.Errorf("alarm %s", code) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return p, done
}

func (w *world) append(ctx context.Context) {
	var events []event.Event
	for range 1 + w.rng.IntN(8) {
		u := fmt.Sprintf("u%d", w.rng.IntN(6))
		n := w.nextN[u]
		w.nextN[u]++
		body := fmt.Sprintf("%s/%06d", u, n)
		events = append(events, event.Event{Workspace: ws, Source: "src_a", User: u, MessageID: id.Event(body), JSON: []byte(body)})
		if w.rng.IntN(20) == 0 {
			events = append(events, events[len(events)-1]) // an SDK's retry
		}
	}
	if _, err := w.logs["events"].Append(ctx, "", queue.EncodeFrame(events)); err == nil {
		for _, e := range events {
			w.acked = append(w.acked, string(e.JSON))
		}
	}
}

func simulate(t *testing.T, seed uint64) {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), logs: map[string]*queuetest.Log{}, nextN: map[string]int{}, got: map[id.Destination][]string{}}
	faults := queuetest.Faults{Lost: w.rng.IntN(8), Refused: w.rng.IntN(8), Delayed: w.rng.IntN(20)}
	for _, name := range []string{"events", "journal", "parked", "dead", "quarantine", "bad"} {
		f := faults
		if name == "events" {
			f = queuetest.Faults{}
		}
		w.logs[name] = queuetest.NewLog(w.rng.Uint64(), f)
	}
	const lives = 6
	for life := range lives {
		ctx, cancel := context.WithCancel(context.Background())
		p, done := w.start(ctx)
		w.mu.Lock()
		w.down = life < lives-1 && w.rng.IntN(2) == 0
		w.mu.Unlock()
		for range 10 + w.rng.IntN(20) {
			w.append(ctx)
			time.Sleep(time.Duration(w.rng.IntN(200)) * time.Millisecond)
		}
		if life < lives-1 {
			time.Sleep(time.Duration(w.rng.IntN(5000)) * time.Millisecond)
			for _, l := range w.logs {
				l.Crash()
			}
			cancel()
			<-done
			for name, l := range w.logs {
				w.logs[name] = l.Restart()
			}
			continue
		}
		for _, l := range w.logs {
			l.SetFaults(queuetest.Faults{})
		}
		w.settled(p, seed)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("seed %d: Run: %v", seed, err)
		}
	}
	w.check(seed)
}

// settled waits until nothing is in flight or parked and the books balance.
func (w *world) settled(p *pipeline.Pipeline, seed uint64) {
	var rows []ledger.Row
	for range 4000 {
		time.Sleep(time.Second)
		rows = p.Books()
		quiet := len(rows) > 0
		for _, r := range rows {
			quiet = quiet && r.InFlight == 0 && r.Parked == 0 && r.Balanced
		}
		if st, err := w.logs["events"].State(context.Background()); quiet && err == nil && st.Records == 0 {
			return
		}
	}
	st, _ := w.logs["events"].State(context.Background())
	w.t.Errorf("seed %d: not settled: %+v, events %+v", seed, rows, st)
}

func (w *world) check(seed uint64) {
	want := slices.Compact(slices.Sorted(slices.Values(w.acked)))
	for _, d := range dests {
		got, last := map[string]int{}, map[string]string{}
		for _, body := range w.got[d] {
			if got[body]++; got[body] > 1 {
				continue
			}
			u := body[:strings.Index(body, "/")]
			if last[u] > body {
				w.t.Errorf("seed %d: %s got %s after %s", seed, d, body, last[u])
			}
			last[u] = body
		}
		if d == dests[1] {
			continue // some of its deliveries are dead; the book accounts for them
		}
		for _, body := range want {
			if got[body] == 0 {
				w.t.Errorf("seed %d: %s never got %s", seed, d, body)
			}
		}
	}
}

func TestSimulation(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		if t.Failed() {
			return
		}
	}
}

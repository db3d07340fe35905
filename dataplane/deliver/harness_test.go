package deliver_test

import (
	"bytes"
	"cmp"
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

	"weir/dataplane/blob"
	"weir/dataplane/deliver"
	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/overflow"
	"weir/dataplane/parked/record"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
	"weir/shared/id"
)

const ws id.Workspace = "ws_test"

// plain is the simplest destination: one request per event.
type plain struct{ dest id.Destination }

func (p plain) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	reqs := make([]destination.Request, len(b.Items))
	for i, it := range b.Items {
		reqs[i] = destination.Request{Method: "POST", URL: "http://" + string(p.dest) + "/", Header: http.Header{"User": {it.Event.User}}, Body: it.Event.JSON, Items: []int{i}}
	}
	return reqs, nil
}

func (p plain) Judge(r destination.Request, s destination.Response) []destination.Verdict {
	return destination.Classify(r, s)
}

// array sends what it gets in one request.
type array struct{ plain }

func (p array) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	r := destination.Request{Method: "POST", URL: "http://" + string(p.dest) + "/", Header: http.Header{}}
	var bodies []string
	for i, it := range b.Items {
		bodies = append(bodies, string(it.Event.JSON))
		r.Items = append(r.Items, i)
	}
	r.Body = []byte(strings.Join(bodies, "\n"))
	return []destination.Request{r}, nil
}

// Judge takes 207 for an answer of a character per event: 1 if it was taken.
func (p array) Judge(r destination.Request, s destination.Response) []destination.Verdict {
	all := destination.Classify(r, s)
	if s.Status == http.StatusMultiStatus {
		for i := range all {
			if all[i].Outcome = destination.Delivered; s.Body[i] != '1' {
				all[i].Outcome, all[i].Code = destination.Retry, "not_taken"
			}
		}
	}
	return all
}

// server is all destinations of a harness: it answers in memory.
type server struct {
	mu       sync.Mutex
	answer   map[id.Destination]func(body string) (status int, wait time.Duration) // nil: 200 after 1 ms
	received map[id.Destination][]string
	requests map[id.Destination]int
	after    string // Retry-After of every 429
	rng      *rand.Rand
}

func (s *server) do(ctx context.Context, r destination.Request, timeout time.Duration) (destination.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dest, body := id.Destination(strings.Trim(strings.TrimPrefix(r.URL, "http://"), "/")), string(r.Body)
	s.mu.Lock()
	answer := s.answer[dest]
	s.requests[dest]++
	s.mu.Unlock()
	status, wait := 200, time.Millisecond
	if answer != nil {
		status, wait = answer(body)
	}
	select {
	case <-ctx.Done():
		return destination.Response{}, ctx.Err()
	case <-time.After(wait):
	}
	if status == 0 {
		return destination.Response{}, io.ErrUnexpectedEOF
	}
	text := []byte("answer")
	if status < 300 {
		s.mu.Lock()
		events := strings.Split(body, "\n")
		if status == http.StatusMultiStatus {
			text = bytes.Repeat([]byte("1"), len(events))
			events = slices.DeleteFunc(slices.Clone(events), func(e string) bool {
				no := s.rng.IntN(2) == 0
				if no {
					text[slices.Index(events, e)] = '0'
				}
				return no
			})
		}
		s.received[dest] = append(s.received[dest], events...)
		s.mu.Unlock()
	}
	h := http.Header{}
	if status == 429 {
		h.Set("Retry-After", s.after)
	}
	return destination.Response{Status: status, Header: h, Body: text}, nil
}

func (s *server) set(dest id.Destination, answer func(body string) (int, time.Duration)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer[dest] = answer
}

func (s *server) got(dest id.Destination) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received[dest])
}

func (s *server) count(dest id.Destination) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[dest]
}

// always answers every request alike.
func always(status int, wait time.Duration) func(string) (int, time.Duration) {
	return func(string) (int, time.Duration) { return status, wait }
}

type output struct {
	dest id.Destination
	ref  delivery.Ref
}

type spot struct {
	dest id.Destination
	at   delivery.Place
}

type standing struct {
	dest id.Destination
	end  delivery.End
}

// entry of a journal: one report of settlements, or a floor.
type entry struct {
	all   []delivery.Settled
	dest  id.Destination
	floor uint64
}

// books replays a journal and complains about what cannot be.
type books struct {
	ends         map[output]delivery.End // how an output stands
	standing     map[standing]int        // how many outputs do
	codes        map[output]string
	died         map[output]struct{} // at any time
	parked, dead map[spot]output
	done         map[id.Destination]map[delivery.Place]struct{}
	floors       map[id.Destination]uint64
	parkedTo     uint64
	deadTo       uint64
	wrong        []string
}

func newBooks() *books {
	return &books{ends: map[output]delivery.End{}, standing: map[standing]int{}, codes: map[output]string{}, died: map[output]struct{}{}, parked: map[spot]output{}, dead: map[spot]output{},
		done: map[id.Destination]map[delivery.Place]struct{}{}, floors: map[id.Destination]uint64{}}
}

func (b *books) book(e entry) {
	if e.all == nil {
		for at := range b.parked {
			if at.dest == e.dest && at.at.Seq <= e.floor {
				b.wrong = append(b.wrong, fmt.Sprintf("floor %d of %s over %v, which is parked", e.floor, e.dest, at.at))
			}
		}
		b.floors[e.dest] = max(b.floors[e.dest], e.floor) // one is reported again to learn what the journal has
		return
	}
	for _, s := range e.all {
		b.settled(s)
	}
}

func (b *books) settled(s delivery.Settled) {
	out := output{s.Destination, s.Ref}
	bad := func(why string) { b.wrong = append(b.wrong, fmt.Sprintf("%s: %+v", why, s)) }
	switch s.Stage {
	case delivery.Live:
		if _, ended := b.ends[out]; ended {
			bad("settled twice")
		}
	case delivery.FromParked:
		if b.parked[spot{s.Destination, s.From}] != out {
			bad("was not parked there")
		}
		delete(b.parked, spot{s.Destination, s.From})
		if b.done[s.Destination] == nil {
			b.done[s.Destination] = map[delivery.Place]struct{}{}
		}
		b.done[s.Destination][s.From] = struct{}{}
	case delivery.FromDead:
		if b.dead[spot{s.Destination, s.From}] != out {
			bad("was not dead there")
		}
		delete(b.dead, spot{s.Destination, s.From})
	}
	switch s.End {
	case delivery.EndParked:
		b.parked[spot{s.Destination, s.To}] = out
	case delivery.EndDead:
		b.dead[spot{s.Destination, s.To}] = out
		b.died[out] = struct{}{}
	}
	if was, ended := b.ends[out]; ended {
		b.standing[standing{out.dest, was}]--
	}
	b.standing[standing{out.dest, s.End}]++
	b.ends[out], b.codes[out] = s.End, s.Code
	parked, dead := s.Through()
	if parked > 0 && parked < b.parkedTo || dead > 0 && dead < b.deadTo {
		bad("reported out of order")
	}
	b.parkedTo, b.deadTo = max(b.parkedTo, parked), max(b.deadTo, dead)
}

// harness is one partition: logs, destinations, and a journal that may be behind.
type harness struct {
	t            testing.TB
	seed         uint64
	rng          *rand.Rand
	server       *server
	parked, dead *queuetest.Log
	targets      map[id.Destination]*destination.Target
	presence     map[id.Destination]destination.Presence
	lanes        *deliver.Lanes
	stop         func()
	config       func(*deliver.Config)
	quota        int64  // of a destination in PARKED, bytes; 0: none
	deadLimit    int64  // of DEAD, bytes; 0: none
	blobs        string // the folder for what is past it

	looked sync.Mutex // of targets and presence: lanes look things up while mu is held

	mu      sync.Mutex
	journal []entry // durable
	pending []entry // reported, not journaled yet
	books   *books  // of both
	closed  bool    // the process is dead: it cannot journal
	delay   bool    // journal by hand (flush)
	frame   uint64
	offered map[output]delivery.Delivery
	order   []output
	owner   map[id.Destination]id.Workspace // of those that are not of ws
	poison  bool                            // the server refused those that are poisonous: they come late
	refused bool                            // the server refused some, or took a part of a batch: they come late
}

func newHarness(t testing.TB, seed uint64, dests ...id.Destination) *harness {
	w := &harness{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)),
		server:  &server{answer: map[id.Destination]func(string) (int, time.Duration){}, received: map[id.Destination][]string{}, requests: map[id.Destination]int{}, rng: rand.New(rand.NewPCG(seed, 2))},
		parked:  queuetest.NewLog(seed, queuetest.Faults{}),
		dead:    queuetest.NewLog(seed+1, queuetest.Faults{}),
		targets: map[id.Destination]*destination.Target{}, presence: map[id.Destination]destination.Presence{},
		books: newBooks(), offered: map[output]delivery.Delivery{},
	}
	for _, d := range dests {
		w.targets[d] = &destination.Target{Workspace: ws, ID: d, Name: string(d), Type: "plain", Opened: destination.Opened{
			HTTP: plain{d}, Limits: destination.Limits{Ordered: true, Concurrency: 8, BatchSize: 1, Timeout: 30 * time.Second},
		}}
		w.presence[d] = destination.Present
	}
	return w
}

// change replaces a destination by a changed copy.
func (w *harness) change(d id.Destination, f func(*destination.Target)) {
	w.looked.Lock()
	defer w.looked.Unlock()
	t := *w.targets[d]
	f(&t)
	w.targets[d] = &t
}

func (w *harness) setPresence(d id.Destination, p destination.Presence) {
	w.looked.Lock()
	defer w.looked.Unlock()
	w.presence[d] = p
}

func (w *harness) lookup(_ id.Workspace, d id.Destination) (*destination.Target, destination.Presence) {
	w.looked.Lock()
	defer w.looked.Unlock()
	if w.presence[d] != destination.Present {
		return nil, w.presence[d]
	}
	return w.targets[d], destination.Present
}

// overflow moves what is past the quota of w to its blob store.
func (w *harness) overflow(ctx context.Context) *overflow.Log {
	w.t.Helper()
	blobs, err := blob.Open(w.blobs)
	for err == nil {
		var o *overflow.Log
		o, err = overflow.New(ctx, overflow.Config{
			Log: w.parked, Limit: 4 * w.quota, Blobs: blobs, Folder: "0", Stored: 1 << 30, Segment: 1 + w.quota/4, Every: 100 * time.Millisecond,
		})
		if err == nil {
			return o
		}
		if fault.KindOf(err) == fault.Unavailable {
			err = nil // again
		}
	}
	w.t.Fatal(err)
	panic("unreachable")
}

// whole is a log of which every key may have all.
func whole(t testing.TB, log queue.Log) *overflow.Log {
	t.Helper()
	o, err := overflow.New(t.Context(), overflow.Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// start is one life of the process: scan, recover, run.
func (w *harness) start() {
	w.t.Helper()
	w.mu.Lock()
	w.books, w.pending, w.closed = newBooks(), nil, false
	for _, e := range w.journal {
		w.books.book(e)
	}
	b := w.books
	recovery := delivery.Recovery{ParkedThrough: b.parkedTo, DeadThrough: b.deadTo, Drained: map[id.Destination]delivery.Drained{}}
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	log, moving := whole(w.t, w.parked), sync.WaitGroup{}
	if w.quota > 0 {
		moved := w.overflow(ctx)
		moving.Go(func() { moved.Run(ctx) })
		log = moved
	}
	dead, err := overflow.New(ctx, overflow.Config{Log: w.dead, Limit: w.deadLimit, Every: 100 * time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	moving.Go(func() { dead.Run(ctx) })
	var found []delivery.Settled
	err = record.Missed(ctx, log, w.dead, recovery.ParkedThrough, recovery.DeadThrough, func(s delivery.Settled) error {
		found = append(found, s)
		return nil
	})
	if err != nil {
		w.t.Errorf("Missed: %v", err)
	}
	if len(found) > 0 {
		w.mu.Lock()
		w.add(entry{all: found})
		w.mu.Unlock()
	}
	for d := range w.targets {
		recovery.Drained[d] = delivery.Drained{Floor: b.floors[d], Done: b.done[d]}
	}
	cfg := deliver.Config{
		Parked: log, Dead: dead, Lookup: w.lookup, Do: w.server.do, Seed: w.seed + 7, Grace: time.Millisecond,
		Settle: func(all []delivery.Settled) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.add(entry{all: all})
		},
		Drained: func(d id.Destination, floor uint64) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.add(entry{dest: d, floor: floor})
		},
	}
	if w.config != nil {
		w.config(&cfg)
	}
	lanes, err := deliver.New(cfg)
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	if err := lanes.Recover(ctx, recovery); err != nil {
		w.t.Errorf("Recover: %v", err)
	}
	w.lanes = lanes
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := lanes.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	w.stop = func() { cancel(); <-done; moving.Wait() }
}

// add books a report; the journal has it at once unless it is delayed. It runs under mu.
func (w *harness) add(e entry) {
	if w.closed {
		return
	}
	w.books.book(e)
	w.pending = append(w.pending, e)
	if !w.delay {
		w.flushN(len(w.pending))
	}
}

// flushN journals the first n pending reports. It runs under mu.
func (w *harness) flushN(n int) {
	for _, e := range w.pending[:n] {
		w.journal = append(w.journal, e)
		if e.all == nil && w.lanes != nil {
			w.lanes.Confirmed(e.dest, e.floor)
		}
	}
	w.pending = slices.Clone(w.pending[n:])
}

func (w *harness) retryAfter(text string) {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	w.server.after = text
}

// crash ends the process in the middle of everything; the next one starts with
// what was durable.
func (w *harness) crash() {
	w.mu.Lock()
	if w.delay && len(w.pending) > 0 {
		w.flushN(w.rng.IntN(len(w.pending) + 1))
	}
	w.closed = true
	w.mu.Unlock()
	w.parked.Crash()
	w.dead.Crash()
	w.stop()
	w.parked, w.dead = w.parked.Restart(), w.dead.Restart()
}

// offer sends one event of user to dest, through a frame of its own.
func (w *harness) offer(user string, dests ...id.Destination) {
	w.t.Helper()
	w.frame++
	body := fmt.Sprintf("%s/%06d", user, w.frame)
	var ds []delivery.Delivery
	for _, d := range dests {
		x := delivery.Delivery{
			Ref: delivery.Ref{Frame: w.frame}, Destination: d, Revision: 3, Read: time.Now(),
			Event: event.Event{Workspace: cmp.Or(w.owner[d], ws), Source: "src_web", MessageID: id.Event(body), Type: "track", User: user, ReceivedAt: time.Now().UTC().Truncate(time.Millisecond), JSON: []byte(body)},
		}
		w.offered[output{d, x.Ref}] = x
		w.order = append(w.order, output{d, x.Ref})
		ds = append(ds, x)
	}
	if err := w.lanes.Offer(context.Background(), ds); err != nil {
		w.t.Errorf("Offer: %v", err)
	}
}

// reoffer offers again, in order, what the books do not know an end of: what a
// new owner reads from its frames.
func (w *harness) reoffer() {
	for _, out := range w.order {
		w.mu.Lock()
		_, ended := w.books.ends[out]
		w.mu.Unlock()
		if ended {
			continue
		}
		d := w.offered[out]
		d.Read = time.Now()
		if err := w.lanes.Offer(context.Background(), []delivery.Delivery{d}); err != nil {
			w.t.Errorf("Offer: %v", err)
		}
	}
}

// settledAs returns how many outputs of dest stand at end.
func (w *harness) settledAs(dest id.Destination, end delivery.End) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.books.standing[standing{dest, end}]
}

// wait waits until ok, or fails after a (usually jumped) time.
func (w *harness) wait(what string, ok func() bool) {
	w.t.Helper()
	for range 200_000 {
		synctest.Wait() // what is under way at this moment has come to its end
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("seed %d: still not: %s", w.seed, what)
}

// delivered waits until every offered output of dest is booked as delivered.
func (w *harness) delivered(dest id.Destination) {
	w.t.Helper()
	w.wait("all of "+string(dest)+" delivered", func() bool {
		n := 0
		for out := range w.offered {
			if out.dest == dest {
				n++
			}
		}
		return w.settledAs(dest, delivery.EndDelivered) == n
	})
}

// checkBooks says what the books complained about.
func (w *harness) checkBooks() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wrong := range w.books.wrong {
		w.t.Errorf("seed %d: books: %s", w.seed, wrong)
	}
	for out := range w.books.died {
		if d := w.offered[out]; w.poison && !w.refused && !poisonous(string(d.Event.JSON)) {
			w.t.Errorf("seed %d: %s died, and nobody refused it alone", w.seed, d.Event.JSON)
		}
	}
}

// check looks at books and order. Repeats are how often the server may have got
// an event more than once.
func (w *harness) check(dest id.Destination, repeats int) {
	w.t.Helper()
	w.checkBooks()
	seen, newest, twice := map[string]bool{}, map[string]string{}, 0
	for _, body := range w.server.got(dest) {
		if seen[body] {
			twice++
			continue
		}
		seen[body] = true
		if w.poison && poisonous(body) { // redriven
			continue
		}
		user, _, _ := strings.Cut(body, "/")
		if body < newest[user] {
			w.t.Errorf("seed %d: %s got %s after %s", w.seed, dest, body, newest[user])
		}
		newest[user] = body
	}
	if twice > repeats {
		w.t.Errorf("seed %d: %s got %d events twice, want %d at most", w.seed, dest, twice, repeats)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for out, d := range w.offered {
		if out.dest == dest && w.books.ends[out] == delivery.EndDelivered && !seen[string(d.Event.JSON)] {
			w.t.Errorf("seed %d: %s never got %s, which is booked as delivered", w.seed, dest, d.Event.JSON)
		}
	}
}

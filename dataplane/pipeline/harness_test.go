package pipeline_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/dedupe"
	"weir/dataplane/deliver"
	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/filter"
	"weir/dataplane/overflow"
	"weir/dataplane/pipeline"
	"weir/dataplane/pipeline/aside"
	"weir/dataplane/plan"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/dataplane/route"
	"weir/dataplane/transform"
	"weir/shared/fault"
	rules "weir/shared/filter"
	"weir/shared/id"
	"weir/shared/workspace"
)

const (
	ws id.Workspace = "ws_test"
	// neighbour is a workspace with the same sources and destinations that is always loaded.
	neighbour id.Workspace   = "ws_neighbour"
	source    id.Source      = "src_test"
	steady    id.Destination = "dst_steady"
	shaky     id.Destination = "dst_shaky"
	coded     id.Destination = "dst_coded" // behind a transformation
	fleet     id.Destination = "dst_fleet" // connected by every other revision
)

// hook sends one request per event; the body is the event's id.
type hook struct{ dest id.Destination }

func (h hook) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	reqs := make([]destination.Request, len(b.Items))
	for i, it := range b.Items {
		reqs[i] = destination.Request{Method: "POST", URL: "http://" + string(h.dest) + "/", Header: http.Header{}, Body: it.Event.JSON, Items: []int{i}}
	}
	return reqs, nil
}

func (h hook) Judge(r destination.Request, s destination.Response) []destination.Verdict {
	return destination.Classify(r, s)
}

// arrival is an event that a destination took.
type arrival struct {
	what string
	at   time.Time
}

// kinds of logs, by queue.Kind.
const kinds = int(queue.Bad) + 1

// harness is one partition's disk and destinations, which outlive processes.
type harness struct {
	t      testing.TB
	seed   uint64
	rng    *rand.Rand // the test's own goroutine
	disk   [kinds]*queuetest.Log
	limits [kinds]int64                // of what destinations share, bytes; 0: none
	table  map[id.Source]*plan.Routing // of the revision without fleet
	other  map[id.Source]*plan.Routing // of the one with it, nil while revisions do not change

	mu       sync.Mutex
	dice     *rand.Rand
	answer   map[id.Destination]func() (status int, wait time.Duration)
	arrived  map[id.Destination][]arrival
	epoch    uint64
	against  string                    // the user of whom shaky takes nothing
	known    bool                      // the workspace is loaded
	snapshot map[dedupe.Key]dedupe.Pos // the dedupe index on disk
	position uint64

	accepted   map[string][]string // per user, the events in the order in which they were accepted
	copies     int                 // frames' events in all, with retries
	fresh      int                 // of them, those not sent again
	broken     int                 // of them, those quarantined at the gateway
	serial     int
	sent       [][]event.Event // for clients that try again later
	checkpoint int
	keep       time.Duration // how long the journal keeps dedupe keys
	covers     time.Duration // from one snapshot of the dedupe index to the next; 0: short
	unkept     int           // of 100 snapshots of the dedupe index, how many fail
	journal    int64         // bytes that JOURNAL may hold; 0: no limit
	fixed      atomic.Bool   // the code refuses nothing any more
	grace      time.Duration
	loading    time.Duration                                    // how long an owner waits for a workspace
	removed    atomic.Bool                                      // shaky is no destination any more
	code       func(events int) (wait time.Duration, down bool) // how the workers do; nil: by chance
	forgets    bool                                             // the dedupe index keeps nothing
	jumped     atomic.Bool                                      // the dedupe index says that the clock did
	full       int64                                            // bytes that keys share of QUARANTINE, which moves to objects what is more; 0: all
	objects    string                                           // their folder
	away       atomic.Pointer[string]                           // the blob store takes nothing of this key, "" for all; nil: it takes everything
	ahead      time.Duration                                    // of the clock for what is kept for days
	board      aside.Board
	unloads    bool        // the workspace is not loaded after a restart
	unloaded   bool        // it was so
	cuts       []time.Time // when processes died or lost the partition
}

func newHarness(t testing.TB, seed uint64) *harness {
	w := &harness{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), dice: rand.New(rand.NewPCG(seed, 2)), known: true,
		grace: time.Millisecond, loading: 100 * time.Millisecond, answer: map[id.Destination]func() (int, time.Duration){}, arrived: map[id.Destination][]arrival{},
		snapshot: map[dedupe.Key]dedupe.Pos{}, accepted: map[string][]string{},
	}
	for k := range w.disk {
		w.disk[k] = queuetest.NewLog(seed*10+uint64(k), queuetest.Faults{})
	}
	w.table = revision(1)
	return w
}

// revision is the routing of a configuration with the destinations that every
// revision has, behind those of before.
func revision(n uint64, before ...id.Destination) map[id.Source]*plan.Routing {
	c := workspace.Config{Sources: []workspace.Source{{ID: source, Name: "web"}}}
	var chains []*transform.Chain
	for _, d := range append(before, steady, shaky, coded) {
		c.Destinations = append(c.Destinations, workspace.Destination{ID: d, Name: strings.TrimPrefix(string(d), "dst_"), Type: "hook"})
		to := workspace.Connection{Source: source, Destination: d}
		if d == coded {
			to.Transformations = []id.Transformation{"tf"}
			chains = []*transform.Chain{nil, {Key: "tf"}}
		}
		c.Connections = append(c.Connections, to)
	}
	noPages, _ := filter.New(rules.Rules{Events: &rules.Events{Deny: []string{"type:page"}}}, &rules.Compiler{})
	return map[id.Source]*plan.Routing{source: {Revision: n, Table: route.Compile(c)[source], Chains: chains, Filters: map[id.Destination]*filter.Filter{coded: noPages}}}
}

// revise lets the revision change at any moment from now on.
func (w *harness) revise() { w.other = revision(2, fleet) }

func (w *harness) faults(f queuetest.Faults, which ...queue.Kind) {
	for _, k := range which {
		w.disk[k].SetFaults(f)
	}
}

// accept is the gateway: it appends a frame of n events, again when the answer
// was lost, as a client would.
func (w *harness) accept(n int) {
	var events []event.Event
	for range n {
		w.serial++
		user := fmt.Sprint("u", w.rng.IntN(4))
		typ := "track"
		if w.serial%13 == 0 {
			typ = "page" // which coded does not take
		}
		e := event.Event{
			Workspace: ws, Source: source, MessageID: id.Event(fmt.Sprint("m", w.serial)), Type: typ, User: user,
			ReceivedAt: time.Now().UTC(), JSON: fmt.Appendf(nil, `"%s %d"`, user, w.serial),
		}
		if w.rng.IntN(30) == 0 {
			e.Quarantine = "no_id"
			w.broken++
		}
		events = append(events, e)
	}
	w.append(events)
	for _, e := range events {
		if e.Quarantine == "" {
			w.accepted[e.User] = append(w.accepted[e.User], string(e.JSON))
		}
	}
	w.sent = append(w.sent, events)
	if w.rng.IntN(8) == 0 { // a client that did not hear the answer
		at := w.rng.IntN(len(w.sent))
		if w.rng.IntN(2) == 0 {
			at = len(w.sent) - 1 // at once
		}
		w.repeat(w.sent[at])
	}
}

func (w *harness) repeat(events []event.Event) {
	w.append(events)
	w.broken += len(slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return e.Quarantine == "" }))
}

func (w *harness) append(events []event.Event) {
	if _, err := w.disk[queue.Events].Share().Append(w.t.Context(), "", queue.EncodeFrame(events)); err != nil {
		w.t.Fatalf("seed %d: append: %v", w.seed, err)
	}
	w.copies += len(events)
	for i := range events {
		if !events[i].Replayed && events[i].Delivery == "" {
			w.fresh++
		}
	}
}

// fill lets keys share little of QUARANTINE, from now on and in every life, with
// objects for what the logs have too much of.
func (w *harness) fill() { w.full, w.objects = 4000, w.t.TempDir() }

// blobs is the blob store, which may take nothing of one key or of all.
type blobs struct {
	blob.Store
	w *harness
}

func (b blobs) Put(ctx context.Context, r blob.Ref, write func(io.Writer) error) error {
	if key := b.w.away.Load(); key != nil && strings.Contains(string(r), "/"+*key) {
		return fault.New(fault.Unavailable, "the blob store takes nothing")
	}
	return b.Store.Put(ctx, r, write)
}

// fail lets the blob store take nothing of a key from now on, "" for all.
func (w *harness) fail(key string) { w.away.Store(&key) }

// overflow is what a life makes of a log of which keys share so many bytes.
func (pr *process) overflow(k queue.Kind, limit int64) *overflow.Log {
	c := overflow.Config{Log: pr.logs[k], Limit: limit, Every: 100 * time.Millisecond, Insist: k == queue.Quarantine}
	if pr.w.objects != "" && limit > 0 {
		dir, err := blob.Open(pr.w.objects)
		if err != nil {
			pr.w.t.Fatal(err)
		}
		c.Blobs, c.Folder, c.Stored, c.Segment = blobs{dir, pr.w}, blob.Ref(k.String()), limit/4, 1500
	}
	o, err := overflow.New(context.Background(), c)
	if err != nil {
		pr.w.t.Fatal(err)
	}
	pr.beside.Go(func() { o.Run(pr.life) })
	return o
}

// open opens the logs of which keys have shares.
func (pr *process) open() {
	pr.parked, pr.buried = pr.overflow(queue.Parked, pr.w.limits[queue.Parked]), pr.overflow(queue.Dead, pr.w.limits[queue.Dead])
	pr.quarantine = pr.logs[queue.Quarantine]
	if pr.w.full > 0 {
		pr.quarantine = pr.overflow(queue.Quarantine, pr.w.full)
	}
}

// kept returns the events in QUARANTINE.
func (pr *process) kept() (all []event.Event) {
	for rec, err := range pr.quarantine.ReadTo(context.Background(), 1, "") {
		var f queue.Frame
		if err == nil {
			f, err = queue.DecodeFrame(rec.Data)
		}
		if err != nil {
			pr.w.t.Errorf("seed %d: QUARANTINE: %v", pr.w.seed, err)
		}
		all = append(all, f.Events...)
	}
	return all
}

// process is one life of a plane that owns the partition.
type process struct {
	w    *harness
	logs [kinds]*queuetest.Log
	p    *pipeline.Pipeline

	quarantine     queue.Log
	parked, buried *overflow.Log
	end            func()
	ended          chan struct{}

	life   context.Context
	beside sync.WaitGroup // until life ends

	fuse atomic.Int64 // writes until it dies; 0: it does not by itself

	mu     sync.Mutex
	dead   bool
	stale  bool // it lost the lease, and has not heard of it
	keys   map[dedupe.Key]dedupe.Pos
	alarms map[string]int
}

// restart begins a life after another one, in which the workspace may not be loaded.
func (w *harness) restart() *process {
	if w.unloads && !w.unloaded && w.rng.IntN(2) == 0 {
		w.unloaded = true
		w.load(false)
	}
	return w.start()
}

// start begins a life.
func (w *harness) start() *process {
	pr := &process{w: w, keys: map[dedupe.Key]dedupe.Pos{}, alarms: map[string]int{}, ended: make(chan struct{})}
	w.mu.Lock()
	for k, v := range w.snapshot {
		pr.keys[k] = v
	}
	seen := &seen{pr: pr, position: w.position}
	w.mu.Unlock()
	for k := range pr.logs {
		pr.logs[k] = w.disk[k].Restart()
		pr.logs[k].After(func() {
			if pr.fuse.Load() > 0 && pr.fuse.Add(-1) == 0 {
				pr.die()
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	pr.life = ctx
	pr.open()
	hasher := dedupe.NewHasher([32]byte{})
	cfg := pipeline.Config{
		Events: pr.logs[queue.Events], Journal: pr.logs[queue.Journal], Parked: pr.parked, Dead: pr.buried,
		Quarantine: pr.quarantine, Bad: pr.logs[queue.Bad],
		Lease: func(context.Context) (pipeline.Lease, uint64, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.epoch++
			return lease{pr}, w.epoch, nil
		},
		Lanes: pr.lanes, Aside: &w.board,
		Route: func(of id.Workspace, s id.Source) (*plan.Routing, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.other != nil && w.dice.IntN(4) == 0 {
				w.table, w.other = w.other, w.table
			}
			return w.table[s], w.known || of == neighbour
		},
		Transform: pr.transform, CodeBytes: 4 * 4096, Grace: w.loading,
		Now:  func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.ahead) },
		Seen: seen, Key: hasher.Key, OpenFrames: 50, JournalMax: w.journal, KeepKeys: w.keep, Snapshot: cmp.Or(w.covers, w.keep/10_000, 200*time.Millisecond), Checkpoint: w.checkpoint,
		Alarm: func(code string) {
			pr.mu.Lock()
			defer pr.mu.Unlock()
			pr.alarms[code]++
		},
	}
	p, err := pipeline.New(cfg)
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	pr.p, pr.end = p, cancel
	go func() {
		defer close(pr.ended)
		p.Keep(ctx)
	}()
	return pr
}

func (pr *process) lanes(r pipeline.Reports) (pipeline.Lanes, error) {
	lookup := func(_ id.Workspace, d id.Destination) (*destination.Target, destination.Presence) {
		if d == shaky && pr.w.removed.Load() {
			return nil, destination.Removed
		}
		return &destination.Target{Workspace: ws, ID: d, Name: string(d), Type: "hook", Opened: destination.Opened{
			HTTP: hook{d}, Limits: destination.Limits{Ordered: true, Concurrency: 4, BatchSize: 1, Timeout: 30 * time.Second},
		}}, destination.Present
	}
	l, err := deliver.New(deliver.Config{
		Parked: pr.parked, Dead: pr.buried, Lookup: lookup, Settle: r.Settle, Drained: r.Drained, Held: r.Held,
		Do: pr.do, Seed: pr.w.seed + 1, Grace: pr.w.grace, Owners: 1,
	})
	return l, err
}

// filtered reports whether the connection to coded does not take an event.
func filtered(e string) bool {
	_, number, _ := strings.Cut(strings.Trim(e, `"`), " ")
	n, err := strconv.Atoi(number)
	return err == nil && n%13 == 0
}

// rewritten is what the code on the way to coded makes of an event: nothing, a
// refusal, several, or one.
func rewritten(e string) (outs []string, refused bool) {
	_, number, _ := strings.Cut(strings.Trim(e, `"`), " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		n = 1 // an event of another form goes on as one
	}
	text := strings.TrimSuffix(e, `"`)
	switch {
	case filtered(e), n%7 == 0:
		return nil, false
	case n%11 == 0:
		return nil, true
	case n%5 == 0:
		return []string{text + `.1"`, text + `.2"`, text + `.3"`}, false
	}
	return []string{text + `'"`}, false
}

// transform is the workers: slow now and then, and sometimes down.
func (pr *process) transform(ctx context.Context, _ *transform.Chain, m transform.Meta, in []event.Event) (transform.Result, error) {
	w := pr.w
	w.mu.Lock()
	wait, down := time.Duration(w.dice.IntN(20))*time.Millisecond, w.dice.IntN(6) == 0
	if w.dice.IntN(10) == 0 {
		wait *= 100
	}
	if w.code != nil {
		wait, down = w.code(len(in))
	}
	w.mu.Unlock()
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return transform.Result{}, fault.New(fault.Unavailable, "the context ended")
	}
	if dead, _ := pr.is(); dead || down {
		return transform.Result{}, fault.New(fault.Unavailable, "no worker runs")
	}
	if m.Destination != coded || m.DestinationName != "coded" || m.Source != source {
		w.t.Errorf("seed %d: the code is told %+v", w.seed, m)
	}
	var r transform.Result
	for i, e := range in {
		if e.Type == "page" {
			w.t.Errorf("seed %d: the code is given %s, which its connection does not take", w.seed, e.JSON)
		}
		outs, refused := rewritten(string(e.JSON))
		if refused && w.fixed.Load() {
			outs, refused = []string{string(e.JSON)}, false
		}
		for _, o := range outs {
			out := e
			out.JSON = []byte(o)
			r.Outs = append(r.Outs, transform.Out{From: i, Event: out})
		}
		if refused {
			r.Ends = append(r.Ends, transform.End{From: i, Quarantined: true, Code: "transformation_failed", Text: "no"})
		} else if len(outs) == 0 {
			r.Ends = append(r.Ends, transform.End{From: i, Code: "transformation_dropped"})
		}
	}
	return r, nil
}

// crash ends the process as kill -9 does: nothing is written any more, and of
// the requests under way some arrive.
func (pr *process) crash() {
	pr.die()
	pr.stop()
}

func (pr *process) die() {
	pr.w.cut()
	pr.mu.Lock()
	pr.dead = true
	pr.mu.Unlock()
	for _, l := range pr.logs {
		l.Crash()
	}
}

func (pr *process) stop() {
	pr.end()
	<-pr.ended
	pr.beside.Wait()
}

// supersede lets another process have the partition, of which this one will
// hear only when it writes.
func (pr *process) supersede() {
	pr.w.cut()
	pr.mu.Lock()
	defer pr.mu.Unlock()
	pr.stale = true
}

func (w *harness) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts = append(w.cuts, time.Now())
}

// raised returns how often an alarm was.
func (pr *process) raised(code string) int {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	return pr.alarms[code]
}

func (pr *process) is() (dead, stale bool) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	return pr.dead, pr.stale
}

// do is the network and the destinations behind it.
func (pr *process) do(ctx context.Context, r destination.Request, timeout time.Duration) (destination.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w, dest := pr.w, id.Destination(strings.Trim(strings.TrimPrefix(r.URL, "http://"), "/"))
	if dead, _ := pr.is(); dead {
		return destination.Response{}, io.ErrUnexpectedEOF
	}
	w.mu.Lock()
	status, wait := 200, time.Millisecond
	if f := w.answer[dest]; f != nil {
		status, wait = f()
	}
	if user, _, _ := strings.Cut(strings.Trim(string(r.Body), `"`), " "); dest == shaky && user == w.against {
		status = 500
	}
	w.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	dead, _ := pr.is()
	w.mu.Lock()
	defer w.mu.Unlock()
	gone := dead || ctx.Err() != nil
	if status == 200 && (!gone || w.dice.IntN(2) == 0) {
		w.arrived[dest] = append(w.arrived[dest], arrival{string(r.Body), time.Now()})
	}
	if gone || status == 0 {
		return destination.Response{}, cmp.Or(ctx.Err(), io.ErrUnexpectedEOF)
	}
	return destination.Response{Status: status, Header: http.Header{}}, nil
}

// answers sets how a destination answers; nil: 200 after a millisecond.
func (w *harness) answers(d id.Destination, f func() (int, time.Duration)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer[d] = f
}

// refuse makes shaky take nothing of a user; "": it takes everybody's.
func (w *harness) refuse(user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.against = user
}

// of returns what a destination got of a user.
func (w *harness) of(d id.Destination, user string) (all []arrival) {
	for _, a := range w.at(d) {
		if strings.HasPrefix(a.what, `"`+user+" ") {
			all = append(all, a)
		}
	}
	return all
}

func always(status int, wait time.Duration) func() (int, time.Duration) {
	return func() (int, time.Duration) { return status, wait }
}

func (w *harness) load(known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = known
}

func (w *harness) at(d id.Destination) []arrival {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.arrived[d])
}

// lease is what a process has of the partition's lease. Its renewals do not
// notice that it was lost: only the journal's order protects the partition.
type lease struct{ pr *process }

func (l lease) Held() bool {
	dead, stale := l.pr.is()
	return !dead && !stale
}

func (l lease) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (l lease) Release(context.Context) error {
	if _, stale := l.pr.is(); stale {
		l.pr.end() // it will not get the lease again
	}
	return nil
}

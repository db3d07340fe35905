package load_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/dataplane/ledger"
	"weir/dataplane/load"
	"weir/dataplane/overflow"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/mutationtest"
)

// stageBytes is what a STAGE takes; what is more moves to objects.
const stageBytes = 6000

// TestSimulation loads three warehouses through deaths of the process at any
// step, logs that fail and read slowly, and warehouses that are away, hang, fail,
// merge and do not say so, refuse some rows for good, or all of them for a while; now and then one has no job for a while or is
// removed for ever. In half of the seeds STAGE takes little: what is more moves to
// objects, and a warehouse that has too much there is refused. In the end each that is not removed has the newest row of
// every id that is not refused, it never had an older one after a newer, each refused
// event was told, with its own reason, each delivery was a row or was taken back under
// its own name, also those to a removed warehouse, what waited in STAGE was counted as staged,
// and nothing is left in STAGE, in objects, nor of a removed one in a folder.
//
// A seed has at least 500 events and ten faults.
func TestSimulation(t *testing.T) {
	t.Parallel()
	var full, moved atomic.Int64
	queuetest.Simulate(t, 40, func(t testing.TB, seed uint64) {
		w := newHarness(t, seed)
		w.live()
		if w.full {
			full.Add(1)
		}
		if w.most > 0 {
			moved.Add(1)
		}
	})
	if full.Load() >= 10 && moved.Load() < full.Load()/2 {
		t.Errorf("something moved to objects in %d of %d seeds in which STAGE takes little", moved.Load(), full.Load())
	}
}

func TestSimulationFindsMutants(t *testing.T) {
	t.Parallel()
	mutationtest.Run(t, mutationtest.Tests{Pattern: "^TestSimulation$", Args: []string{"-seeds=200"}, Control: []string{"-seeds=5"}})
}

// sea is a warehouse that outlives processes: the newest row of each id.
type sea struct {
	w      *harness
	rows   map[string]int // version by id
	merged map[int]bool   // versions that were rows at a time, or older than the row
	away   bool
	hang   bool
	fails  int              // of 100 merges, before they did anything
	lost   int              // of 100 merges, done without an answer
	load   string           // the newest one
	seqs   map[string]int64 // of its newest row of each id
	shut   bool             // the table refuses every row
}

func (s *sea) open(ctx context.Context) (warehouse.Warehouse, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.away || s.w.dead {
		return nil, errors.New("nobody answers")
	}
	return s, nil
}

func (s *sea) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	return (&lake{}).Schema(ctx, tables)
}
func (s *sea) Alter(context.Context, []warehouse.Change) error         { return nil }
func (s *sea) Query(context.Context, string, func([]byte) error) error { return nil }
func (s *sea) Exec(context.Context, []string) (int64, error)           { return 0, nil }
func (s *sea) Test(context.Context) error                              { return nil }
func (s *sea) Close() error                                            { return nil }

func (s *sea) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	s.w.mu.Lock()
	hang, fails, lost, shut := s.hang, s.w.rng.IntN(100) < s.fails, s.w.rng.IntN(100) < s.lost, s.shut
	s.w.mu.Unlock()
	if hang {
		<-ctx.Done()
		return warehouse.Merged{}, ctx.Err()
	}
	var rows []row
	for _, f := range files {
		more, err := rowsOf(ctx, s.w.c.Blobs, f.Ref)
		if err != nil {
			return warehouse.Merged{}, err
		}
		rows = append(rows, more...)
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return !t.Has(r.seq) })
	slices.SortFunc(rows, func(a, b row) int { return int(a.seq - b.seq) })
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.dead || fails {
		return warehouse.Merged{}, errors.New("the connection broke")
	}
	if shut {
		return warehouse.Merged{}, warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, errors.New("the table is shut")))
	}
	if slices.ContainsFunc(rows, func(r row) bool { return refusesRow(r.version) }) {
		return warehouse.Merged{}, warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Rows, errors.New("a row is not unique")))
	}
	if load := path.Dir(string(files[0].Ref)); load != s.load {
		s.load, s.seqs = load, map[string]int64{}
	}
	newest := map[string]row{}
	for _, r := range rows {
		s.merged[r.version] = true
		newest[r.id] = r
	}
	for id, r := range newest {
		// STAGE may have a record twice: what a table refuses of it parts the copy.
		if r.seq < s.seqs[id] || r.version < s.rows[id] && t.To == 0 {
			s.w.t.Errorf("seed %d: %s went from version %d to %d", s.w.seed, id, s.rows[id], r.version)
		}
		s.rows[id], s.seqs[id] = r.version, r.seq
	}
	if lost {
		return warehouse.Merged{}, errors.New("the answer was lost")
	}
	return warehouse.Merged{Rows: int64(len(newest))}, nil
}

// refusesRow says which rows no table takes.
func refusesRow(version int) bool { return version%23 == 0 }

type row struct {
	id      string
	version int
	seq     int64
}

func rowsOf(ctx context.Context, blobs blob.Store, ref blob.Ref) (rows []row, err error) {
	f, err := blobs.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := parquet.NewReader(f)
	at := func(name string) int {
		return slices.IndexFunc(r.Schema().Columns(), func(p []string) bool { return p[0] == name })
	}
	id, version, seq := at("id"), at("secret"), at(warehouse.SeqColumn)
	buf := make([]parquet.Row, 64)
	for {
		n, err := r.ReadRows(buf)
		for _, x := range buf[:n] {
			v, bad := strconv.Atoi(string(x[version].ByteArray()))
			if bad != nil {
				return nil, bad
			}
			rows = append(rows, row{string(x[id].ByteArray()), v, x[seq].Int64()})
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return rows, err
		}
	}
}

// place is where a delivery goes.
type place struct {
	partition   int
	destination id.Destination
}

// version is a version of a name.
type version struct {
	name string
	n    int
}

// harness is a plane's disk and its warehouses.
type harness struct {
	t    testing.TB
	seed uint64
	c    load.Config
	disk []*queuetest.Log // STAGE by partition
	logs []*queuetest.Log // as this life has them
	full bool             // STAGE takes little
	ran  sync.WaitGroup
	end  context.CancelFunc
	seas map[id.Destination]*sea

	mu      sync.Mutex
	rng     *rand.Rand
	dead    bool
	engine  *load.Engine   // of this life
	stages  []queue.Log    // as this life has them
	fuse    int            // steps until the process dies; 0: it does not
	gone    id.Destination // has no job at the moment
	removed map[id.Destination]bool
	unsure  map[int]string    // names by version, of what was refused after a lost answer
	refused map[string]string // codes by event

	// The books: where each delivery was staged, which of them count as delivered, and
	// the codes of those that a load took back.
	deliveries map[string]place
	delivered  map[string]version
	taken      map[string]string

	staged  map[id.Destination]map[string]version // by event
	refuses map[string]id.Destination
	version int
	most    int // objects
}

func newHarness(t testing.TB, seed uint64) *harness {
	dir := t.TempDir()
	blobs, err := blob.Open(dir + "/files")
	if err != nil {
		t.Fatal(err)
	}
	w := &harness{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 3)), removed: map[id.Destination]bool{}, unsure: map[int]string{}, refused: map[string]string{}, deliveries: map[string]place{}, delivered: map[string]version{}, taken: map[string]string{}, refuses: map[string]id.Destination{},
		seas: map[id.Destination]*sea{}, staged: map[id.Destination]map[string]version{}}
	for _, d := range []id.Destination{"dst_a", "dst_b", "dst_c"} {
		w.seas[d], w.staged[d] = &sea{w: w, rows: map[string]int{}, merged: map[int]bool{}}, map[string]version{}
	}
	w.c = load.Config{Dir: dir, Blobs: blobs, MaxEvents: 20 + int(seed%30), Parallel: 2, Jobs: w.jobs, Removed: w.isRemoved, Refused: w.refuse}
	w.full = seed%2 == 0
	f := queuetest.Faults{Lost: 10, Refused: 10, Delayed: 10, Slow: 5}
	if w.full {
		f.MaxBytes = stageBytes
	}
	for p := range 2 {
		w.disk = append(w.disk, queuetest.NewLog(seed*10+uint64(p), f))
	}
	return w
}

func (w *harness) jobs() (jobs []load.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for d, s := range w.seas {
		if d != w.gone && !w.removed[d] {
			jobs = append(jobs, load.Job{Workspace: "ws", Destination: d, Name: string(d), Type: "postgres", Layout: postgres(), SyncEvery: 5 * time.Second,
				Options: layout.Options{SkipTracksTable: true}, Open: s.open})
		}
	}
	return jobs
}

func (w *harness) isRemoved(ws id.Workspace, d id.Destination) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return ws == "ws" && w.removed[d]
}

// refuse is told what a load takes back, and books each delivery once.
func (w *harness) refuse(_ context.Context, partition int, events []event.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead || w.rng.IntN(10) == 0 {
		return errors.New("QUARANTINE is away")
	}
	for _, e := range events {
		if e.Quarantine == "" || strings.HasSuffix(e.Quarantine, "_refused") != (e.Detail != "") {
			w.t.Errorf("seed %d: kept without a reason: %+v", w.seed, e)
		}
		if of, ok := w.deliveries[e.Delivery]; !ok || of != (place{partition, e.Destination}) {
			w.t.Errorf("seed %d: delivery %q to %s of partition %d was taken back, which is %+v", w.seed, e.Delivery, e.Destination, partition, of)
		}
		if _, again := w.taken[e.Delivery]; !again {
			w.taken[e.Delivery] = e.Quarantine
		}
		if e.Quarantine != delivery.CodeRemoved {
			w.refused[string(e.JSON)] = e.Quarantine
		} else if !w.removed[e.Destination] || e.JSON != nil {
			w.t.Errorf("seed %d: dropped as of a removed warehouse: %+v", w.seed, e)
		}
	}
	return nil
}

// start begins a life of the process.
func (w *harness) start() {
	w.mu.Lock()
	w.dead, w.fuse = false, 0
	w.mu.Unlock()
	c := w.c
	c.Stages, w.logs, w.stages = nil, nil, nil
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	for p, d := range w.disk {
		log := d.Restart()
		w.logs = append(w.logs, log)
		if w.full {
			o := w.moving(p, log)
			w.ran.Go(func() { o.Run(ctx) })
			w.stages, c.Stages = append(w.stages, o), append(c.Stages, o)
			continue
		}
		w.stages, c.Stages = append(w.stages, log), append(c.Stages, log)
	}
	c.Reach = func(load.Step) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.fuse > 0 {
			if w.fuse--; w.fuse == 0 {
				w.dead = true
			}
		}
		if w.dead {
			return errors.New("the process is dead")
		}
		return nil
	}
	e, err := load.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine = e
	w.ran.Go(func() { _ = e.Run(ctx) })
}

// moving is the STAGE of a partition that moves to objects what is too much.
func (w *harness) moving(p int, log queue.Log) *overflow.Log {
	blobs, err := blob.Open(w.moved())
	if err != nil {
		w.t.Fatal(err)
	}
	o, err := overflow.New(context.Background(), overflow.Config{
		Log: log, Limit: stageBytes, Blobs: blobs, Folder: blob.Ref(strconv.Itoa(p)), Stored: stageBytes, Segment: stageBytes / 8, Every: 100 * time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// moved is the folder of objects.
func (w *harness) moved() string { return filepath.Join(w.c.Dir, "moved") }

// objects is how many there are.
func (w *harness) objects() int {
	all, _ := filepath.Glob(filepath.Join(w.moved(), "*", "*", "*")) // the pattern is sound
	return len(all)
}

// die ends it as kill -9 does: nothing that is under way comes about.
func (w *harness) die() {
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	for _, l := range w.logs {
		l.Crash()
	}
	w.end()
	w.ran.Wait()
}

// stage settles n events for a warehouse, of few ids, in a frame. Where STAGE refuses
// the warehouse, they are none.
func (w *harness) stage(d id.Destination, n int) {
	p := 0
	var es []event.Event
	staged, booked, refuses := map[string]version{}, map[string]version{}, map[string]id.Destination{}
	w.mu.Lock()
	for i := range n {
		w.version++
		name := fmt.Sprint("e", w.rng.IntN(40))
		at := int(name[len(name)-1]) % len(w.disk)
		if i == 0 {
			p = at
		} else if at != p {
			continue
		}
		e := event.Event{Workspace: "ws", Source: "src", Delivery: fmt.Sprint("v", w.version), JSON: fmt.Appendf(nil,
			`{"type":"track","event":"Order Done","messageId":%q,"receivedAt":"2026-01-02T03:04:05.678Z","properties":{"secret":"%d"}}`, name, w.version)}
		if w.rng.IntN(30) == 0 {
			e.JSON = fmt.Appendf(nil, `{"type":"merge","messageId":%q,"v":"%d"}`, name, w.version)
			refuses[string(e.JSON)] = d
		} else {
			staged[string(e.JSON)] = version{name, w.version}
		}
		w.deliveries[e.Delivery] = place{p, d}
		booked[e.Delivery] = version{name, w.version}
		es = append(es, e)
	}
	w.mu.Unlock()
	for lost := false; ; lost = true {
		seq, err := w.stages[p].Append(context.Background(), string(d), queue.EncodeFrame(es))
		w.engine.Appended(p, d, es, seq, err)
		if err == nil {
			break
		}
		if fault.KindOf(err) == fault.Limited {
			for _, v := range staged {
				if lost { // an attempt before may have written it
					w.unsure[v.n] = v.name
				}
			}
			return
		}
	}
	maps.Copy(w.delivered, booked)
	maps.Copy(w.refuses, refuses)
	maps.Copy(w.staged[d], staged)
}

func (w *harness) chance(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

// disturb does something to a warehouse, the process or the configuration; it
// reports whether it was a fault.
func (w *harness) disturb(d id.Destination) bool {
	w.mu.Lock()
	s := w.seas[d]
	what := w.rng.IntN(10)
	switch what {
	case 0:
		s.away = !s.away
	case 1:
		s.hang = !s.hang
	case 2:
		s.fails = 50 - s.fails
	case 3:
		s.lost = 50 - s.lost
	case 4:
		switch w.gone = ""; w.rng.IntN(4) {
		case 0, 1:
			w.gone = d
		case 2:
			if len(w.removed) < len(w.seas)-1 {
				w.removed[d] = true
			}
		}
	case 9:
		s.shut = !s.shut
	case 5, 6:
		w.fuse = 1 + w.rng.IntN(12)
	}
	w.mu.Unlock()
	if what == 7 {
		w.die()
		w.start()
	}
	return what != 8
}

// live is a seed from its first event to the check of everything.
func (w *harness) live() {
	w.start()
	for round, faults := 0, 0; round < 60 || w.version < 500 || faults < 10; round++ {
		for d := range w.seas {
			if w.chance(2) == 0 {
				w.stage(d, 1+w.chance(12))
			}
			if w.chance(6) == 0 && w.disturb(d) {
				faults++
			}
		}
		time.Sleep(time.Duration(w.chance(4000)) * time.Millisecond)
		if w.chance(4) == 0 {
			w.counted()
		}
		w.most = max(w.most, w.objects())
		w.mu.Lock()
		dead := w.dead
		w.mu.Unlock()
		if dead {
			w.die()
			w.start()
		}
	}
	w.die()
	for _, s := range w.seas {
		s.away, s.hang, s.fails, s.lost, s.shut = false, false, 0, 0, false
	}
	w.gone = ""
	for _, l := range w.disk {
		l.SetFaults(queuetest.Faults{})
	}
	w.start()
	for range 1000 { // waits after failures are five minutes at most
		time.Sleep(10 * time.Second)
		if w.records() == 0 && len(w.remains()) == 0 && w.objects() == 0 {
			break
		}
	}
	if w.records() > 0 {
		for d := range w.seas {
			w.t.Logf("seed %d: %s: %.400s", w.seed, d, fmt.Sprintf("%+v", w.engine.Loads(d)))
		}
	}
	w.die()
	if n := w.objects(); n > 0 {
		w.t.Errorf("seed %d: %d objects are left", w.seed, n)
	}
	if n := w.records(); n > 0 {
		w.t.Errorf("seed %d: %d records are left in STAGE", w.seed, n)
	}
	if left := w.remains(); len(left) > 0 {
		w.t.Errorf("seed %d: these were removed and have a folder: %v", w.seed, left)
	}
	for d, want := range w.staged {
		if w.removed[d] {
			continue
		}
		w.check(d, want)
	}
	w.books()
	for e, d := range w.refuses {
		if w.refused[e] == "" && !w.removed[d] {
			w.t.Errorf("seed %d: %s was refused and nobody was told", w.seed, e)
		}
	}
}

// counted checks that the engine counts as staged what lies in STAGE and in no closed
// load, of warehouses that are not removed. Loads that close meanwhile, and logs that
// fail, may delay that.
func (w *harness) counted() {
	for range 200 {
		before := w.waits()
		got, _ := w.engine.Staged()
		after := w.waits()
		w.mu.Lock()
		dead := w.dead
		for _, sums := range []map[ledger.Key]int64{before, got, after} {
			maps.DeleteFunc(sums, func(k ledger.Key, _ int64) bool { return w.removed[k.Destination] })
		}
		w.mu.Unlock()
		if dead || maps.Equal(before, after) && maps.Equal(before, got) {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	got, _ := w.engine.Staged()
	w.t.Errorf("seed %d: %v are counted as staged, and %v are in STAGE", w.seed, got, w.waits())
}

// waits counts the events in STAGE that are in no closed load; none are of a log that
// fails.
func (w *harness) waits() map[ledger.Key]int64 {
	sums := map[ledger.Key]int64{}
	for d := range w.seas {
		var cursor struct{ Next []uint64 }
		if b, err := os.ReadFile(filepath.Join(w.c.Dir, string(d), "cursor.json")); err == nil {
			if err := json.Unmarshal(b, &cursor); err != nil {
				w.t.Fatal(err)
			}
		}
		for p, log := range w.stages {
			from := uint64(0)
			if p < len(cursor.Next) {
				from = cursor.Next[p]
			}
			for r, err := range log.ReadTo(context.Background(), from, string(d)) {
				if err != nil {
					break
				}
				if f, err := queue.DecodeFrame(r.Data); err == nil {
					sums[ledger.Key{Workspace: "ws", Source: "src", Destination: d}] += int64(len(f.Events))
				}
			}
		}
	}
	return sums
}

// books wants each delivery to be taken back, or to be a row, or to be no newer than
// one, and those of a removed warehouse, too.
func (w *harness) books() {
	for name, v := range w.delivered {
		d := w.deliveries[name].destination
		if code := w.taken[name]; code == "" && !w.seas[d].merged[v.n] {
			w.t.Errorf("seed %d: delivery %s to %s (removed: %v) counts as delivered, and no load had it", w.seed, name, d, w.removed[d])
		}
	}
}

// check wants the newest row of every name, and each row that is refused told. While
// the table was shut, any row may have been.
func (w *harness) check(d id.Destination, staged map[string]version) {
	newest := map[string]int{}
	for e, v := range staged {
		switch code := w.refused[e]; {
		case refusesRow(v.n) && code == "":
			w.t.Errorf("seed %d: %s was refused and nobody was told", w.seed, e)
		case code == "":
			newest[v.name] = max(newest[v.name], v.n)
		case code == "row_refused" && !refusesRow(v.n):
			w.t.Errorf("seed %d: %s was not refused and somebody was told", w.seed, e)
		}
	}
	for name, want := range newest {
		got := w.seas[d].rows[name]
		later := w.unsure[got] == name
		for e, v := range staged {
			later = later || v == version{name, got} && w.refused[e] != ""
		}
		if got != want && !(got > want && later) {
			w.t.Errorf("seed %d: %s of %s has version %d, want %d", w.seed, name, d, got, want)
		}
	}
}

func (w *harness) records() (n int) {
	for _, l := range w.disk {
		n += len(l.Snapshot().Records)
	}
	return n
}

// remains lists the removed warehouses that have a folder.
func (w *harness) remains() (left []id.Destination) {
	for d := range w.removed {
		if _, err := os.Stat(filepath.Join(w.c.Dir, string(d))); err == nil {
			left = append(left, d)
		}
	}
	return left
}

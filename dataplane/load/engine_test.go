package load_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parquet-go/parquet-go"

	"weir/dataplane/blob"
	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/dataplane/load"
	"weir/dataplane/load/history"
	"weir/dataplane/queue"
	"weir/dataplane/queue/queuetest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/shared/id"
)

// lake is a warehouse in memory; its table takes everything.
type lake struct {
	blobs  blob.Store
	mu     sync.Mutex
	merges []time.Time
	ids    []string
	fail   func(ctx context.Context, attempt int) error // of a merge, from 1
	opens  func(ctx context.Context) error
	owner  id.Workspace // "": ws
	wakes  time.Duration
	tries  []time.Time
}

func (l *lake) Schema(context.Context, []string) (warehouse.Schema, error) {
	columns := map[string]warehouse.Column{}
	for _, n := range []string{"id", "received_at", "uuid_ts", "anonymous_id", "user_id", "event", "event_text", "context_source_id", "context_destination_id", "context_destination_type", "secret"} {
		columns[n] = warehouse.Column{Type: layout.String, Native: "text"}
	}
	return warehouse.Schema{"order_done": {Columns: columns, Room: 9, RowRoom: 9}}, nil
}
func (l *lake) Alter(context.Context, []warehouse.Change) error         { return nil }
func (l *lake) Query(context.Context, string, func([]byte) error) error { return nil }
func (l *lake) Exec(context.Context, []string) (int64, error)           { return 0, nil }
func (l *lake) Test(context.Context) error                              { return nil }
func (l *lake) Close() error                                            { return nil }
func (l *lake) open(ctx context.Context) (warehouse.Warehouse, error) {
	if l.opens != nil {
		if err := l.opens(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}
func (l *lake) Merge(ctx context.Context, _ warehouse.Table, files []warehouse.Staged) (warehouse.Merged, error) {
	l.mu.Lock()
	l.tries = append(l.tries, time.Now())
	n := len(l.tries)
	l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(ctx, n); err != nil {
			return warehouse.Merged{}, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.merges = append(l.merges, time.Now())
	for _, f := range files {
		ids, err := idsOf(ctx, l.blobs, f.Ref)
		if err != nil {
			return warehouse.Merged{}, err
		}
		l.ids = append(l.ids, ids...)
	}
	return warehouse.Merged{Rows: int64(len(l.ids))}, nil
}

func (l *lake) sorted() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(l.ids)), ",")
}

func idsOf(ctx context.Context, blobs blob.Store, ref blob.Ref) (ids []string, err error) {
	f, err := blobs.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := parquet.NewReader(f)
	at := slices.IndexFunc(r.Schema().Columns(), func(p []string) bool { return p[0] == "id" })
	rows := make([]parquet.Row, 10)
	for {
		n, err := r.ReadRows(rows)
		for _, row := range rows[:n] {
			ids = append(ids, string(row[at].ByteArray()))
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return ids, err
		}
	}
}

// plane is an engine with its STAGE.
type plane struct {
	t      *testing.T
	c      load.Config
	stages []*queuetest.Log
	lakes  map[id.Destination]*lake
	logged *bytes.Buffer
}

func newPlane(t *testing.T, partitions int, lakes map[id.Destination]*lake) *plane {
	t.Helper()
	dir := t.TempDir()
	blobs, err := blob.Open(dir + "/files")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lakes {
		l.blobs = blobs
	}
	p := &plane{t: t, lakes: lakes, logged: &bytes.Buffer{}}
	p.c = load.Config{Dir: dir, Blobs: blobs, Log: slog.New(slog.NewTextHandler(p.logged, nil)), Jobs: func() []load.Job {
		var jobs []load.Job
		for d, l := range lakes {
			jobs = append(jobs, load.Job{Workspace: cmp.Or(l.owner, "ws"), Destination: d, Name: string(d), Type: "postgres", Layout: postgres(), SyncEvery: 5 * time.Second, WakeEvery: l.wakes,
				Options: layout.Options{SkipTracksTable: true}, Open: l.open})
		}
		return jobs
	}}
	for i := range partitions {
		p.stages = append(p.stages, queuetest.NewLog(uint64(i), queuetest.Faults{}))
		p.c.Stages = append(p.c.Stages, p.stages[i])
	}
	return p
}

func (p *plane) engine() *load.Engine {
	p.t.Helper()
	e, err := load.New(p.c)
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

// run runs an engine until the test has seen enough.
func (p *plane) run(e *load.Engine, see func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	see()
	cancel()
	if err := <-done; err != nil {
		p.t.Errorf("Run: %v", err)
	}
}

func (p *plane) stage(partition int, d id.Destination, ids ...string) {
	p.t.Helper()
	var es []event.Event
	for _, i := range ids {
		es = append(es, event.Event{Source: "src", JSON: []byte(fmt.Sprintf(
			`{"type":"track","event":"Order Done","messageId":%q,"receivedAt":"2026-01-02T03:04:05.678Z","properties":{"secret":"hush-%s"}}`, i, i))})
	}
	p.append(partition, d, queue.EncodeFrame(es))
}

func (p *plane) append(partition int, d id.Destination, data []byte) {
	p.t.Helper()
	if _, err := p.stages[partition].Append(context.Background(), string(d), data); err != nil {
		p.t.Fatal(err)
	}
}

func (p *plane) empty() {
	p.t.Helper()
	for i, s := range p.stages {
		if st, err := s.State(context.Background()); err != nil || st.Records != 0 {
			p.t.Errorf("partition %d has %d records, err %v", i, st.Records, err)
		}
	}
}

// pass lets time go by.
func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

func TestLoadsArePaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{}
		p := newPlane(t, 1, map[id.Destination]*lake{"lake": l})
		p.stage(0, "lake", "1")
		start := time.Now()
		p.run(p.engine(), func() {
			pass(time.Second)
			p.stage(0, "lake", "2")
			pass(3900 * time.Millisecond)
			if got := l.sorted(); got != "1" {
				t.Errorf("before 5 s: %s", got)
			}
			pass(200 * time.Millisecond)
		})
		if got := l.sorted(); got != "1,2" || l.merges[0].Sub(start) > time.Second {
			t.Errorf("loaded %s at %v", got, l.merges)
		}
		p.empty()
	})
}

func TestAFullLoadIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{}
		p := newPlane(t, 3, map[id.Destination]*lake{"lake": l})
		p.c.MaxEvents = 2
		for i, ids := range [][]string{{"1", "2"}, {"3"}, {"4", "5"}} {
			p.stage(i, "lake", ids...)
			p.stage(i, "other", "x") // of a destination that is not there
		}
		p.run(p.engine(), func() { pass(time.Second) })
		if got := l.sorted(); got != "1,2,3,4,5" || len(l.merges) < 2 {
			t.Errorf("loaded %s in %d loads", got, len(l.merges))
		}
	})
}

func TestFailuresBackOffAndKeepValuesLocal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const failures = 12
		l := &lake{fail: func(_ context.Context, n int) error {
			if n <= failures {
				return warehouse.Fail(warehouse.CodeSchema, errors.New("cannot cast hush-1"))
			}
			return nil
		}}
		p := newPlane(t, 1, map[id.Destination]*lake{"lake": l})
		p.stage(0, "lake", "1")
		e := p.engine()
		p.run(e, func() {
			pass(500 * time.Millisecond)
			x := e.Loads("lake")[0]
			if x.State != history.Failing || x.Code != warehouse.CodeSchema || !strings.Contains(x.Detail, "hush-1") || !x.Next.After(time.Now()) {
				t.Errorf("load %+v", x)
			}
			pass(2 * time.Hour)
		})
		for i, at := range l.tries[1:min(failures, len(l.tries))] {
			most := min(time.Second<<min(i+1, 10), 5*time.Minute)
			if wait := at.Sub(l.tries[i]); wait < most/2 || wait > most+time.Second {
				t.Errorf("attempt %d came after %v, want %v to %v", i+2, wait, most/2, most)
			}
		}
		x := e.Loads("lake")
		if len(x) != 1 || x[0].State != history.Done || x[0].Attempt != failures+1 || x[0].Code != "" || x[0].Detail != "" || !x[0].Next.IsZero() {
			t.Errorf("loads %+v", x)
		}
		if s := p.logged.String(); strings.Contains(s, "hush") || !strings.Contains(s, warehouse.CodeSchema) {
			t.Errorf("logged %s", s)
		}
		p.empty()
	})
}

// TestATableThatShutsWhileRefusedRowsAreSoughtLosesNoRow: the first merge says that rows
// are refused, the next two, of a part and of the next attempt, that the table takes none.
// Then it takes all, and no row was refused.
func TestATableThatShutsWhileRefusedRowsAreSoughtLosesNoRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{fail: func(_ context.Context, n int) error {
			scopes := map[int]refusal.Scope{1: refusal.Rows, 2: refusal.Table, 3: refusal.Table}
			if scope, refused := scopes[n]; refused {
				return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(scope, errors.New("refused")))
			}
			return nil
		}}
		p := newPlane(t, 1, map[id.Destination]*lake{"lake": l})
		var kept []event.Event
		p.c.Refused = func(_ context.Context, _ int, events []event.Event) error {
			kept = append(kept, events...)
			return nil
		}
		p.stage(0, "lake", "1", "2", "3", "4")
		e := p.engine()
		p.run(e, func() { pass(time.Hour) })
		if len(kept) > 0 {
			t.Errorf("%d events were refused, the first as %s", len(kept), kept[0].Quarantine)
		}
		if x := e.Loads("lake"); len(x) != 1 || x[0].State != history.Done || x[0].Code != "" {
			t.Errorf("loads %+v", x)
		}
		if got := l.sorted(); got != "1,2,3,4" {
			t.Errorf("merged %s, want each row once", got)
		}
		p.empty()
	})
}

func TestAFailingNeighbourDelaysNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := &lake{fail: func(ctx context.Context, n int) error {
			if n > 1 {
				<-ctx.Done()
			}
			return errors.New("down")
		}}
		l := &lake{}
		p := newPlane(t, 1, map[id.Destination]*lake{"hang": hang, "lake": l})
		p.c.Parallel = 1
		p.stage(0, "hang", "h")
		p.run(p.engine(), func() {
			pass(4 * time.Second)
			for i := range 5 {
				p.stage(0, "lake", fmt.Sprint(i))
				pass(5100 * time.Millisecond)
				if n := len(strings.Split(l.sorted(), ",")); n != i+1 {
					t.Errorf("%d rows are there, want %d", n, i+1)
				}
			}
		})
		if len(hang.tries) < 2 {
			t.Errorf("the neighbour was tried %d times", len(hang.tries))
		}
	})
}

func TestADamagedRecordIsLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lake{}
		p := newPlane(t, 1, map[id.Destination]*lake{"lake": l})
		p.stage(0, "lake", "1")
		p.append(0, "lake", []byte("hush: no frame"))
		p.stage(0, "lake", "2")
		e := p.engine()
		p.run(e, func() { pass(time.Second) })
		if got := l.sorted(); got != "1,2" {
			t.Errorf("loaded %s", got)
		}
		if x := e.Loads("lake"); len(x) != 1 || x[0].State != history.Done || x[0].Refused["damaged_record"] != 1 {
			t.Errorf("loads %+v", x)
		}
		if s := p.logged.String(); strings.Contains(s, "hush") || !strings.Contains(s, "level=ERROR") {
			t.Errorf("logged %s", s)
		}
		kept, err := p.c.Blobs.Open(t.Context(), "damaged/lake-0-2")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = kept.Close() }() // it is only read
		if b, err := io.ReadAll(kept); err != nil || string(b) != "hush: no frame" {
			t.Errorf("kept %q, err %v", b, err)
		}
		p.empty()
	})
}

func TestARestartGoesOnWithItsManifest(t *testing.T) {
	t.Parallel()
	for _, step := range load.Steps() {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &lake{}
				p := newPlane(t, 2, map[id.Destination]*lake{"lake": l})
				p.stage(0, "lake", "1")
				p.stage(1, "lake", "2")
				crashed := false
				p.c.Reach = func(s load.Step) error {
					if s == step || crashed {
						crashed = true
						return errors.New("crash")
					}
					return nil
				}
				p.run(p.engine(), func() { pass(time.Second) })
				p.stage(1, "lake", "3")
				p.c.Reach = nil
				p.run(p.engine(), func() { pass(11 * time.Second) })
				slices.Sort(l.ids)
				if got := slices.Compact(l.ids); !slices.Equal(got, []string{"1", "2", "3"}) || len(l.ids) > 5 {
					t.Errorf("merged %v", l.ids)
				}
				p.empty()
			})
		})
	}
}

// postgres is the layout of Postgres.
var postgres = sync.OnceValue(func() *layout.Dialect {
	d, err := layout.Read(os.DirFS("../warehouses/postgres"))
	if err != nil {
		panic(err)
	}
	return d
})

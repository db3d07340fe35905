package erasures_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/erasures"
	"weir/dataplane/event"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/quarantine"
	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore/table"
	"weir/dataplane/warehouse"
	"weir/shared/fault"
	"weir/shared/id"
)

const (
	ws   = id.Workspace("ws_one")
	hook = id.Destination("dst_hook")
	lake = id.Destination("dst_lake")
	web  = id.Source("src_web")
)

// disk is what outlives a process: the table of documents, and all that a plane keeps of
// persons.
type disk struct {
	mu       sync.Mutex
	docs     map[string]table.Document
	revision uint64
	watchers map[*func(table.Document)]struct{}
	written  []string // every value

	log         queue.State // EVENTS
	parked      []string    // users
	dead        []string
	quarantined []string
	staged      []string
	rows        []string
	refuses     map[string]bool // a load gives the staged of these users back to the quarantine
	profile     []string
	busy        int // times that a request for a parked delivery is under way
	away        int // times that the warehouse does not answer
	cannot      bool
	marked      bool // the warehouse's file holds bytes of rows that were removed
	anew        int  // times that it was written anew
	full        bool // its disk
}

func newDisk() *disk {
	all := []string{"ann", "bob", "ann", "eve"}
	return &disk{
		docs: map[string]table.Document{}, watchers: map[*func(table.Document)]struct{}{}, refuses: map[string]bool{},
		parked: slices.Clone(all), dead: slices.Clone(all), quarantined: slices.Clone(all), staged: slices.Clone(all), rows: slices.Clone(all), profile: slices.Clone(all),
		log: queue.State{First: 5, Last: 9, Records: 5},
	}
}

func (d *disk) Get(_ context.Context, key string) (table.Document, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc, ok := d.docs[key]
	if !ok {
		return doc, fault.New(fault.Missing, "There is none.")
	}
	return doc, nil
}

func (d *disk) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		return 0, fault.New(fault.Unavailable, "The store is away.")
	}
	if d.docs[key].Revision != revision {
		return 0, fault.New(fault.Conflict, "It changed.")
	}
	d.revision++
	doc := table.Document{Key: key, Value: value, Revision: d.revision}
	d.docs[key] = doc
	d.written = append(d.written, string(value))
	for w := range d.watchers {
		(*w)(doc)
	}
	return doc.Revision, nil
}

func (d *disk) Watch(ctx context.Context, changed func(table.Document), known func()) error {
	queue := make(chan table.Document, 10_000)
	tell := func(doc table.Document) { queue <- doc }
	d.mu.Lock()
	old := slices.Collect(maps.Values(d.docs))
	d.watchers[&tell] = struct{}{}
	d.mu.Unlock()
	defer func() { d.mu.Lock(); delete(d.watchers, &tell); d.mu.Unlock() }()
	for _, doc := range old {
		changed(doc)
	}
	known()
	for {
		select {
		case doc := <-queue:
			changed(doc)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drop removes from users those that is names, or with dry counts them.
func drop(users *[]string, is func(string) bool, dry bool) (n int) {
	left := slices.DeleteFunc(slices.Clone(*users), is)
	if n = len(*users) - len(left); !dry {
		*users = left
	}
	return n
}

func of(is func(*event.Event) bool) func(string) bool {
	return func(user string) bool { return is(&event.Event{JSON: fmt.Appendf(nil, `{"userId":%q}`, user)}) }
}

func (d *disk) State(context.Context) (queue.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.log
	d.log.First, d.log.Records = d.log.Last+1, 0 // it is read by the next look
	return st, nil
}

// store is what is parked and dead.
type store struct{ *disk }

func (s store) Count(_ context.Context, f parked.Filter) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return drop(&s.dead, of(f.Is), true), nil
}

func (s store) Discard(_ context.Context, f parked.Filter) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return drop(&s.dead, of(f.Is), false), nil
}

func (s store) DropWaiting(_ context.Context, f parked.Filter, code string, dry bool) (int, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code != "erased" {
		return 0, 0, fmt.Errorf("code %q", code)
	}
	if s.busy > 0 && !dry {
		s.busy--
		return 0, 1, nil
	}
	return drop(&s.parked, of(f.Is), dry), 0, nil
}

// refused is what is quarantined.
type refused struct{ *disk }

func (q refused) Count(_ context.Context, f quarantine.Filter) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return drop(&q.quarantined, of(f.Is), true), nil
}

func (q refused) Discard(_ context.Context, f quarantine.Filter, _ quarantine.Span) (int, quarantine.Span, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return drop(&q.quarantined, of(f.Is), false), quarantine.Span{}, nil
}

// Find and Forget are those of the only profile: ann's mail.
func (d *disk) Find(_ context.Context, _ id.Workspace, ids []string) ([]erasures.Known, []string, map[string]error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(ids, "email:ann@example.org") || !slices.Contains(d.profile, "ann") {
		return nil, ids, nil
	}
	return []erasures.Known{{Profile: "customers", Entity: "person", ID: "email:ann@example.org"}}, append(slices.Clone(ids), "user_id:ann"), nil
}

func (d *disk) Forget(_ context.Context, _ id.Workspace, _ erasures.Known, dry bool) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(drop(&d.profile, func(user string) bool { return user == "ann" }, dry)), nil
}

func (d *disk) warehouses(id.Workspace) []erasures.Warehouse {
	return []erasures.Warehouse{{
		ID: lake, Name: "lake", Forget: func(context.Context) error { return nil },
		Load: func(context.Context) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.away > 0 {
				d.away--
				return warehouse.Fail(warehouse.CodeUnreachable, errors.New("no answer to ann"))
			}
			for _, user := range d.staged {
				if d.refuses[user] {
					d.quarantined = append(d.quarantined, user)
				} else {
					d.rows = append(d.rows, user)
				}
			}
			d.staged = nil
			return nil
		},
		Rows: func(_ context.Context, p *erase.Person, dry bool, each func(erase.Table) error) error {
			d.mu.Lock()
			if d.cannot {
				d.mu.Unlock()
				return warehouse.Fail(warehouse.CodeUnsupported, errors.New("not this kind"))
			}
			n := drop(&d.rows, func(user string) bool { return slices.Contains(p.Users, user) }, dry)
			d.marked = d.marked || !dry && n > 0
			d.mu.Unlock()
			if n == 0 {
				return nil
			}
			return each(erase.Table{Name: "tracks", Rows: int64(n)})
		},
		Rewrite: func(_ context.Context, anyway bool) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.marked = d.marked || anyway; d.marked && d.full {
				return fault.New(fault.Limited, "There is no room.")
			}
			if d.marked {
				d.marked = false
				d.anew++
			}
			return nil
		},
	}}
}

// process runs a board on a disk until ctx ends; reach is its Config.Reach.
func process(t *testing.T, ctx context.Context, d *disk, reach func(string) error) (b *erasures.Board, ended <-chan struct{}) {
	t.Helper()
	b, err := erasures.New(erasures.Config{
		Table: d, Key: []byte(strings.Repeat("k", 32)), Owner: func() bool { return true }, Warehouses: d.warehouses, Persons: d,
		Name: func(id.Workspace, id.Destination) string { return "hook" }, Log: slog.New(slog.DiscardHandler), Reach: reach,
		Partitions: []erasures.Partition{{
			Logs: []erasures.Log{d}, Store: func() (erasures.Store, error) { return store{d}, nil }, Quarantine: refused{d},
			Rows: func() []ledger.Row {
				return []ledger.Row{{Workspace: ws, Source: web, Quarantined: 4}, {Workspace: ws, Source: web, Destination: hook, Dead: 4, Parked: 4}}
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	synctest.Wait()
	return b, done
}

// ends waits until an erasure has ended.
func ends(t *testing.T, b *erasures.Board, name string) erasures.Erasure {
	t.Helper()
	for range 10_000 {
		e, err := b.Erasure(ws, name)
		if err != nil {
			t.Fatal(err)
		}
		if e.State != erasures.Running {
			return e
		}
		time.Sleep(time.Second)
	}
	t.Fatal("it does not end")
	return erasures.Erasure{}
}

// byChance is what may hold any letters.
var byChance = regexp.MustCompile(`erasure_[a-z0-9]+|"sealed":"[^"]*"`)

// check says what of a person is left, and whether others lost something.
func (d *disk) check(t *testing.T, rows int) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, one := range map[string]struct {
		users []string
		want  int
	}{
		"parked": {d.parked, 2}, "dead": {d.dead, 2}, "quarantined": {d.quarantined, 2}, "staged": {d.staged, 0}, "rows": {d.rows, rows}, "profile": {d.profile, 2},
	} {
		if slices.Contains(one.users, "ann") || len(one.users) != one.want {
			t.Errorf("%s: %v, want %d without the person", name, one.users, one.want)
		}
	}
	for _, value := range d.written {
		if strings.Contains(byChance.ReplaceAllString(value, ""), "ann") {
			t.Errorf("the table holds %s", value)
		}
	}
	if last := d.written[len(d.written)-1]; strings.Contains(last, "sealed") {
		t.Errorf("whom it was about is still kept: %s", last)
	}
}

func TestAnErasureEndsWheneverTheProcessDies(t *testing.T) {
	t.Parallel()
	life := func(t *testing.T, dies int) (steps int) {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			d.refuses["ann"] = true // so that the second pass has work
			ctx, die := context.WithCancel(t.Context())
			b, ended := process(t, ctx, d, func(string) error {
				if steps++; steps-1 == dies {
					die()
					return errors.New("the process is dead")
				}
				return nil
			})
			e, err := b.Create(ctx, ws, []string{"email:ann@example.org"})
			if err != nil {
				t.Fatal(err)
			}
			if dies >= 0 {
				<-ended
				ctx, die = context.WithCancel(t.Context())
				b, ended = process(t, ctx, d, nil)
			}
			if e = ends(t, b, e.ID); e.State != erasures.Done || len(e.Lacks) > 0 || e.IDs != 2 || e.Pass < 2 {
				t.Errorf("it ended as %+v", e)
			}
			d.check(t, 4)
			if d.marked || d.anew == 0 {
				t.Error("the file of the warehouse keeps bytes")
			}
			die()
			<-ended
		})
		return steps
	}
	steps := life(t, -1)
	if steps < 6 {
		t.Fatalf("%d steps", steps)
	}
	for i := range steps {
		life(t, i)
	}
}

func TestAnErasureNamesWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.away, d.busy = 3, 5
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b, _ := process(t, ctx, d, nil)
		e, err := b.Create(ctx, ws, []string{"user_id:ann", "email:ann@example.org"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if now, err := b.Erasure(ws, e.ID); err != nil || len(now.Lacks) != 1 || now.Lacks[0] != (erasures.Lack{Place: "warehouse", Name: "lake", Code: "load_unreachable"}) {
			t.Errorf("while the warehouse is away: %+v, %v", now.Lacks, err)
		}
		if e = ends(t, b, e.ID); len(e.Lacks) > 0 {
			t.Errorf("at its end: %+v", e.Lacks)
		}
		d.check(t, 4)

		d.cannot = true
		d.rows = append(d.rows, "ann")
		if e, err = b.Create(ctx, ws, []string{"user_id:ann"}); err != nil {
			t.Fatal(err)
		}
		if e = ends(t, b, e.ID); len(e.Lacks) != 1 || !e.Lacks[0].Never || e.Lacks[0].Code != warehouse.CodeUnsupported || e.Lacks[0].Name != "lake" {
			t.Errorf("of a kind that cannot: %+v", e.Lacks)
		}
		if e, err = b.Create(ctx, ws, []string{"email:nobody@example.org"}); err != nil {
			t.Fatal(err)
		}
		if e = ends(t, b, e.ID); len(e.Lacks) != 1 || e.Lacks[0].Code != "nobody" {
			t.Errorf("of nobody: %+v", e.Lacks)
		}
		for _, ids := range [][]string{nil, {"ann"}, {":ann"}, {"user_id:"}, make([]string, erasures.MostIDs+1)} {
			if _, err := b.Create(ctx, ws, ids); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v, want invalid", ids, err)
			}
		}
	})
}

func TestAnErasureIsCountedAndStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.away = 1 << 30
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		b, _ := process(t, ctx, d, nil)
		found := map[string]int64{}
		n, err := b.Count(ctx, ws, []string{"email:ann@example.org"}, func(p erasures.Place) error { found[p.Place] += p.Count; return nil }, func(l erasures.Lack) error { return fmt.Errorf("left out: %+v", l) })
		if want := (map[string]int64{"parked": 2, "dead": 2, "quarantine": 2, "warehouse": 2, "profiles": 2}); err != nil || n != 2 || !maps.Equal(found, want) {
			t.Errorf("counted %v of %d identifiers, %v, want %v of 2", found, n, err, want)
		}
		e, err := b.Create(ctx, ws, []string{"user_id:ann"})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if e, err = b.Stop(ctx, ws, e.ID); err != nil || e.State != erasures.Stopped || e.Sealed != "" {
			t.Errorf("stopped: %+v, %v", e, err)
		}
		if _, err := b.Stop(ctx, ws, "erasure_none"); fault.KindOf(err) != fault.Missing {
			t.Errorf("none: %v", err)
		}
	})
}

// wire is a relay in memory.
type wire struct {
	mu     sync.Mutex
	here   func() bool
	answer func(context.Context, []byte) []byte
}

// ends are the processes' ends of a wire.
type end struct{ *wire }

func (w end) Ask(ctx context.Context, request []byte) ([]byte, error) {
	w.mu.Lock()
	answer := w.answer
	w.mu.Unlock()
	if answer == nil || !w.here() {
		return nil, fault.New(fault.Unavailable, "No process answers.")
	}
	return answer(ctx, request), nil
}

func (w end) Serve(ctx context.Context, here func() bool, answer func(context.Context, []byte) []byte) {
	if here() {
		w.mu.Lock()
		w.here, w.answer = here, answer
		w.mu.Unlock()
	}
	<-ctx.Done()
}

// TestEachProcessErasesWhatItsPartitionsKeep has two processes run a partition each. The one
// that does the rest is not the one that is asked, and each of them counts what both keep.
func TestEachProcessErasesWhatItsPartitionsKeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		shared := newDisk() // the table, rows and profiles, and what the first partition keeps
		parts := []*disk{shared, newDisk()}
		wires := []end{{&wire{}}, {&wire{}}}
		var boards []*erasures.Board
		var all sync.WaitGroup
		for self := range parts {
			cfg := erasures.Config{
				Table: shared, Key: []byte(strings.Repeat("k", 32)), Owner: func() bool { return self == 0 }, Warehouses: shared.warehouses, Persons: shared,
				Name: func(id.Workspace, id.Destination) string { return "hook" }, Log: slog.New(slog.DiscardHandler),
			}
			for n, d := range parts {
				cfg.Partitions = append(cfg.Partitions, erasures.Partition{
					Logs: []erasures.Log{d}, Quarantine: refused{d}, Relay: wires[n],
					Store: func() (erasures.Store, error) {
						if n != self {
							return nil, fault.New(fault.Unavailable, "It does not run here.")
						}
						return store{d}, nil
					},
					Rows: func() []ledger.Row {
						return []ledger.Row{{Workspace: ws, Source: web, Quarantined: 4}, {Workspace: ws, Source: web, Destination: hook, Dead: 4, Parked: 4}}
					},
				})
			}
			b, err := erasures.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			boards = append(boards, b)
			all.Go(func() { b.Run(ctx) })
		}
		synctest.Wait()
		for i, b := range boards {
			found := map[string]int64{}
			n, err := b.Count(ctx, ws, []string{"email:ann@example.org"}, func(p erasures.Place) error { found[p.Place] += p.Count; return nil }, func(l erasures.Lack) error { return fmt.Errorf("left out: %+v", l) })
			if want := (map[string]int64{"parked": 4, "dead": 4, "quarantine": 4, "warehouse": 2, "profiles": 2}); err != nil || n != 2 || !maps.Equal(found, want) {
				t.Errorf("process %d counts %v of %d identifiers, %v, want %v of 2", i, found, n, err, want)
			}
		}
		e, err := boards[1].Create(ctx, ws, []string{"email:ann@example.org"})
		if err != nil {
			t.Fatal(err)
		}
		if e = ends(t, boards[1], e.ID); e.State != erasures.Done || len(e.Lacks) > 0 {
			t.Errorf("it ended as %+v", e)
		}
		shared.check(t, 4)
		d := parts[1]
		for name, users := range map[string][]string{"parked": d.parked, "dead": d.dead, "quarantined": d.quarantined} {
			if slices.Contains(users, "ann") || len(users) != 2 {
				t.Errorf("the other process keeps %s: %v", name, users)
			}
		}
		stop()
		all.Wait()
	})
}

package warehouses_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/dataplane/backfill"
	"weir/dataplane/blob"
	"weir/dataplane/jobs"
	"weir/dataplane/layout"
	evolving "weir/dataplane/load/columns"
	"weir/dataplane/load/loadtest"
	"weir/dataplane/load/stage"
	documents "weir/dataplane/queue/natsstore/table"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses"
	"weir/shared/fault"
	"weir/shared/id"
)

// kept are documents that outlive processes.
type kept struct {
	mu  sync.Mutex
	all map[string]documents.Document
	// changed is closed and made anew with each change.
	changed chan struct{}
}

func (k *kept) Get(_ context.Context, key string) (documents.Document, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, ok := k.all[key]
	if !ok {
		return d, fault.New(fault.Missing, "There is none.")
	}
	return d, nil
}

func (k *kept) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[key].Revision != revision {
		return 0, fault.New(fault.Conflict, "It changed.")
	}
	k.all[key] = documents.Document{Key: key, Value: value, Revision: revision + 1}
	close(k.changed)
	k.changed = make(chan struct{})
	return revision + 1, nil
}

func (k *kept) Watch(ctx context.Context, changed func(documents.Document), _ func()) error {
	for {
		k.mu.Lock()
		var all []documents.Document
		for _, d := range k.all {
			all = append(all, d)
		}
		wait := k.changed
		k.mu.Unlock()
		for _, d := range all {
			changed(d)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// place is a warehouse that backfills copy from or into.
type place struct {
	t      *testing.T
	opened warehouse.Opened
	deps   warehouse.Deps
	as     backfill.Warehouse
}

func placeOf(t *testing.T, name, kind string, s loadtest.Setup, more string) *place {
	t.Helper()
	blobs, err := blob.Open(t.TempDir() + "/blobs")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range warehouses.All() {
		if k.Spec.Name != kind {
			continue
		}
		o, err := k.Open([]byte(strings.TrimSuffix(s.Settings, "}")+more+"}"), s.Secrets)
		if err != nil {
			t.Fatal(err)
		}
		p := &place{t: t, opened: o, deps: s.Deps}
		p.deps.Blobs = blobs
		var alone sync.Mutex
		p.as = backfill.Warehouse{Workspace: "ws_test", ID: id.Destination("dst_" + name), Name: name, Layout: o.Layout, Options: o.Options, Known: func() []string { return nil },
			Open: func(ctx context.Context) (warehouse.Warehouse, error) { return o.Open(ctx, p.deps) },
			Alone: func(do func(blob.Store) error) error {
				alone.Lock()
				defer alone.Unlock()
				return do(blobs)
			}}
		return p
	}
	t.Fatalf("no kind %s", kind)
	return nil
}

// use opens the warehouse for a moment.
func (p *place) use(do func(warehouse.Warehouse) error) {
	p.t.Helper()
	w, err := p.as.Open(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := errors.Join(do(w), w.Close()); err != nil {
		p.t.Fatal(err)
	}
}

// load loads events as a load does.
func (p *place) load(events ...string) {
	p.t.Helper()
	p.use(func(w warehouse.Warehouse) error {
		files := stage.New(p.deps.Blobs, "stage/test")
		for i, e := range events {
			rows, drop, err := p.opened.Layout.Rows(&p.opened.Options, layout.Meta{SourceID: "src_web", Now: time.Now()}, []byte(e))
			if err != nil || drop != "" {
				return fmt.Errorf("%s: %s %w", e, drop, err)
			}
			if err := files.Add(p.t.Context(), int64(i+1), rows); err != nil {
				return err
			}
		}
		staged, err := files.Finish(p.t.Context())
		if err != nil {
			return err
		}
		for _, t := range staged {
			into, err := evolving.Evolve(p.t.Context(), w, t, p.opened.Layout.MaxName, nil)
			if err != nil {
				return err
			}
			into.Load = "1"
			var given []warehouse.Staged
			for _, f := range t.Files {
				given = append(given, warehouse.Staged{Ref: f.Ref, Columns: f.Columns})
			}
			if _, err := w.Merge(p.t.Context(), into, given); err != nil {
				return err
			}
		}
		return nil
	})
}

// want compares what a query gives, as a list of JSON.
func (p *place) want(sql, want string) {
	p.t.Helper()
	var rows []string
	p.use(func(w warehouse.Warehouse) error {
		return w.Query(p.t.Context(), sql, func(row []byte) error {
			rows = append(rows, string(row))
			return nil
		})
	})
	if got := "[" + strings.Join(rows, ",") + "]"; got != want {
		p.t.Errorf("%s gives\n%s, want\n%s", sql, got, want)
	}
}

var errDead = errors.New("the process is dead")

// run is a process that copies until the backfill has ended, or reach says that it is dead.
func run(t *testing.T, docs *kept, all []*place, reach func(string) error, begin func(*backfill.Board)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dead := make(chan struct{})
	var once sync.Once
	b := &backfill.Board{Table: docs, Owner: func() bool { return true }, Now: time.Now, Log: slog.New(slog.DiscardHandler), Runner: func(c jobs.Config) jobs.Runner { return jobs.NewLoop(c) },
		Warehouses: func() (list []backfill.Warehouse) {
			for _, p := range all {
				list = append(list, p.as)
			}
			return list
		},
		Reach: func(step string) error {
			if ctx.Err() != nil {
				return errDead
			}
			if reach == nil || reach(step) == nil {
				return nil
			}
			once.Do(func() { cancel(); close(dead) })
			return errDead
		}}
	if begin != nil {
		begin(b)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); b.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for {
		docs.mu.Lock()
		changed := docs.changed
		docs.mu.Unlock()
		list, err := b.List(t.Context(), "ws_test")
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 && list[0].State != backfill.Running {
			return
		}
		select {
		case <-changed:
		case <-dead:
			return
		case <-time.After(2 * time.Minute):
			t.Fatalf("the backfill does not end: %+v", list)
		}
	}
}

func last(t *testing.T, docs *kept) (x backfill.Backfill) {
	t.Helper()
	for _, d := range docs.all {
		if err := json.Unmarshal(d.Value, &x); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func tracked(n int) string {
	return fmt.Sprintf(`{"type":"track","messageId":"m%d","userId":"u","channel":"web","event":"Order Done","receivedAt":"2026-01-%02dT03:04:05.678Z","properties":{"n":%[1]d,"big":9007199254740993,"price":1.25,"gift":true,"at":"2026-02-03","list":[1,"a"],"note":"a\"b日本"}}`, n, 1+n%28)
}

// TestBackfill copies between kinds and between layouts, with a death of the process at each
// step, and then once more.
func TestBackfill(t *testing.T) {
	t.Parallel()
	sources := map[string]func(t *testing.T) (from, into *place){
		"duckdb into postgres in another layout": func(t *testing.T) (from, into *place) {
			return placeOf(t, "from", "duckdb", duckDB(t), ""), placeOf(t, "into", "postgres", ofPostgres(t), `,"layout":"segment"`)
		},
		"postgres into duckdb": func(t *testing.T) (from, into *place) {
			return placeOf(t, "from", "postgres", ofPostgres(t), `,"layout":"segment"`), placeOf(t, "into", "duckdb", duckDB(t), `,"layout":"segment"`)
		},
		"another schema of one file": func(t *testing.T) (from, into *place) {
			s := duckDB(t)
			return placeOf(t, "from", "duckdb", s, ""), placeOf(t, "into", "duckdb", s, `,"schema":"segment","layout":"segment"`)
		},
	}
	for name, open := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, into := open(t)
			var events []string
			for n := range 25 {
				events = append(events, tracked(n))
			}
			from.load(append(events, `{"type":"identify","messageId":"i1","userId":"u","receivedAt":"2026-01-02T03:04:05.678Z","traits":{"plan":"old","city":"Ulm"}}`,
				`{"type":"identify","messageId":"i2","userId":"v","receivedAt":"2026-01-02T03:04:05.678Z","traits":{"plan":"free","city":"Bonn"}}`)...)
			into.load(tracked(7), `{"type":"identify","messageId":"i9","userId":"u","receivedAt":"2026-03-02T03:04:05.678Z","traits":{"plan":"new"}}`)
			docs, all := &kept{all: map[string]documents.Document{}, changed: make(chan struct{})}, []*place{from, into}
			choice := backfill.Choice{From: "dst_from", Into: "dst_into"}
			begin := func(b *backfill.Board) {
				if _, err := b.Begin(t.Context(), "ws_test", choice); err != nil {
					t.Error(err)
				}
			}
			for dies := range 6 { // one step further in each life
				steps := 0
				run(t, docs, all, func(string) error {
					if steps++; steps > 1+dies%4 {
						return errDead
					}
					return nil
				}, map[bool]func(*backfill.Board){true: begin}[dies == 0])
			}
			run(t, docs, all, nil, nil)
			check := func() {
				t.Helper()
				into.want(`select count(*) as c, count(distinct id) as d, sum(n) as s, min(big) as b from order_done`, `[{"c":25,"d":25,"s":300,"b":9007199254740993}]`)
				into.want(`select id, n, price, gift, "at", list, note, received_at from order_done where n = 3`, `[{"id":"m3","n":3,"price":1.25,"gift":true,"at":"2026-02-03T00:00:00.000Z","list":"[1,\"a\"]","note":"a\"b日本","received_at":"2026-01-04T03:04:05.678Z"}]`)
				into.want(`select count(*) as c from tracks`, `[{"c":25}]`)
				into.want(`select id, plan, city from users order by id`, `[{"id":"u","plan":"new","city":null},{"id":"v","plan":"free","city":"Bonn"}]`)
			}
			if x := last(t, docs); x.State != backfill.Done {
				t.Errorf("the backfill is %+v", x)
			}
			check()
			run(t, docs, all, nil, begin) // another one
			if x := last(t, docs); x.State != backfill.Done || x.Progress[0].Copied != 0 {
				t.Errorf("a second backfill is %+v, want nothing copied", x)
			}
			check()
			into.use(func(w warehouse.Warehouse) error {
				have, err := w.Schema(t.Context(), []string{"order_done"})
				if _, there := have["order_done"].Columns["channel"]; there {
					t.Error("the layout segment has got the column channel")
				}
				return err
			})
		})
	}
}

// TestABackfillThatCannotBe refuses what makes no sense.
func TestABackfillThatCannotBe(t *testing.T) {
	t.Parallel()
	a := placeOf(t, "from", "duckdb", duckDB(t), "")
	lake := placeOf(t, "lake", "local_datalake", ofLocalDatalake(t), "")
	b := &backfill.Board{Table: &kept{all: map[string]documents.Document{}, changed: make(chan struct{})}, Now: time.Now, Log: slog.New(slog.DiscardHandler), Warehouses: func() []backfill.Warehouse { return []backfill.Warehouse{a.as, lake.as} }}
	now := time.Now()
	for name, tc := range map[string]struct {
		c    backfill.Choice
		want fault.Kind
	}{
		"into itself":        {backfill.Choice{From: "dst_from", Into: "dst_from"}, fault.Invalid},
		"from nowhere":       {backfill.Choice{From: "dst_no", Into: "dst_from"}, fault.Missing},
		"into nowhere":       {backfill.Choice{From: "dst_from", Into: "dst_no"}, fault.Missing},
		"an end before":      {backfill.Choice{From: "dst_from", Into: "dst_lake", Since: now, Until: now}, fault.Invalid},
		"in other workspace": {backfill.Choice{From: "dst_lake", Into: "dst_from"}, fault.Missing},
	} {
		ws := id.Workspace("ws_test")
		if name == "in other workspace" {
			ws = "ws_other"
		}
		if _, err := b.Begin(t.Context(), ws, tc.c); fault.KindOf(err) != tc.want {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	c := backfill.Choice{From: "dst_lake", Into: "dst_from", Tables: []string{"b", "a"}}
	if _, err := b.Begin(t.Context(), "ws_test", c); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Begin(t.Context(), "ws_test", c); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second one: %v, want fault.Conflict", err)
	}
	if x, err := b.Stop(t.Context(), "ws_test", "dst_from"); err != nil || x.State != backfill.Stopped {
		t.Errorf("stopped: %+v, %v", x, err)
	}
	first, _ := b.List(t.Context(), "ws_test")
	if x, err := b.Begin(t.Context(), "ws_test", c); err != nil || x.ID != first[0].ID || x.State != backfill.Running {
		t.Errorf("begun again: %+v, %v, want the same", x, err)
	}
}

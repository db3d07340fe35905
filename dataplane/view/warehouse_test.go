package view_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/view"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// warehouse is one whose answers a test gives.
type warehouse struct {
	loads []view.Loaded
	query func(ctx context.Context, row func([]string, []any) error) error
	test  error

	mu    sync.Mutex
	asked []string
}

func (w *warehouse) note(parts ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, fmt.Sprint(parts...))
}

func (w *warehouse) Loads(_ context.Context, ws id.Workspace, d id.Destination) ([]view.Loaded, []view.Waiting, error) {
	w.note("loads ", ws, " ", d)
	return w.loads, []view.Waiting{{Destination: "dst_b", Events: 5, Next: now.Add(time.Second)}, {Destination: "dst_gone", Paused: now}}, nil
}

func (w *warehouse) Settle(context.Context) error {
	w.note("settle")
	return nil
}

func (w *warehouse) Hasten(_ context.Context, ws id.Workspace, d id.Destination) error {
	w.note("hasten ", ws, " ", d)
	return nil
}

func (w *warehouse) Pause(_ context.Context, ws id.Workspace, d id.Destination, paused bool) error {
	w.note("pause ", ws, " ", d, " ", paused)
	return nil
}

func (w *warehouse) Query(ctx context.Context, ws id.Workspace, d id.Destination, sql string, row func([]string, []any) error) error {
	w.note("query ", ws, " ", d, " ", sql)
	return w.query(ctx, row)
}

func (w *warehouse) Test(_ context.Context, ws id.Workspace, d id.Destination) error {
	w.note("test ", ws, " ", d)
	return w.test
}

// withWarehouse has a warehouse called lake (dst_b); hook (dst_a) is none.
func withWarehouse(t *testing.T, w *warehouse, change func(*view.Config)) *fixture {
	t.Helper()
	opened := 0 // hook first, then lake
	return newFixtureWith(t, "", func(c *view.Config) {
		c.Warehouses = w
		c.Plans = plans(t, func([]byte, map[string]secret.String) (destination.Opened, error) {
			opened++
			return destination.Opened{HTTP: mute{}, Staged: opened == 2}, nil
		})
		if change != nil {
			change(c)
		}
	})
}

func TestLoadsAreListedWithinTheGrant(t *testing.T) {
	t.Parallel()
	w := &warehouse{loads: []view.Loaded{
		{ID: "l2", Destination: "dst_b", At: now, State: "failed", Rows: 7, Tables: []string{"tracks"}, Attempt: 3, Next: now.Add(time.Minute), Code: "refused", Detail: "value 'x'"},
		{ID: "l1", Destination: "dst_gone", At: now, State: "done", Took: 1500 * time.Millisecond},
	}}
	f := withWarehouse(t, w, nil)
	first := `{"id":"l2","destination":"lake","at":"2026-03-01T12:00:00Z","state":"failed","rows":7,"ms":0,"tables":["tracks"],"attempt":3,"next":"2026-03-01T12:01:00Z","code":"refused","detail":"value 'x'"}`
	second := `{"id":"l1","destination":"dst_gone","at":"2026-03-01T12:00:00Z","state":"done","rows":0,"ms":1500,"tables":[],"attempt":0,"next":null,"code":"","detail":""}`
	waits, none := `"waiting":[{"destination":"lake","events":5,"next":"2026-03-01T12:00:01Z","paused":null}`, `{"destination":"dst_gone","events":0,"next":null,"paused":"2026-03-01T12:00:00Z"}`
	for name, tc := range map[string]struct {
		query  string
		change func(*capability.Grant)
		code   int
		want   string
	}{
		"all":              {"", nil, 200, `{"loads":[` + first + "," + second + "]," + waits + "," + none + "]}"},
		"some":             {"", func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_b"} }, 200, `{"loads":[` + first + "]," + waits + "]}"},
		"of one":           {"?destination=lake", nil, 200, `{"loads":[` + first + "," + second + "]," + waits + "," + none + "]}"}, // the fake does not choose
		"of another":       {"?destination=lake", func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_a"} }, 403, ""},
		"of no warehouse":  {"?destination=hook", nil, 400, ""},
		"of a stranger's":  {"?destination=dst_z", nil, 404, ""},
		"for some sources": {"", func(g *capability.Grant) { g.Sources = []id.Source{"src_a"} }, 403, ""},
	} {
		got := f.do("GET", "/v1/loads"+tc.query, f.token(tc.change, capability.ReadLoads), "")
		if got.Code != tc.code || tc.want != "" && strings.TrimSpace(got.Body.String()) != tc.want {
			t.Errorf("%s: %d %s\nwant %d %s", name, got.Code, got.Body, tc.code, tc.want)
		}
	}
	for _, asked := range w.asked {
		if asked != "loads ws_a " && asked != "loads ws_a dst_b" {
			t.Errorf("the warehouse was asked %q", asked)
		}
	}
}

func TestLoadsAreHastenedAndPausedWithinTheGrant(t *testing.T) {
	t.Parallel()
	w := &warehouse{}
	f := withWarehouse(t, w, nil)
	for name, tc := range map[string]struct {
		destination string
		change      func(*capability.Grant)
		code        int
	}{
		"of one":           {"lake", nil, 200},
		"of another":       {"lake", func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_a"} }, 403},
		"of no warehouse":  {"hook", nil, 400},
		"of a stranger's":  {"dst_z", nil, 404},
		"for some sources": {"lake", func(g *capability.Grant) { g.Sources = []id.Source{"src_a"} }, 403},
	} {
		for _, path := range []string{"/v1/loads", "/v1/loads/pause", "/v1/loads/resume"} {
			got := f.do("POST", path, f.token(tc.change, capability.StartLoads), fmt.Sprintf(`{"destination":%q}`, tc.destination))
			if got.Code != tc.code || tc.code == 200 && strings.TrimSpace(got.Body.String()) != `{"at":"2026-03-01T12:00:00Z"}` {
				t.Errorf("%s, %s: %d %s, want %d", path, name, got.Code, got.Body, tc.code)
			}
		}
	}
	if d := cmp.Diff([]string{"settle", "hasten ws_a dst_b", "pause ws_a dst_b true", "pause ws_a dst_b false"}, w.asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
}

func TestAQueryStreamsRowsInTheirColumnsOrder(t *testing.T) {
	t.Parallel()
	w := &warehouse{query: func(_ context.Context, row func([]string, []any) error) error {
		huge, _ := new(big.Int).SetString("170141183460469231731687303715884105727", 10)
		columns := []string{"z", "a", "a", "a_2", "t", "nan", "blob", "raw", "huge", "big", "odd"}
		return row(columns, []any{"<x>", int64(math.MaxInt64), nil, true, now.In(time.FixedZone("", 3600)), math.NaN(), []byte{0xff}, json.RawMessage(`{"k":[1.50]}`), huge, 1e21, func() {}})
	}}
	f := withWarehouse(t, w, nil)
	got := f.do("POST", "/v1/query", f.token(nil, capability.Query), `{"destination":"lake","sql":"select 1"}`)
	line := strings.TrimSpace(got.Body.String())
	want := `{"z":"<x>","a":9223372036854775807,"a_2":null,"a_2_2":true,"t":"2026-03-01T12:00:00Z","nan":"NaN","blob":"/w==","raw":{"k":[1.50]},"huge":170141183460469231731687303715884105727,"big":1e+21,"odd":"0x`
	if got.Code != 200 || !strings.HasPrefix(line, want) || !json.Valid([]byte(line)) || got.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%d %s\nwant %s...", got.Code, line, want)
	}
	if d := cmp.Diff([]string{"query ws_a dst_b select 1"}, w.asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
}

func TestWhyAQueryGivesNoMoreRows(t *testing.T) {
	t.Parallel()
	one := func(row func([]string, []any) error) error { return row([]string{"n"}, []any{1}) }
	for name, tc := range map[string]struct {
		body   string
		change func(*capability.Grant)
		query  func(ctx context.Context, row func([]string, []any) error) error
		code   int
		last   string
	}{
		"no rows": {query: func(context.Context, func([]string, []any) error) error { return nil }, code: 200, last: ""},
		"an error first": {query: func(context.Context, func([]string, []any) error) error {
			return fault.New(fault.Invalid, "No column x.")
		}, code: 400, last: "No column x."},
		"an error later": {query: func(_ context.Context, row func([]string, []any) error) error {
			return errors.Join(one(row), fault.New(fault.Unavailable, "It went away."))
		}, code: 200, last: `{"error":{"code":"unavailable","message":"It went away."}}`},
		"a stranger's error": {query: func(_ context.Context, row func([]string, []any) error) error {
			return errors.Join(one(row), errors.New("SECRET"))
		}, code: 200, last: `{"error":{"code":"internal","message":"The plane could not go on; its log says why."}}`},
		"a stranger's error first": {query: func(context.Context, func([]string, []any) error) error { return errors.New("SECRET") }, code: 500, last: "its log says why"},
		"too many bytes": {query: func(_ context.Context, row func([]string, []any) error) error {
			for {
				if err := row([]string{"x"}, []any{"a long value"}); err != nil {
					return err
				}
			}
		}, code: 200, last: `{"error":{"code":"limit_bytes"`},
		"too many rows": {query: func(_ context.Context, row func([]string, []any) error) error {
			for {
				if err := row(nil, nil); err != nil {
					return err
				}
			}
		}, code: 200, last: `{"error":{"code":"limit_rows"`},
		"no statement":       {body: `{"destination":"lake","sql":" "}`, code: 400, last: "statement"},
		"an endless one":     {body: `{"destination":"lake","sql":"` + strings.Repeat("x", 70_000) + `"}`, code: 400, last: "64 KiB"},
		"another field":      {body: `{"destination":"lake","sql":"x","as":"root"}`, code: 400, last: "JSON object"},
		"no warehouse":       {body: `{"destination":"hook","sql":"x"}`, code: 400, last: "no warehouse"},
		"none of this name":  {body: `{"destination":"none","sql":"x"}`, code: 404, last: "no destination"},
		"a stranger's":       {body: `{"destination":"dst_z","sql":"x"}`, code: 404, last: "no destination"},
		"not the granted":    {change: func(g *capability.Grant) { g.Destinations = []id.Destination{"dst_a"} }, code: 403, last: "does not cover"},
		"some sources alone": {change: func(g *capability.Grant) { g.Sources = []id.Source{"src_a"} }, code: 403, last: "needs all"},
	} {
		w := &warehouse{query: tc.query}
		var log bytes.Buffer
		f := withWarehouse(t, w, func(c *view.Config) {
			c.Query, c.Log = view.QueryLimits{Rows: 100, Bytes: 1000}, slog.New(slog.NewTextHandler(&log, nil))
		})
		if tc.body == "" {
			tc.body = `{"destination":"lake","sql":"select 1"}`
		}
		got := f.do("POST", "/v1/query", f.token(tc.change, capability.Query), tc.body)
		text := strings.TrimSpace(got.Body.String())
		last := text[strings.LastIndexByte(text, '\n')+1:]
		if got.Code != tc.code || !strings.Contains(last, tc.last) || tc.last == "" && last != "" || strings.Contains(text, "SECRET") {
			t.Errorf("%s: %d %.300s, want %d and %s", name, got.Code, last, tc.code, tc.last)
		}
		if strings.Contains(log.String(), "SECRET") {
			t.Errorf("%s: the log holds what an error quotes: %s", name, &log)
		}
		if tc.query == nil && len(w.asked) > 0 {
			t.Errorf("%s: the warehouse was asked %q", name, w.asked)
		}
	}
}

func TestQueriesEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &warehouse{query: func(ctx context.Context, row func([]string, []any) error) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		f := withWarehouse(t, w, func(c *view.Config) { c.Now = time.Now })
		start := time.Now()
		got := f.do("POST", "/v1/query", f.token(nil, capability.Query), `{"destination":"lake","sql":"select 1"}`)
		if took := time.Since(start); took != 2*time.Minute || !strings.Contains(got.Body.String(), "took longer than 2m0s") {
			t.Errorf("after %s: %d %s", took, got.Code, got.Body)
		}
	})
}

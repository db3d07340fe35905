package s3file_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	s3file "weir/dataplane/destinations/s3-file"
	"weir/dataplane/event"
	"weir/dataplane/syncs"
	"weir/dataplane/syncs/books"
	"weir/shared/egress"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
)

var now = destinationtest.Now()

// store is a store with the bucket "data".
type store struct {
	*httptest.Server
	t      testing.TB
	fake   http.Handler
	broken atomic.Bool
	lost   atomic.Bool                 // answers are
	strike func() (before, after bool) // what becomes of a request, and of its answer; nil: nothing

	mu    sync.Mutex
	files map[string]string // by key, unpacked
	puts  int
}

func newStore(t testing.TB) *store {
	backend := s3mem.New()
	if err := backend.CreateBucket("data"); err != nil {
		t.Fatal(err)
	}
	s := &store{t: t, fake: gofakes3.New(backend, gofakes3.WithoutVersioning(), gofakes3.WithTimeSkewLimit(0)).Server(), files: map[string]string{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	lost := s.lost.Load()
	if s.strike != nil {
		before, after := s.strike()
		if lost = after; before {
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
			return
		}
	}
	if s.broken.Load() {
		http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
		return
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=made-up-key/") {
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	s.fake.ServeHTTP(answer, r)
	if key, found := strings.CutPrefix(r.URL.Path, "/data/"); found && r.Method == http.MethodPut && answer.Code == http.StatusOK {
		if strings.HasSuffix(key, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err == nil {
				body, err = io.ReadAll(z)
			}
			if err != nil {
				s.t.Errorf("%s: %v", key, err)
			}
		}
		s.mu.Lock()
		s.files[key] = string(body)
		s.puts++
		s.mu.Unlock()
	}
	if key, found := strings.CutPrefix(r.URL.Path, "/data/"); found && r.Method == http.MethodDelete {
		s.mu.Lock()
		delete(s.files, key)
		s.mu.Unlock()
	}
	if lost {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (s *store) deps() destination.Deps {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}
	return destination.Deps{Dial: dial, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
}

func settings(more string) string {
	return `{"bucket":"data","region":"eu-central-1","baseUrl":"http://s3.example.com"` + more + `}`
}

var keys = map[string]secret.String{"accessKey": secret.NewString("made-up-key"), "secretKey": secret.NewString("made-up-secret")}

func (s *store) sink(settings string) destination.Sink {
	s.t.Helper()
	o, err := s3file.Kind().Open([]byte(settings), keys)
	if err != nil {
		s.t.Fatal(err)
	}
	to, err := o.Sink(s.t.Context(), s.deps())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = to.Close() })
	return to
}

func TestContract(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	o, err := s3file.Kind().Open([]byte(settings("")), keys)
	if err != nil {
		t.Fatal(err)
	}
	o.Limits.BatchSize = 100
	destinationtest.CheckSink(t, destinationtest.Sink{Opened: o, Deps: s.deps(), Break: s.broken.Store, Taken: func() []id.Event { return nil }}) // events are no rows
}

func TestCases(t *testing.T) {
	t.Parallel()
	destinationtest.SinkCases(t, s3file.Kind(), ".", func(t testing.TB) destinationtest.Side {
		s := newStore(t)
		return destinationtest.Side{Deps: s.deps(), Arrived: func() (lines []string) {
			for _, key := range slices.Sorted(maps.Keys(s.files)) {
				var line bytes.Buffer
				enc := json.NewEncoder(&line)
				enc.SetEscapeHTML(false)
				if err := enc.Encode(map[string]any{"key": key, "file": s.files[key]}); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, strings.TrimSpace(line.String()))
			}
			return lines
		}}
	})
}

// batch is rows of a run.
func batch(t testing.TB, name string, from, n int) destination.Batch {
	b := destination.Batch{Name: name, Now: now}
	for i := from; i < from+n; i++ {
		row := books.Row{N: int64(i), Op: "insert", Key: fmt.Sprint("k", i), Hash: "h", Identifiers: map[string]string{"id": fmt.Sprint("k", i)}, Fields: map[string]any{"name": fmt.Sprintf("name \"%d\",\n", i), "n": i, "none": nil}}
		e, err := syncs.Event("ws_test", activation.Sync{ID: "s", Object: "file", Mode: activation.Append}, row, now)
		if err != nil {
			t.Fatal(err)
		}
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

// TestEachRowIsThereOnce: whatever answers are lost, the files of a run have each of its rows
// once.
func TestEachRowIsThereOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, format := range []string{"csv", "json"} {
		clear(s.files)
		for part := range 5 {
			b := batch(t, fmt.Sprintf("run-%05d", part*40+1), part*40+1, 40)
			for _, lost := range []bool{true, true, false} {
				s.lost.Store(lost)
				verdicts, err := s.sink(settings(`,"compression":"gzip","format":"`+format+`"`)).Write(t.Context(), b)
				for _, v := range destination.Wrote(40, verdicts, err) {
					if (v.Outcome == destination.Delivered) == lost {
						t.Fatalf("lost %v: %+v, %v", lost, v, err)
					}
				}
			}
		}
		seen := map[string]int{}
		for key, file := range s.files {
			for i, r := range s.read(key, file) {
				if seen[r["id"]]++; r["name"] != fmt.Sprintf("name \"%s\",\n", r["n"]) || r["none"] != "" {
					t.Fatalf("%s: row %d is %v", key, i, r)
				}
			}
		}
		if len(s.files) != 5 || len(seen) != 200 || slices.Max(slices.Collect(maps.Values(seen))) != 1 {
			t.Errorf("%s: %d files with %d rows, want 5 with 200, each once", format, len(s.files), len(seen))
		}
	}
}

// read returns the rows of a file, as texts.
func (s *store) read(key, file string) (all []map[string]string) {
	if strings.Contains(key, ".json") {
		for line := range strings.Lines(file) {
			var r map[string]any
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				s.t.Fatal(err)
			}
			texts := map[string]string{}
			for name, v := range r {
				if texts[name] = fmt.Sprint(v); v == nil {
					texts[name] = ""
				}
			}
			all = append(all, texts)
		}
		return all
	}
	lines, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil || len(lines) == 0 || !slices.Equal(lines[0], []string{"id", "n", "name", "none"}) {
		s.t.Fatalf("%s: %v, %v", key, lines, err)
	}
	for _, line := range lines[1:] {
		r := map[string]string{}
		for i, name := range lines[0] {
			r[name] = line[i]
		}
		all = append(all, r)
	}
	return all
}

// TestRefusalsAreTriedAgain: what a store refuses is about the bucket or the keys.
func TestRefusalsAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for name, tc := range map[string]struct{ settings, code string }{
		"taken":     {settings(""), ""},
		"no bucket": {strings.Replace(settings(""), `"data"`, `"other"`, 1), "rejected_404"},
	} {
		to := s.sink(tc.settings)
		verdicts, err := to.Write(t.Context(), batch(t, "b", 1, 2))
		if err != nil || len(verdicts) != 2 || verdicts[1].Code != tc.code || (verdicts[1].Outcome == destination.Retry) != (tc.code != "") {
			t.Errorf("%s: %+v, %v, want code %q", name, verdicts, err, tc.code)
		}
		if err := to.(interface{ Test(context.Context) error }).Test(t.Context()); (err == nil) != (tc.code == "") {
			t.Errorf("%s: Test = %v", name, err)
		}
	}
}

// TestEgress wants a store at a private address to be refused where the plane forbids it.
func TestEgress(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	o, err := s3file.Kind().Open([]byte(strings.Replace(settings(""), "http://s3.example.com", s.URL, 1)), keys)
	if err != nil {
		t.Fatal(err)
	}
	to, err := o.Sink(t.Context(), destination.Deps{Dial: egress.New(egress.Policy{}).DialContext, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := to.Write(t.Context(), batch(t, "b", 1, 1))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "egress_denied" || len(s.files) > 0 {
		t.Errorf("%+v, want egress_denied", v)
	}
}

// TestTheRoleOfTheMachine signs files by it; without it both keys are wanted.
func TestTheRoleOfTheMachine(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	o, err := s3file.Kind().Open([]byte(settings(`,"machineRole":true`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	deps := s.deps()
	if _, err := o.Sink(t.Context(), deps); err == nil {
		t.Error("it opens where there is no role")
	}
	role := errors.New("no role for now")
	deps.Machine = func(context.Context) (string, string, string, error) {
		return "made-up-key", "made-up-secret", "", role
	}
	to, err := o.Sink(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	test := to.(interface{ Test(context.Context) error })
	if err := test.Test(t.Context()); !errors.Is(err, role) {
		t.Errorf("without keys: %v, want %v", err, role)
	}
	role = nil
	if err := test.Test(t.Context()); err != nil {
		t.Errorf("with keys: %v", err)
	}
	if _, err := s3file.Kind().Open([]byte(settings("")), nil); len(fault.ProblemsOf(err)) != 2 {
		t.Errorf("without keys and role: %v, want both secrets named", err)
	}
}

// TestEventsAreNoRows: a batch without a row makes no file.
func TestEventsAreNoRows(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := destination.Batch{Name: "b", Now: now, Items: []destination.Item{{Event: event.Event{MessageID: "m", Type: "track", JSON: []byte(`{"messageId":"m","type":"track"}`)}}}}
	if verdicts, err := s.sink(settings("")).Write(t.Context(), b); err != nil || len(verdicts) != 1 || verdicts[0].Outcome != destination.Dropped || s.puts > 0 {
		t.Errorf("%+v, %v, %d files", verdicts, err, s.puts)
	}
}

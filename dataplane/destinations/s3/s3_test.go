package s3_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/s3"
	"weir/dataplane/event"
	"weir/shared/egress"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// The clock of the tests and the keys of the store.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	region    = "eu-central-1"
)

// store is a store with the bucket "data", which refuses requests that are not signed as
// S3's documentation asks for it.
type store struct {
	*httptest.Server
	t      testing.TB
	fake   http.Handler
	broken atomic.Bool

	mu      sync.Mutex
	put     []string          // keys, in the order in which they came
	objects map[string][]byte // by key
	taken   []id.Event
}

func newStore(t testing.TB) *store {
	backend := s3mem.New()
	if err := backend.CreateBucket("data"); err != nil {
		t.Fatal(err)
	}
	s := &store{t: t, fake: gofakes3.New(backend, gofakes3.WithoutVersioning(), gofakes3.WithTimeSkewLimit(0)).Server(), objects: map[string][]byte{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch {
	case s.broken.Load():
		http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
		return
	case !signed(r, body):
		http.Error(w, "<Error><Code>SignatureDoesNotMatch</Code></Error>", http.StatusForbidden)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if host, _, _ := strings.Cut(r.Host, ":"); strings.HasPrefix(host, "data.") { // the bucket before the host's name
		r.URL.Path = "/data" + r.URL.Path
	}
	answer := httptest.NewRecorder()
	s.fake.ServeHTTP(answer, r)
	if key, found := strings.CutPrefix(r.URL.Path, "/data/"); found && r.Method == http.MethodPut && answer.Code == http.StatusOK {
		s.mu.Lock()
		s.put = append(s.put, key)
		s.objects[key] = body
		for _, e := range s.events(key, body) {
			var head struct{ MessageID id.Event }
			if err := json.Unmarshal([]byte(e), &head); err != nil {
				s.t.Error(err)
			}
			s.taken = append(s.taken, head.MessageID)
		}
		s.mu.Unlock()
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// events reads the events of a file.
func (s *store) events(key string, body []byte) (all []string) {
	var text io.Reader = bytes.NewReader(body)
	var err error
	switch {
	case strings.HasSuffix(key, ".parquet"):
		rows, err := parquet.Read[struct {
			ID   string    `parquet:"message_id"`
			At   time.Time `parquet:"received_at"`
			User *string   `parquet:"user_id"`
			JSON string    `parquet:"json"`
		}](bytes.NewReader(body), int64(len(body)))
		if err != nil {
			s.t.Errorf("%s: %v", key, err)
		}
		for _, r := range rows {
			if !strings.Contains(r.JSON, r.ID) || r.At.UTC().Year() != 2026 {
				s.t.Errorf("%s: row %+v", key, r)
			}
			all = append(all, r.JSON)
		}
		return all
	case strings.HasSuffix(key, ".json.gz"):
		text, err = gzip.NewReader(text)
	case strings.HasSuffix(key, ".json.zst"):
		text, err = zstd.NewReader(text)
	}
	if err != nil {
		s.t.Errorf("%s: %v", key, err)
		return nil
	}
	b, err := io.ReadAll(text)
	if err != nil {
		s.t.Errorf("%s: %v", key, err)
	}
	for line := range strings.Lines(string(b)) {
		all = append(all, strings.TrimSuffix(line, "\n"))
	}
	return all
}

// deps lead every address to the store.
func (s *store) deps() destination.Deps {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}
	return destination.Deps{Dial: dial, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
}

func opened(t testing.TB, settings string) destination.Opened {
	t.Helper()
	o, err := s3.Kind().Open([]byte(settings), map[string]secret.String{"accessKey": secret.NewString(accessKey), "secretKey": secret.NewString(secretKey)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func settings(more string) string {
	return `{"bucket":"data","region":"` + region + `","baseUrl":"http://s3.example.com"` + more + `}`
}

func TestContract(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	destinationtest.CheckSink(t, destinationtest.Sink{
		Opened: opened(t, settings(`,"prefix":"all/"`)), Deps: s.deps(), Break: s.broken.Store,
		Taken: func() []id.Event { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.taken) },
	})
}

func TestCases(t *testing.T) {
	t.Parallel()
	destinationtest.SinkCases(t, s3.Kind(), ".", func(t testing.TB) destinationtest.Side {
		s := newStore(t)
		return destinationtest.Side{Deps: s.deps(), Arrived: func() (lines []string) {
			slices.Sort(s.put)
			for _, key := range s.put {
				var events []json.RawMessage
				for _, e := range s.events(key, s.objects[key]) {
					events = append(events, json.RawMessage(e))
				}
				var line bytes.Buffer
				enc := json.NewEncoder(&line)
				enc.SetEscapeHTML(false)
				if err := enc.Encode(map[string]any{"key": key, "events": events}); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, strings.TrimSpace(line.String()))
			}
			return lines
		}}
	})
}

// batch is so many events of one batch.
func batch(name string, n int) destination.Batch {
	b := destination.Batch{Name: name, Now: now}
	for i := range n {
		e := event.Event{MessageID: id.Event(fmt.Sprint("m", i)), Type: "track", ReceivedAt: now, JSON: fmt.Appendf(nil, `{"messageId":"m%d","type":"track","event":"E%d"}`, i, i%3)}
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

// TestABatchThatIsRepeatedReplacesItsFiles: of a batch whose answers were lost, files are
// there once.
func TestABatchThatIsRepeatedReplacesItsFiles(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for range 3 {
		sink, err := opened(t, settings(`,"prefix":"{event}/"`)).Sink(t.Context(), s.deps())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write(t.Context(), batch("one", 10)); err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write(t.Context(), batch("two", 3)); err != nil {
			t.Fatal(err)
		}
	}
	events := 0
	for key, body := range s.objects {
		events += len(s.events(key, body))
	}
	if len(s.objects) != 6 || events != 13 {
		t.Errorf("%d files with %d events, want 6 with 13", len(s.objects), events)
	}
}

// TestRefusalsAreTriedAgain: what a store refuses is about the bucket or the keys, and
// nothing is lost by it.
func TestRefusalsAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for name, tc := range map[string]struct{ settings, code string }{
		"no bucket":                 {strings.Replace(settings(""), `"data"`, `"other"`, 1), "rejected_404"},
		"keys that do not fit":      {strings.Replace(settings(""), region, "us-west-1", 1), "rejected_403"},
		"the bucket before a host":  {settings(`,"pathStyle":false`), ""},
		"a prefix as Hive names it": {settings(`,"prefix":"year={yyyy}/a+b c/"`), "settings"},
		"a prefix with an equals":   {settings(`,"prefix":"year={yyyy}/!(*)/"`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := s3.Kind().Open([]byte(tc.settings), map[string]secret.String{"accessKey": secret.NewString(accessKey), "secretKey": secret.NewString(secretKey)})
			if tc.code == "settings" {
				if err == nil {
					t.Error("the settings are taken")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sink, err := o.Sink(t.Context(), s.deps())
			if err != nil {
				t.Fatal(err)
			}
			verdicts, err := sink.Write(t.Context(), batch("b", 1))
			if err != nil || len(verdicts) != 1 || verdicts[0].Code != tc.code || (verdicts[0].Outcome == destination.Retry) != (tc.code != "") {
				t.Errorf("Write = %+v, %v, want code %q", verdicts, err, tc.code)
			}
			err = sink.(interface{ Test(context.Context) error }).Test(t.Context())
			if (err == nil) != (tc.code == "") {
				t.Errorf("Test = %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), accessKey) || strings.Contains(err.Error(), secretKey)) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// TestEgress wants a store at a private address to be refused where the plane forbids it.
func TestEgress(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	sink, err := opened(t, strings.Replace(settings(""), "http://s3.example.com", s.URL, 1)).Sink(t.Context(), destination.Deps{
		Dial: egress.New(egress.Policy{}).DialContext, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := sink.Write(t.Context(), batch("b", 1))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "egress_denied" || len(s.objects) > 0 {
		t.Errorf("%+v, want egress_denied", v)
	}
}

// TestAStoreThatHangs wants a write to end with its context.
func TestAStoreThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	sink, err := opened(t, settings("")).Sink(t.Context(), destination.Deps{Now: time.Now, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := sink.Write(ctx, batch("b", 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write = %v, want its deadline", err)
	}
}

// TestTheRoleOfTheMachine signs files by it.
func TestTheRoleOfTheMachine(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	o, err := s3.Kind().Open([]byte(settings(`,"machineRole":true`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	deps := s.deps()
	if _, err := o.Sink(t.Context(), deps); err == nil {
		t.Error("it opens where there is no role")
	}
	role := errors.New("no role for now")
	deps.Machine = func(context.Context) (string, string, string, error) { return accessKey, secretKey, "", role }
	sink, err := o.Sink(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }()
	test := sink.(interface{ Test(context.Context) error })
	if err := test.Test(t.Context()); !errors.Is(err, role) {
		t.Errorf("without keys: %v, want %v", err, role)
	}
	role = nil
	if err := test.Test(t.Context()); err != nil {
		t.Errorf("with keys: %v", err)
	}
	if _, err := s3.Kind().Open([]byte(settings("")), nil); len(fault.ProblemsOf(err)) != 2 {
		t.Errorf("without keys and role: %v, want both secrets named", err)
	}
}

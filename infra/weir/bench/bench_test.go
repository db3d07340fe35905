package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/process"
	"weir/infra/weir/bench/report"
	"weir/infra/weir/bench/webhook"
)

var idMark = []byte(`"messageId":"`)

// TestMain lets this binary be its own receivers, and a stand-in for weir.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case webhook.Command:
			os.Exit(webhook.Serve(os.Args[2:]))
		case "dev":
			os.Exit(standIn(os.Args[2:], filepath.Base(os.Args[0])))
		case "ledger":
			fmt.Println(`{"source":"web","destination":"hook","inFlight":0,"parked":0,"dead":0,"balanced":true}`)
			os.Exit(0)
		case "query":
			dir := os.Args[slices.Index(os.Args, "--data-dir")+1]
			rows, _ := os.ReadFile(filepath.Join(dir, "rows")) // none before the first event
			fmt.Print(string(rows))
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// standIn takes events as `weir dev` does and forwards each to the webhook; those
// for the warehouse become lines of a file.
func standIn(args []string, how string) int {
	if how == "dies" {
		fmt.Fprintln(os.Stderr, "no room on this disk")
		return 3
	}
	flag := func(name string) string { return args[slices.Index(args, name)+1] }
	config, err := os.ReadFile(flag("--config"))
	if err != nil {
		return 1
	}
	var urls []string
	for _, m := range regexp.MustCompile(`url: "([^"]+)"`).FindAllSubmatch(config, -1) {
		urls = append(urls, string(m[1]))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	f := &forwarder{urls: urls, rows: filepath.Join(flag("--data-dir"), "rows"), how: how, queue: make(chan []byte, 1<<20), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	for range 16 {
		go f.run()
	}
	go func() { _ = http.Serve(l, f) }()
	_ = os.MkdirAll(flag("--data-dir"), 0o700)
	dev := fmt.Sprintf(`{"gateway":"http://%s","writeKey":%q}`, l.Addr(), writeKey)
	if err := os.WriteFile(filepath.Join(flag("--data-dir"), "dev.json"), []byte(dev), 0o600); err != nil {
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("starting\nready")
	<-stop
	return 0
}

type forwarder struct {
	urls   []string // the first is the sink's
	how    string
	rows   string // a file
	queue  chan []byte
	client *http.Client
	mu     sync.Mutex
	n      int
}

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	events := []json.RawMessage{body}
	if r.URL.Path == "/v1/batch" {
		var b struct{ Batch []json.RawMessage }
		if err := json.Unmarshal(body, &b); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		events = b.Batch
	}
	user, _, ok := r.BasicAuth()
	if !ok || !strings.HasPrefix(user, writeKey) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	for _, e := range events {
		f.mu.Lock()
		f.n++
		forget := f.how == "forgets" && f.n == 20
		refuse := f.how == "refuses" && f.n%10 == 0
		f.mu.Unlock()
		if refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		switch {
		case forget:
		case user == soakKey:
			f.queue <- e
			for _, url := range f.urls[1:] {
				go f.insist(url, e)
			}
		case user == lateKey:
			f.queue <- e
			go f.insist(f.urls[1], e)
		case user == rowsKey:
			if err := f.row(e); err != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		default:
			f.queue <- e
		}
	}
}

func (f *forwarder) row(e json.RawMessage) error {
	i := bytes.Index(e, idMark) + len(idMark)
	f.mu.Lock()
	defer f.mu.Unlock()
	out, err := os.OpenFile(f.rows, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "{\"id\":%q}\n", e[i:i+load.IDLength])
	return errors.Join(err, out.Close())
}

func (f *forwarder) run() {
	for e := range f.queue {
		f.send(f.urls[0], e)
	}
}

// insist sends until it is taken.
func (f *forwarder) insist(url string, e []byte) {
	for !f.send(url, e) {
		time.Sleep(50 * time.Millisecond)
	}
}

func (f *forwarder) send(url string, e []byte) bool {
	i := bytes.Index(e, idMark) + len(idMark)
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(e))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Weir-Message-Id", string(e[i:i+load.IDLength]))
	resp, err := f.client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// runBench runs the program with this binary in weir's place; the name under
// which it is started says how it behaves.
func runBench(t *testing.T, how string, args ...string) (code int, r report.Report, errs string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	weir := filepath.Join(t.TempDir(), how)
	if err := os.Symlink(self, weir); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out, log bytes.Buffer
	code = run(t.Context(), append([]string{"-weir", weir, "-seconds", "0.1", "-json", "-dir", dir}, args...), &out, &log)
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Errorf("%v:\n%s", err, out.String())
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("the run left %v (%v)", left, err)
	}
	return code, r, log.String()
}

func TestARunMeasuresEveryRow(t *testing.T) {
	t.Parallel()
	code, r, errs := runBench(t, "good")
	r.Notes = slices.DeleteFunc(r.Notes, func(n string) bool { return strings.HasPrefix(n, "70 % load: ") }) // a busy machine cannot keep up
	if code != 0 || r.Lost != 0 || len(r.Notes) > 0 {
		t.Errorf("exit code %d, lost %d, notes %q, want 0, 0, none\n%s", code, r.Lost, r.Notes, errs)
	}
	paced := func(load string) []string {
		return []string{load + ", send to arrival, p50", load + ", send to arrival, p99", load + ", acknowledged, p50", load + ", acknowledged, p99", load + ", CPU"}
	}
	want := append([]string{"ready, from start of the binary", "memory when idle (PSS)"}, paced("200 events/s")...)
	for _, load := range []string{"single events, 64 connections", "single events, 512 connections", "batches of 100, 16 connections", "20-line transformation, 512 connections"} {
		want = append(want, load)
		if load == "single events, 512 connections" {
			want = append(want, load+", of the bare handler's")
		}
		want = append(want, load+", delivered", load+", CPU", load+", disk")
		if load == "single events, 512 connections" {
			want = append(want, paced("70 % load")...)
		}
	}
	want = append(want,
		"memory at most under load (PSS)", "acknowledged and not arrived", "arrived twice", "longest drain after a load", "memory after all (PSS)", "books that do not balance",
		"event to row, p50", "event to row, p95",
		awayPhase+", acknowledged and not arrived at late", awayPhase+", out of a user's order at late", "backlog, delivered for each event that comes in")
	for _, kind := range []string{"black holes", "429s", "30 % 500s", "bodies of 1 byte/s", "resets", "failing TLS"} {
		want = append(want, "beside nine "+kind+", send to arrival, p99", "beside nine "+kind+", acknowledged, p99")
	}
	var got []string
	for _, one := range r.Rows {
		got = append(got, one.Name)
		if one.Figure < 0 || one.Figure == 0 && slices.Contains([]string{"s", "MB", "ms", "events/s"}, one.Unit) && !strings.Contains(one.Name, "drain") {
			t.Errorf("%s: %v %s", one.Name, one.Figure, one.Unit)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestASoakWatchesWhatGrowsAndWaitsForEveryWebhook(t *testing.T) {
	t.Parallel()
	code, r, errs := runBench(t, "good", "-only", partSoak, "-soak", "1s")
	if code != 0 || r.Lost != 0 {
		t.Errorf("exit code %d, lost %d, want 0 and 0\n%s", code, r.Lost, errs)
	}
	want := []string{
		"soak, send to arrival, p99", "soak, acknowledged, p99", "soak, growth of memory (PSS)", "soak, growth of goroutines", "soak, growth of descriptors",
		"soak, looks at books that did not balance",
	}
	for _, kind := range []string{"black holes", "429s", "30 % 500s", "bodies of 1 byte/s", "resets"} {
		want = append(want, "soak, acknowledged and not arrived at "+kind, "soak, out of a user's order at "+kind)
	}
	want = append(want, "books that do not balance")
	var got []string
	for _, one := range r.Rows {
		got = append(got, one.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDisorderIsAnEventBeforeAnEarlierOneOfItsUser(t *testing.T) {
	t.Parallel()
	at := make([]int64, 3*load.Users)
	at[0], at[load.Users], at[2*load.Users] = 5, 4, 6 // the second came before the first
	at[1], at[load.Users+1] = 5, 6
	at[2+load.Users] = 7 // the one before it did not arrive, which is another fault
	if n := disorder(at); n != 1 {
		t.Errorf("%d out of order, want 1", n)
	}
}

func TestAWeirThatCannotStartIsAFailure(t *testing.T) {
	t.Parallel()
	code, _, errs := runBench(t, "dies")
	if code != 1 || !strings.Contains(errs, "no room on this disk") {
		t.Errorf("exit code %d, want 1 and weir's own words:\n%s", code, errs)
	}
}

func TestRefusedEventsAreNotedAndNotLost(t *testing.T) {
	t.Parallel()
	code, r, _ := runBench(t, "refuses", "-only", partWebhook)
	if code != 0 || r.Lost != 0 {
		t.Errorf("exit code %d, lost %d, want 0 and 0", code, r.Lost)
	}
	if len(r.Notes) == 0 || !strings.Contains(r.Notes[0], "status 503") {
		t.Errorf("notes %q, want the status of the refusals", r.Notes)
	}
}

func TestAWeirThatForgetsAnEventIsAFailure(t *testing.T) {
	t.Parallel()
	code, r, errs := runBench(t, "forgets", "-only", partWebhook, "-stall", "1s")
	if code != 1 || r.Lost == 0 || !strings.Contains(errs, "acknowledged events did not arrive") {
		t.Errorf("exit code %d, lost %d, want 1 and more than 0\n%s", code, r.Lost, errs)
	}
}

func TestAnAcknowledgedEventThatDoesNotArriveIsMissed(t *testing.T) {
	t.Parallel()
	o := &outcome{Sent: &load.Sent{Acked: []load.Span{{Seq: 0, N: 1}, {Seq: 2, N: 3}}, Planned: []int64{10, 10, 10, 10, 10}}}
	o.compare([]int64{30, 0, 40, 0}) // 1 was not acknowledged, 3 and 4 are missing
	if o.lost != 2 || !slices.Equal(o.toEnd, []time.Duration{20, 30}) {
		t.Errorf("lost %d, latencies %v, want 2 and [20ns 30ns]", o.lost, o.toEnd)
	}
	b := &bench{report: report.Report{}, product: &process.Process{}}
	o.Took = time.Second
	bare := &outcome{Sent: &load.Sent{Took: time.Second}}
	b.tell(phase{name: "some"}, bare, o)
	b.book(phase{name: "some"}, o)
	if b.report.Lost != 2 {
		t.Errorf("the report says %d lost, want 2", b.report.Lost)
	}
}

func TestUnbalancedBooksAreCounted(t *testing.T) {
	t.Parallel()
	n, rows := unbalanced([]byte(`{"balanced":true,"inFlight":0}` + "\n" + `{"balanced":false}` + "\n" + `{"balanced":true,"parked":1}` + "\n" + "what?\n"))
	if n != 3 || len(rows) != 4 {
		t.Errorf("%d of %d rows are unbalanced, want 3 of 4", n, len(rows))
	}
}

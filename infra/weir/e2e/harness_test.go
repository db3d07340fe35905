// Package e2e_test drives the built product as its users do: processes, public
// ports, signals. It knows no package of the product but shared/.
package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for a state. It is generous: machines are slow
// under load, and a test that waits for a state is over when the state is there.
const patience = 3 * time.Minute

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "weir-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, "weir/infra/weir").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		os.Exit(1)
	}
	if tools, err := filepath.Abs("../../../bin/tools"); err == nil { // Node and Chromium, where infra/tools/setup.sh put them
		_ = os.Setenv("PATH", tools+string(filepath.ListSeparator)+os.Getenv("PATH"))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// process is a running weir, or another command, with its output kept.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	mu    sync.Mutex
	lines []string
	grown chan struct{} // closed and renewed with each line
}

// start runs weir with args. It is killed at the end of the test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startCommand(t, exec.Command(binary, args...))
}

func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: strings.Join(cmd.Args, " "), cmd: cmd, done: make(chan struct{}), grown: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Env = append(cmd.Environ(), "NO_COLOR=1")
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		sc := bufio.NewScanner(r)
		sc.Buffer(nil, 16<<20)
		for sc.Scan() {
			p.mu.Lock()
			p.lines = append(p.lines, sc.Text())
			close(p.grown)
			p.grown = make(chan struct{})
			p.mu.Unlock()
		}
		_, _ = io.Copy(io.Discard, r)
	})
	go func() {
		p.err = cmd.Wait()
		_ = w.Close()
		reading.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("output of %s:\n%s", p.name, strings.Join(p.lines[max(0, len(p.lines)-60):], "\n"))
		}
	})
	return p
}

// kill ends the process with SIGKILL and waits for it.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// stop ends the process with SIGTERM; an exit code other than 0 is an error.
func (p *process) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Errorf("%s after SIGTERM: %v", p.name, p.err)
		}
	case <-time.After(patience):
		p.t.Errorf("%s does not end after SIGTERM", p.name)
	}
}

// line waits for a line that matches and returns its submatches.
func (p *process) line(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		lines, grown := p.lines[seen:], p.grown
		seen = len(p.lines)
		p.mu.Unlock()
		for _, l := range lines {
			if m := re.FindStringSubmatch(l); m != nil {
				return m
			}
		}
		select {
		case <-grown:
		case <-p.done:
			p.mu.Lock()
			rest := p.lines[seen:]
			p.mu.Unlock()
			if len(rest) == 0 {
				p.t.Fatalf("%s ended (%v) before a line matched %q", p.name, p.err, pattern)
			}
		case <-deadline:
			p.t.Fatalf("%s: no line matches %q", p.name, pattern)
		}
	}
}

// output returns everything printed so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// run runs weir to its end and returns its standard output. want is the exit code.
func run(t *testing.T, want int, stdin string, args ...string) string {
	t.Helper()
	return runCommand(t, want, stdin, binary, args...)
}

func runCommand(t *testing.T, want int, stdin, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("%s %s: exit code %d (%v), want %d\n%s%s", filepath.Base(program), strings.Join(args, " "), got, err, want, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// installation is the content of dev.json plus where it lies.
type installation struct {
	Dir      string `json:"-"`
	Control  string `json:"control"`
	Token    string `json:"token"`
	Gateway  string `json:"gateway"`
	View     string `json:"view"`
	Metrics  string `json:"metrics"`
	WriteKey string `json:"writeKey"`
	Email    string `json:"email"`
	Password string `json:"password"`
	Hub      string `json:"hub"`
}

// dev starts `weir dev` in dir on free ports and waits for ready. config may be
// empty; args are added.
func dev(t *testing.T, dir, config string, args ...string) (*process, installation) {
	t.Helper()
	all := []string{"dev", "--no-temporal", "--data-dir", filepath.Join(dir, "data")}
	if !strings.Contains(strings.Join(args, " "), "--gateway") {
		all = append(all, addresses(t)...)
	}
	if config != "" {
		file := filepath.Join(dir, "weir.yaml")
		write(t, file, config)
		all = append(all, "--config", file)
	}
	p := start(t, append(all, args...)...)
	p.line(`^ready$`)
	return p, installed(t, filepath.Join(dir, "data"))
}

func installed(t *testing.T, data string) installation {
	t.Helper()
	in := installation{Dir: data}
	b, err := os.ReadFile(filepath.Join(data, "dev.json"))
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	if err != nil {
		t.Fatalf("dev.json: %v", err)
	}
	return in
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// addresses returns the flags of `weir dev` for what listens, each with a port
// that is free.
func addresses(t *testing.T) (flags []string) {
	t.Helper()
	for _, name := range []string{"--http", "--gateway", "--view", "--metrics", "--hub"} {
		flags = append(flags, name, freePort(t))
	}
	return flags
}

// freePort returns an address for the tests of this process alone, which it can
// use until it ends: a lock keeps processes that run other copies of these tests
// away from the port, and Linux gives connections and listeners on port 0 the
// ports from 32768 on. The port plus ten, that of a second plane, is free, too.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := 10000 + 20*rand.IntN(500) + rand.IntN(10)
		if locks.take(t, port) && listens(port) && listens(port+10) {
			return address(port)
		}
	}
	t.Fatal("no port is free")
	return ""
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// listens says whether a port can be listened on.
func listens(port int) bool {
	l, err := net.Listen("tcp", address(port))
	return err == nil && l.Close() == nil
}

// portLocks are the ports that this process has taken: locks of single bytes
// of a file that all processes share. They end with the process.
type portLocks struct {
	mu    sync.Mutex
	file  *os.File
	taken map[int]bool
}

var locks = portLocks{taken: map[int]bool{}}

func (p *portLocks) take(t *testing.T, port int) bool {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("weir-e2e-ports-%d", os.Getuid())), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		p.file = f
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: int64(port), Len: 1}
	if p.taken[port] || syscall.FcntlFlock(p.file.Fd(), syscall.F_SETLK, &lock) != nil {
		return false
	}
	p.taken[port] = true
	return true
}

// post sends a body to a gateway path and returns status and answer; 0 when
// there was no answer.
func post(gateway, path, key, body string) (int, string) {
	req, err := http.NewRequest(http.MethodPost, gateway+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.SetBasicAuth(key, "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

var client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 128}}

// accept sends a body and fails the test unless it is acknowledged.
func accept(t *testing.T, gateway, path, key, body string) {
	t.Helper()
	if code, answer := deliver(gateway, path, key, body); code != http.StatusOK {
		t.Fatalf("POST %s: %d %s", path, code, answer)
	}
}

// deliver is post that sends again, as SDKs do, what could not be made durable in
// time: a disk that other tests use may stall for seconds. Every other answer
// counts at once.
func deliver(gateway, path, key, body string) (code int, answer string) {
	for end := time.Now().Add(patience); ; {
		code, answer = post(gateway, path, key, body)
		if code != http.StatusServiceUnavailable || !strings.Contains(answer, "could not be made durable") || time.Now().After(end) {
			return code, answer
		}
		<-time.After(time.Second)
	}
}

// until polls for a state.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// arrival is one request that a sink took.
type arrival struct {
	At     time.Time
	Header http.Header
	Body   []byte
}

// sink is a webhook receiver. Behave may answer itself by returning true.
type sink struct {
	URL string

	mu       sync.Mutex
	arrivals []arrival
	behave   func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

// newSink listens on a loopback port until the test ends.
func newSink(t *testing.T) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return sinkOn(t, l)
}

// sinkOn is newSink on a listener.
func sinkOn(t *testing.T, l net.Listener) *sink {
	t.Helper()
	s := &sink{URL: "http://" + l.Addr().String()}
	srv := &http.Server{Handler: s}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender died; what is not whole did not arrive
	}
	s.mu.Lock()
	behave := s.behave
	s.mu.Unlock()
	if behave != nil && behave(w, r, body) {
		return
	}
	s.keep(r, body)
}

func (s *sink) keep(r *http.Request, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals = append(s.arrivals, arrival{time.Now(), r.Header, body})
}

func (s *sink) set(behave func(w http.ResponseWriter, r *http.Request, body []byte) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behave = behave
}

// hangs answers nothing until free is closed, and after that as a sink does.
func hangs(free <-chan struct{}) func(http.ResponseWriter, *http.Request, []byte) bool {
	return func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		select {
		case <-free:
			return false
		case <-r.Context().Done():
			return true
		}
	}
}

func (s *sink) all() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]arrival(nil), s.arrivals...)
}

// ids returns how often each messageId arrived.
func (s *sink) ids() map[string]int {
	n := map[string]int{}
	for _, a := range s.all() {
		n[a.Header.Get("Weir-Message-Id")]++
	}
	return n
}

// book is a line of `weir ledger --output json`.
type book struct {
	Source, Destination              string
	Accepted, Replayed, Waiting      int64
	Duplicate, Quarantined, Unrouted int64
	Dropped                          map[string]int64
	Routed, Added, Delivered, Staged int64
	Parked, Dead, InFlight           int64
	Balanced                         bool
}

// ledger asks until it gets an answer: a process whose event log does not answer
// for long starts anew, with another token.
func ledger(t *testing.T, in installation) []book {
	t.Helper()
	var out, errs bytes.Buffer
	for end := time.Now().Add(patience); ; {
		cmd := exec.CommandContext(t.Context(), binary, "ledger", "--output", "json", "--data-dir", in.Dir)
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("weir ledger: %v\n%s", err, errs.String())
		}
		out.Reset()
		errs.Reset()
		<-time.After(100 * time.Millisecond)
	}
	var books []book
	for l := range strings.Lines(out.String()) {
		var b book
		if err := json.Unmarshal([]byte(l), &b); err != nil {
			t.Fatalf("ledger line %q: %v", l, err)
		}
		books = append(books, b)
	}
	return books
}

// bookOf returns the book of a source and destination by name.
func bookOf(t *testing.T, in installation, source, destination string) book {
	t.Helper()
	for _, b := range ledger(t, in) {
		if b.Source == source && b.Destination == destination {
			return b
		}
	}
	return book{}
}

// hookConfig is a workspace with a source and webhooks by name.
func hookConfig(workspace, region, writeKey string, hooks map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "workspace: %s\nregion: %s\nsources:\n  - { name: web, type: http, writeKey: %s }\ndestinations:\n", workspace, region, writeKey)
	for name, url := range hooks {
		fmt.Fprintf(&b, "  - { name: %s, type: webhook, settings: { url: %q } }\n", name, url)
	}
	b.WriteString("connections:\n")
	for name := range hooks {
		fmt.Fprintf(&b, "  - { source: web, destination: %s }\n", name)
	}
	return b.String()
}

// field returns a string field of a JSON object.
func field(t *testing.T, object, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	s, _ := m[name].(string)
	if s == "" {
		t.Fatalf("%s has no %s", object, name)
	}
	return s
}

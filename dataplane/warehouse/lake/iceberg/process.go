package iceberg

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
)

// program is what the process runs.
const program = "weir-iceberg"

// find is where the program is: beside this program, or in PATH.
func find() (string, error) {
	if self, err := os.Executable(); err == nil {
		at := filepath.Join(filepath.Dir(self), program)
		if _, err := os.Stat(at); err == nil {
			return at, nil
		}
	}
	at, err := exec.LookPath(program)
	if err != nil {
		return "", warehouse.Fail(warehouse.CodeUnsupported, fmt.Errorf("the program %s, which commits to Iceberg tables, is not built: run make iceberg, and put bin/%[1]s beside weir or into PATH of the data plane", program))
	}
	return at, nil
}

// Bounds of a process.
const (
	memory    = "GOMEMLIMIT=768MiB"
	processes = "GOMAXPROCS=2"
	maxObject = 128 << 20 // bytes of an object that it writes
	said      = 4 << 10   // bytes kept of what it says before it dies
	endTime   = 5 * time.Second
)

// process is one that runs, with the server that has objects and connections for it.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	said   *tail
	server *http.Server
	dir    string
	gates  *gates
}

// start starts a process and the server for it.
func start(at string, g *gates) (p *process, err error) {
	p = &process{gates: g, said: &tail{}}
	if p.dir, err = os.MkdirTemp("", "weir-iceberg-"); err != nil { // for this user alone
		return nil, fmt.Errorf("make a folder for the socket of %s: %w", program, err)
	}
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	socket := filepath.Join(p.dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", program, err)
	}
	p.server = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(l) }() // it ends with the server
	p.cmd = exec.Command(at, "-plane", socket)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stderr = []string{memory, processes, "TMPDIR=" + p.dir}, p.dir, p.said
	p.cmd.WaitDelay = endTime
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return p, nil
}

// ask sends a request and waits for its answer. After an error the process is of no use.
func (p *process) ask(ctx context.Context, r request) (a answer, err error) {
	defer p.gates.during(ctx)()
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() }) // it may be gone
	defer stop()
	line, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	if _, err = p.in.Write(append(line, '\n')); err == nil {
		line, err = p.out.ReadBytes('\n')
	}
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if ctx.Err() != nil {
		return a, ctx.Err()
	}
	if err != nil {
		return a, fmt.Errorf("%s ended at %s: %w: %s", program, r.Op, err, p.said)
	}
	return a, nil
}

// end ends the process and the server, however far they came.
func (p *process) end() {
	if p.in != nil {
		_ = p.in.Close() // it ends by that
	}
	if p.server != nil {
		_ = p.server.Close() // whatever it waits for of this program
	}
	if p.cmd != nil {
		late := time.AfterFunc(endTime, func() { _ = p.cmd.Process.Kill() })
		_ = p.cmd.Wait() // how it ended says nothing more
		late.Stop()
	}
	_ = os.RemoveAll(p.dir)
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-said):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}

// gates are the ways out of a process: objects of the store, and connections.
type gates struct {
	store lake.Store
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)

	one sync.Mutex // a store may not be used by several

	mu     sync.Mutex
	ctx    context.Context // of the request that runs
	failed error           // first of the store's, in that request
	unmade bool            // the newest connection was not made
}

// during lets the gates work for a request, until the returned function is called.
func (g *gates) during(ctx context.Context) func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ctx, g.failed, g.unmade = ctx, nil, false
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.ctx = nil
	}
}

// failure is the first error of the store in the newest request.
func (g *gates) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// unreachable says that what a request needed last could not be reached.
func (g *gates) unreachable() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unmade
}

// ServeHTTP implements http.Handler.
func (g *gates) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	ctx := g.ctx
	g.mu.Unlock()
	switch {
	case ctx == nil:
		http.Error(w, "no request runs", http.StatusConflict)
	case r.Method == http.MethodConnect:
		g.connect(ctx, w, r)
	case r.URL.Path == "/objects":
		g.object(ctx, w, r)
	default:
		http.NotFound(w, r)
	}
}

// object gets, puts or deletes an object.
func (g *gates) object(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxObject))
	if err != nil {
		http.Error(w, "the object cannot be read, or is too large", http.StatusRequestEntityTooLarge)
		return
	}
	g.one.Lock()
	defer g.one.Unlock()
	version := "there"
	switch {
	case r.Method == http.MethodGet:
		content, version, err = g.store.Get(ctx, key)
	case r.Method == http.MethodPut && r.Header.Get("If-None-Match") == "*":
		err = g.store.Swap(ctx, key, content, "")
	case r.Method == http.MethodPut:
		err = g.store.Put(ctx, key, content)
	case r.Method == http.MethodDelete:
		err = g.store.Delete(ctx, key)
	default:
		http.NotFound(w, r)
		return
	}
	switch {
	case errors.Is(err, lake.ErrChanged):
		w.WriteHeader(http.StatusPreconditionFailed)
	case err != nil:
		g.mu.Lock()
		if g.failed == nil && r.Method != http.MethodDelete { // what cannot be removed stays
			g.failed = err
		}
		g.mu.Unlock()
		http.Error(w, err.Error(), http.StatusBadGateway)
	case version == "":
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		_, _ = w.Write(content) // the process asks again, or is gone
	}
}

// connect makes a connection and passes on what goes over it.
func (g *gates) connect(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if g.dial == nil {
		http.Error(w, "no connection goes out", http.StatusForbidden)
		return
	}
	out, err := g.dial(ctx, "tcp", r.Host)
	g.mu.Lock()
	g.unmade = err != nil
	g.mu.Unlock()
	if err != nil {
		http.Error(w, strings.ReplaceAll(err.Error(), "\n", " "), http.StatusBadGateway)
		return
	}
	defer func() { _ = out.Close() }()
	in, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no tunnel", http.StatusInternalServerError)
		return
	}
	defer func() { _ = in.Close() }()
	stop := context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
	defer stop()
	if _, err := io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, buffered) // either end ends both
		_, _ = in.Close(), out.Close()
	}()
	_, _ = io.Copy(in, out)
	_, _ = in.Close(), out.Close()
	<-done
}

package httpserve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"weir/dataplane/httpserve"
)

// loadCommand makes the test binary a process that sends requests, so that the
// processor time of the servers is measured without that of their clients.
const loadCommand = "send-requests"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == loadCommand {
		if err := sendRequests(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// sendRequests opens connections to address and sends a request on each. Then it
// says so on stdout, reads a number from stdin, sends that many requests over all
// of the connections, and says so again, until stdin ends.
func sendRequests(address, connections string) error {
	n, err := strconv.Atoi(connections)
	if err != nil {
		return err
	}
	request := fmt.Appendf(nil, "POST /v1/track HTTP/1.1\r\nHost: in.shop.example\r\nUser-Agent: bench\r\nAuthorization: Basic c3JjX2E6\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n%s", bytes.Repeat([]byte("x"), 1024))
	conns := make([]*bufio.ReadWriter, n)
	for i := range conns {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		conns[i] = bufio.NewReadWriter(bufio.NewReaderSize(conn, 1024), bufio.NewWriterSize(conn, 2048))
	}
	todo := int64(n)
	for in := bufio.NewScanner(os.Stdin); ; {
		var left atomic.Int64
		left.Store(todo)
		failed := make(chan error, n)
		var all sync.WaitGroup
		for _, c := range conns {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					if err := ask(c, request); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		all.Wait()
		if len(failed) > 0 {
			return <-failed
		}
		fmt.Println("done")
		if !in.Scan() {
			return nil
		}
		if todo, err = strconv.ParseInt(in.Text(), 10, 64); err != nil {
			return err
		}
	}
}

// ask sends one request and reads its answer.
func ask(c *bufio.ReadWriter, request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("%q", line)
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(line) == 2 {
			break
		}
	}
	_, err := c.Discard(length)
	return err
}

// cpu returns the processor time of this process.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// success is what every server answers.
var success = []byte(`{"success":true}`)

// bodies are read into memory that is used again, as the gateway does.
var bodies = sync.Pool{New: func() any { return new([4096]byte) }}

// track is a handler that does as little as a gateway can: it checks the key and
// reads the body.
func track(w http.ResponseWriter, r *http.Request) {
	body := bodies.Get().(*[4096]byte)
	defer bodies.Put(body)
	user, _, ok := r.BasicAuth()
	n, err := io.ReadFull(r.Body, body[:])
	if r.Method != "POST" || r.URL.Path != "/v1/track" || !ok || user != "src_a" || n != 1024 || err != io.ErrUnexpectedEOF {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	_, _ = w.Write(success)
}

// trackNatively is track in fasthttp's own terms.
func trackNatively(c *fasthttp.RequestCtx) {
	auth := c.Request.Header.Peek("Authorization")
	key, basic := bytes.CutPrefix(auth, []byte("Basic "))
	var user [64]byte
	n, err := base64.StdEncoding.Decode(user[:], key)
	if !c.IsPost() || string(c.Path()) != "/v1/track" || !basic || err != nil || string(user[:n]) != "src_a:" || len(c.PostBody()) != 1024 {
		c.SetStatusCode(http.StatusBadRequest)
		return
	}
	c.SetContentType("application/json")
	c.SetBody(success)
}

// BenchmarkServers measures the fast path beside net/http and fasthttp: with a
// handler of fasthttp's own kind, which gets the body whole, and with one of
// net/http's, which reads it. Only with the latter can a gateway bound its memory.
func BenchmarkServers(b *testing.B) {
	for _, server := range []struct {
		name  string
		start func(net.Listener) (stop func())
	}{
		{"fast path", serve(false)},
		{"net http", serve(true)},
		{"fasthttp, its handler", serveFast(trackNatively, false)},
		{"fasthttp, http.Handler", serveFast((&adapter{handler: http.HandlerFunc(track)}).serve, true)},
	} {
		for _, connections := range []int{64, 512} {
			b.Run(fmt.Sprintf("%s/%d", server.name, connections), func(b *testing.B) {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				stop := server.start(ln)
				measure(b, ln.Addr().String(), connections)
				stop()
			})
		}
	}
}

// serve starts a server of this package.
func serve(standard bool) func(net.Listener) (stop func()) {
	return func(ln net.Listener) func() {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c := config(http.HandlerFunc(track))
			c.Standard = standard
			_ = httpserve.Serve(ctx, ln, c)
		}()
		return func() { cancel(); <-ended }
	}
}

// serveFast starts a server of fasthttp.
func serveFast(h fasthttp.RequestHandler, stream bool) func(net.Listener) (stop func()) {
	return func(ln net.Listener) func() {
		s := &fasthttp.Server{Handler: h, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute, NoDefaultServerHeader: true, StreamRequestBody: stream}
		go func() { _ = s.Serve(ln) }()
		return func() { _ = s.Shutdown() }
	}
}

// measure sends b.N requests over connections.
func measure(b *testing.B, address string, connections int) {
	load := exec.Command(os.Args[0], loadCommand, address, strconv.Itoa(connections))
	load.Stderr = os.Stderr
	in, err := load.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := load.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := load.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	done := func() {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "done") {
			b.Fatalf("the sending process: %q, %v", lines.Text(), load.Wait())
		}
	}
	done()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpu(b)
	b.ResetTimer()
	_, _ = fmt.Fprintln(in, b.N)
	done()
	b.StopTimer()
	used := cpu(b) - start
	runtime.ReadMemStats(&after)
	_ = in.Close()
	if err := load.Wait(); err != nil {
		b.Fatal(err)
	}
	n := float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(used.Microseconds())/n, "cpu-µs/request")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/request")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B/request")
	b.ReportMetric(0, "ns/op")
}

func config(h http.Handler) httpserve.Config {
	return httpserve.Config{Handler: h, HeadTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
}

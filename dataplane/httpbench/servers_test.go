package httpbench_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"weir/dataplane/httpserve"
)

// servers are compared by processor time a request. A handler of fasthttp's own kind
// gets the body whole; one of net/http's reads it, which a gateway needs to bound
// its memory.
var servers = []contestant{
	{"fast-path", serve(false)},
	{"net/http", serve(true)},
	{"fasthttp", serveFast((&adapter{handler: http.HandlerFunc(track)}).serve, true)},
	{"fasthttp-native", serveFast(trackNatively, false)},
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

// serve starts a server of package httpserve.
func serve(standard bool) func(string) (string, func(int) error, error) {
	return func(string) (string, func(int) error, error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		c := httpserve.Config{Handler: http.HandlerFunc(track), Standard: standard, HeadTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
		go func() { _ = httpserve.Serve(context.Background(), ln, c) }() // ends with the process
		return ln.Addr().String(), nil, nil
	}
}

// serveFast starts a server of fasthttp.
func serveFast(h fasthttp.RequestHandler, stream bool) func(string) (string, func(int) error, error) {
	return func(string) (string, func(int) error, error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		s := &fasthttp.Server{Handler: h, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, NoDefaultServerHeader: true, StreamRequestBody: stream}
		go func() { _ = s.Serve(ln) }() // ends with the process
		return ln.Addr().String(), nil, nil
	}
}

// BenchmarkServers sends requests with an event of 1 KiB over as many connections as
// the name says.
func BenchmarkServers(b *testing.B) {
	request := fmt.Appendf(nil, "POST /v1/track HTTP/1.1\r\nHost: in.shop.example\r\nUser-Agent: bench\r\nAuthorization: Basic c3JjX2E6\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n%s", bytes.Repeat([]byte("x"), 1024))
	for _, connections := range []int{64, 512} {
		b.Run(strconv.Itoa(connections), func(b *testing.B) {
			var all []*process
			conns := map[*process][]*bufio.ReadWriter{}
			for _, c := range servers {
				p := start(b, c, "")
				all = append(all, p)
				for range connections {
					conn, err := net.Dial("tcp", p.address)
					if err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() { _ = conn.Close() })
					conns[p] = append(conns[p], bufio.NewReadWriter(bufio.NewReaderSize(conn, 1024), bufio.NewWriterSize(conn, 2048)))
				}
			}
			play := func(p *process, n int) {
				var left atomic.Int64
				left.Store(int64(n))
				var group sync.WaitGroup
				for _, c := range conns[p] {
					group.Go(func() {
						for left.Add(-1) >= 0 {
							if err := exchange(c, request); err != nil {
								b.Errorf("%s: %v", p.name, err)
								return
							}
						}
					})
				}
				group.Wait()
			}
			for _, p := range all {
				play(p, 4*connections) // so that each connection has what it keeps
			}
			compare(b, all, play)
		})
	}
}

// exchange sends one request and reads its answer.
func exchange(c *bufio.ReadWriter, request []byte) error {
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

package ingest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
)

// opened serves g until the test ends, or stop is called, and returns where.
func opened(t *testing.T, g *ingest.Gateway, c ingest.ServeConfig) (address string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln, c) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return ln.Addr().String(), stop
}

// track sends one event through c.
func track(c *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequest("POST", url+"/v1/track", strings.NewReader("x"))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("src_a", "")
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res, nil
}

func TestTheGatewaySpeaksTLSAndHTTP2(t *testing.T) {
	some := httptest.NewTLSServer(http.NotFoundHandler()) // only for its certificate
	defer some.Close()
	secure, _ := opened(t, gateway(t, config(fine)), ingest.ServeConfig{TLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: some.TLS.Certificates}})
	plain, _ := opened(t, gateway(t, config(fine)), ingest.ServeConfig{})
	speak := func(set func(*http.Protocols), most uint16) *http.Client {
		p := new(http.Protocols)
		set(p)
		trusting := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: most}
		return &http.Client{Transport: &http.Transport{TLSClientConfig: trusting, Protocols: p}}
	}
	h1 := func(p *http.Protocols) { p.SetHTTP1(true) }
	h2 := func(p *http.Protocols) { p.SetHTTP2(true) }
	h2c := func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }
	for name, tc := range map[string]struct {
		client *http.Client
		url    string
		major  int // of HTTP; 0: refused
	}{
		"HTTP/1.1 over TLS 1.2":    {speak(h1, tls.VersionTLS12), "https://" + secure, 1},
		"HTTP/2 over TLS":          {speak(h2, 0), "https://" + secure, 2},
		"TLS 1.1":                  {speak(h1, tls.VersionTLS11), "https://" + secure, 0},
		"plain HTTP to TLS":        {speak(h1, 0), "http://" + secure, 0},
		"HTTP/1.1":                 {speak(h1, 0), "http://" + plain, 1},
		"HTTP/2 without TLS":       {speak(h2c, 0), "http://" + plain, 2},
		"TLS to a gateway without": {speak(h1, 0), "https://" + plain, 0},
	} {
		t.Run(name, func(t *testing.T) {
			defer tc.client.CloseIdleConnections()
			res, err := track(tc.client, tc.url)
			switch {
			case tc.major == 0 && err == nil && res.StatusCode == 200:
				t.Error("taken")
			case tc.major > 0 && (err != nil || res.StatusCode != 200 || res.ProtoMajor != tc.major):
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

// say writes raw bytes on a fresh connection and returns the answer's status.
func say(t *testing.T, address, raw string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", raw, err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func TestAClientsMistakeIsNeverTheServers(t *testing.T) {
	address, _ := opened(t, gateway(t, config(fine)), ingest.ServeConfig{})
	const post = "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c3JjX2E6\r\n"
	for name, tc := range map[string]struct {
		raw    string
		status int
	}{
		"an unknown transfer coding": {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
		"an unknown version":         {"POST /v1/track HTTP/3.7\r\nHost: x\r\n\r\n", 400},
		"no version at all":          {"POST /v1/track\r\n\r\n", 400},
		"a negative length":          {post + "Content-Length: -5\r\n\r\nhello", 400},
		"two lengths":                {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
		"a length and chunks":        {post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 200}, // chunks count
		"a bad chunk":                {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n", 400},
		"a chunk beyond numbers":     {post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx", 400},
		"a header flood":             {post + strings.Repeat("X-Flood: "+strings.Repeat("f", 1000)+"\r\n", 100) + "\r\n", 431},
		"a header that is no header": {post + "no colon\r\n\r\n", 400},
		"an unknown method":          {"BREW /v1/track HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		"a method that is no method": {"B@D /v1/track HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"a path out of the root":     {"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		"no host":                    {"GET /health HTTP/1.1\r\n\r\n", 400},
		"HTTP/1.0":                   {"GET /health HTTP/1.0\r\n\r\n", 200},
		"garbage":                    {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			if got := say(t, address, tc.raw); got != tc.status {
				t.Errorf("%d, want %d", got, tc.status)
			}
		})
	}
}

func TestLingeringTellsBeforeTheDoorCloses(t *testing.T) {
	g := gateway(t, config(fine))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln, ingest.ServeConfig{Linger: 300 * time.Millisecond}) }()
	c, url := &http.Client{Transport: &http.Transport{}}, "http://"+ln.Addr().String()
	if res, err := track(c, url); err != nil || res.StatusCode != 200 || res.Close {
		t.Fatalf("%+v, %v", res, err)
	}
	cancel()
	for ready := 200; ready != 503; {
		res, err := c.Get(url + "/ready")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		ready = res.StatusCode
		if ready == 503 && (!res.Close || res.Header.Get("Retry-After") == "") {
			t.Errorf("ready: %+v", res)
		}
	}
	if res, err := track(c, url); err != nil || res.StatusCode != 200 || !res.Close {
		t.Errorf("an event on a new connection: %+v, %v", res, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

// stall is how long the gateway waits for the next byte of a body.
const stall = 10 * time.Second

// part is how long it waits for the rest of a request before it waits with patience.
const part = time.Second

// pipes is a listener in memory, so that its clients live in the time of a test.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestSlowClientsAreAnsweredOrCutInTime(t *testing.T) {
	const post = "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c3JjX2E6\r\n"
	for name, tc := range map[string]struct {
		start  string
		drip   string // sent every second
		status int    // 0: closed, perhaps with a 400
		most   time.Duration
	}{
		"nothing":                  {"", "", 0, 10 * time.Second},
		"half a head":              {"POST /v1/track HT", "", 0, 10 * time.Second},
		"a head in drops":          {"POST /v1/track HTTP/1.1\r\n", "X: y\r\n", 0, 10 * time.Second},
		"a body that never comes":  {post + "Content-Length: 5\r\n\r\n", "", 408, stall + part},
		"a body that stops":        {post + "Content-Length: 5\r\n\r\nhel", "", 408, stall + part},
		"chunks that stop":         {post + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "", 408, 10 * time.Second},
		"a zip that stops":         {post + "Content-Encoding: gzip\r\nContent-Length: 50\r\n\r\n\x1f\x8b\x08\x00\x00", "", 408, stall + part},
		"a brotli that stops":      {post + "Content-Encoding: br\r\nContent-Length: 50\r\n\r\nx", "", 408, stall + part},
		"a body in drops":          {post + "Content-Length: 4000000\r\n\r\n", "x", 408, 10*time.Second + part},
		"a short body in drops":    {post + "Content-Length: 9\r\n\r\n", "x", 200, 10 * time.Second},
		"a slow body that arrives": {post + "Content-Length: 30000\r\n\r\n", strings.Repeat("x", 1000), 200, 31 * time.Second},
		"a slow one that is long":  {post + "Content-Length: 4000000\r\n\r\n", strings.Repeat("x", 1000), 408, 61 * time.Second},
		"to an unknown path":       {"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "", 404, stall + part},
		"to nowhere in drops":      {"POST /v1/m HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n", "x", 200, stall + 2*part},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := gateway(t, config(fine))
				ln := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- g.Serve(ctx, ln, ingest.ServeConfig{}) }()
				client, server := net.Pipe()
				ln.conns <- server
				began := time.Now()
				var sending sync.WaitGroup
				sending.Go(func() { drip(client, tc.start, tc.drip) })
				res, err := http.ReadResponse(bufio.NewReader(client), nil)
				took := time.Since(began)
				switch {
				case tc.status == 0 && err == nil && res.StatusCode != 400 || tc.status > 0 && err != nil:
					t.Errorf("%+v, %v", res, err)
				case tc.status > 0 && res.StatusCode != tc.status:
					t.Errorf("%d, want %d", res.StatusCode, tc.status)
				}
				if slow := g.SlowSenders(); (slow == 1) != (tc.status == 408) {
					t.Errorf("%d bodies were slow", slow)
				}
				if took > tc.most {
					t.Errorf("after %v", took)
				}
				_ = client.Close()
				sending.Wait()
				cancel()
				if err := <-ended; err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		})
	}
}

// drip writes start, then next every second, until the connection is closed.
func drip(conn net.Conn, start, next string) {
	for text := start; ; text = next {
		if text != "" {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
		if next == "" {
			return
		}
		time.Sleep(time.Second)
	}
}

func TestAConnectionOutlivesASlowLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateway(t, config(func(ctx context.Context, _ []event.Event) error {
			time.Sleep(stall + 5*time.Second)
			return nil
		}))
		ln := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Serve(ctx, ln, ingest.ServeConfig{}) }()
		client, server := net.Pipe()
		ln.conns <- server
		answers := bufio.NewReader(client)
		for i := range 3 {
			if _, err := io.WriteString(client, "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c3JjX2E6\r\nContent-Length: 1\r\n\r\nx"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(answers, nil)
			if err != nil || res.StatusCode != 200 || res.Close {
				t.Fatalf("request %d: %+v, %v", i, res, err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
		}
		_ = client.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestBodiesThatOnlyPromiseTakeNoMemory(t *testing.T) {
	c := config(fine)
	c.MaxMemory = 16 << 20
	g := gateway(t, c)
	var waiting sync.WaitGroup
	end := make(chan struct{})
	for range 100 {
		first := make(chan struct{})
		body := &slow{first: first, end: end}
		waiting.Go(func() {
			r := httptest.NewRequest("POST", "/v1/track", body)
			r.ContentLength = 4 << 20
			r.SetBasicAuth("src_a", "")
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if w.Code != 400 {
				t.Errorf("cut off: %d", w.Code)
			}
		})
		<-first
	}
	if w := post(g, strings.Repeat("x", 1<<20), nil); w.Code != 200 {
		t.Errorf("beside them: %d %s", w.Code, w.Body)
	}
	close(end)
	waiting.Wait()
}

// slow is a body of which nothing comes until its end, which comes too early.
type slow struct {
	first, end chan struct{}
	once       sync.Once
}

func (s *slow) Read([]byte) (int, error) {
	s.once.Do(func() { close(s.first) })
	<-s.end
	return 0, io.ErrUnexpectedEOF
}

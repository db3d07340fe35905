package httpserve_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/dataplane/httpserve"
)

func config(h http.Handler) httpserve.Config {
	return httpserve.Config{Handler: h, HeadTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
}

// open serves h by the given edit of config until the test ends, or stop is
// called, and returns where.
func open(t *testing.T, h http.HandlerFunc, edit func(*httpserve.Config)) (address string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config(h)
	if edit != nil {
		edit(&c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- httpserve.Serve(ctx, ln, c) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return ln.Addr().String(), stop
}

// dial opens a connection that is closed when the test ends.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// both runs test with the fast path and without.
func both(t *testing.T, test func(t *testing.T, standard bool)) {
	for name, standard := range map[string]bool{"fast path": false, "net http": true} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, standard) })
	}
}

// length answers with the length of the body, and with 400 when that breaks.
func length(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = fmt.Fprint(w, len(body))
}

// post is a request of the fast path with a body of n bytes.
func post(n int) string {
	return fmt.Sprintf(trackHead+"Content-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))
}

// TestAConnectionMayChangeBetweenThePaths: requests of the fast path, in one piece,
// in parts and several at once, then every other kind on the same connection.
func TestAConnectionMayChangeBetweenThePaths(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, standard bool) {
		address, _ := open(t, length, func(c *httpserve.Config) { c.Standard = standard })
		conn := dial(t, address)
		answers := bufio.NewReader(conn)
		split := func(s string, at int) []string { return []string{s[:at], s[at:]} }
		head := strings.Index(post(1), "\r\n\r\n") + 4
		for _, step := range []struct {
			name   string
			writes []string
			want   []string
		}{
			{"whole", []string{post(1)}, []string{"1"}},
			{"head and body apart", split(post(1), head), []string{"1"}},
			{"broken in the head", split(post(1), 20), []string{"1"}},
			{"broken in its end", split(post(1), head-2), []string{"1"}},
			{"three at once", []string{post(1) + post(2) + post(3)}, []string{"1", "2", "3"}},
			{"one and a half", split(post(1)+post(2), len(post(1))+30), []string{"1", "2"}},
			{"more than the small buffer", []string{post(9000) + post(1)}, []string{"9000", "1"}},
			{"line breaks between", []string{"\r\n", "\r\n" + post(4)}, []string{"4"}},
			{"another kind behind it", []string{post(1) + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"}, []string{"1", "0"}},
			{"in chunks", []string{trackHead + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}, []string{"5"}},
			{"more than the large buffer", []string{post(100_000)}, []string{"100000"}},
			{"small again", []string{post(1)}, []string{"1"}},
		} {
			for _, w := range step.writes {
				if _, err := io.WriteString(conn, w); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
			}
			for i, want := range step.want {
				res, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatalf("%s, answer %d: %v", step.name, i, err)
				}
				text, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != 200 || string(text) != want || res.Close || res.Header.Get("Date") == "" {
					t.Errorf("%s, answer %d: %+v %s, %v, want %s", step.name, i, res, text, err, want)
				}
			}
		}
	})
}

// TestStoppingAnswersWhatIsUnderWay: a request that its handler works on is
// answered, and a connection that waits for its client is closed.
func TestStoppingAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, standard bool) {
		entered, goOn := make(chan struct{}), make(chan struct{})
		address, stop := open(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/track" {
				close(entered)
				<-goOn
			}
		}, func(c *httpserve.Config) { c.Standard = standard })
		busy, idle := dial(t, address), dial(t, address)
		if _, err := io.WriteString(idle, "POST /v1/m HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		idles := bufio.NewReader(idle)
		if res, err := http.ReadResponse(idles, nil); err != nil || res.StatusCode != 200 {
			t.Fatalf("%+v, %v", res, err)
		}
		if _, err := io.WriteString(busy, post(1)); err != nil {
			t.Fatal(err)
		}
		<-entered
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		if _, err := idles.ReadByte(); err != io.EOF {
			t.Errorf("an idle connection: %v, want EOF", err)
		}
		close(goOn)
		res, err := http.ReadResponse(bufio.NewReader(busy), nil)
		if err != nil || res.StatusCode != 200 {
			t.Errorf("the request under way: %+v, %v", res, err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// TestLongerRequestsAreReadWithinTheReservedMemory: what is reserved is released,
// and a request without memory is net/http's.
func TestLongerRequestsAreReadWithinTheReservedMemory(t *testing.T) {
	t.Parallel()
	for _, most := range []int64{1 << 20, 0} {
		var reserved, asked atomic.Int64
		address, stop := open(t, length, func(c *httpserve.Config) {
			c.Reserve = func(n int64) bool {
				asked.Add(1)
				if reserved.Add(n) > most {
					reserved.Add(-n)
					return false
				}
				return true
			}
			c.Release = func(n int64) { reserved.Add(-n) }
		})
		conn := dial(t, address)
		answers := bufio.NewReader(conn)
		for _, n := range []int{10_000, 1, 10_000} {
			if _, err := io.WriteString(conn, post(n)); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(res.Body); err != nil || string(text) != fmt.Sprint(n) {
				t.Errorf("%d bytes: %s, %v", n, text, err)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if reserved.Load() != 0 || asked.Load() == 0 {
			t.Errorf("within %d: %d bytes are reserved at the end, asked %d times", most, reserved.Load(), asked.Load())
		}
	}
}

func TestTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, standard bool) {
		some := httptest.NewTLSServer(http.NotFoundHandler()) // only for its certificate
		defer some.Close()
		secure, _ := open(t, length, func(c *httpserve.Config) {
			c.Standard, c.TLS = standard, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: some.TLS.Certificates}
		})
		plain, _ := open(t, length, func(c *httpserve.Config) { c.Standard = standard })
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
			"HTTP/1.1 over TLS 1.2":   {speak(h1, tls.VersionTLS12), "https://" + secure, 1},
			"HTTP/2 over TLS":         {speak(h2, 0), "https://" + secure, 2},
			"TLS 1.1":                 {speak(h1, tls.VersionTLS11), "https://" + secure, 0},
			"plain HTTP to TLS":       {speak(h1, 0), "http://" + secure, 0},
			"HTTP/1.1":                {speak(h1, 0), "http://" + plain, 1},
			"HTTP/2 without TLS":      {speak(h2c, 0), "http://" + plain, 2},
			"TLS to a server without": {speak(h1, 0), "https://" + plain, 0},
		} {
			res, err := tc.client.Post(tc.url, "text/plain", strings.NewReader("x"))
			switch {
			case tc.major == 0 && err == nil && res.StatusCode == 200:
				t.Errorf("%s: taken", name)
			case tc.major > 0 && (err != nil || res.StatusCode != 200 || res.ProtoMajor != tc.major):
				t.Errorf("%s: %+v, %v", name, res, err)
			}
			if err == nil {
				_ = res.Body.Close()
			}
			tc.client.CloseIdleConnections()
		}
	})
}

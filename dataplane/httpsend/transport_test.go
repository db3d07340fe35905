package httpsend_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/httpsend"
)

// answering is a server that reads requests whole and answers the n-th one of
// a connection as answer says; a false keep closes the connection after it.
type answering struct {
	net.Listener
	conns atomic.Int64
}

func serveRaw(t *testing.T, answer func(conn, n int, body string) (text string, keep bool)) *answering {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &answering{Listener: ln}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go a.one(conn, int(a.conns.Add(1)), answer)
		}
	}()
	return a
}

func (a *answering) one(conn net.Conn, number int, answer func(conn, n int, body string) (string, bool)) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for n := 1; ; n++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		text, keep := answer(number, n, string(body))
		if _, err := io.WriteString(conn, text); err != nil || !keep {
			return
		}
	}
}

func (a *answering) post(ctx context.Context, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, "POST", "http://"+a.Addr().String()+"/in?x=1", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("User-Agent", "Weir/1")
	return r
}

func dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// outcome is what a caller sees of an exchange.
type outcome struct {
	Status int
	Body   string
	Failed bool
}

func exchange(do func(*http.Request) (*http.Response, error), r *http.Request) outcome {
	res, err := do(r)
	if err != nil {
		return outcome{Failed: true}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return outcome{Status: res.StatusCode, Body: string(body), Failed: err != nil}
}

func TestAnswersAreReadAsNetHTTPReadsThem(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"short":               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"empty":               "HTTP/1.1 204 No Content\r\n\r\n",
		"no length":           "HTTP/1.1 200 OK\r\n\r\nuntil the end",
		"HTTP/1.0":            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"chunks":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"interim":             "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
		"interim without end": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20),
		"a broken body":       "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf",
		"a broken chunk":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
		"two lengths":         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
		"no HTTP":             "220 mail.example ESMTP\r\n",
		"nothing":             "",
		"half a head":         "HTTP/1.1 200 OK\r\nContent-Le",
		"an endless head":     "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 200) + "\r\n",
		"a long line":         "HTTP/1.1 200 " + strings.Repeat("O", 100<<10) + "\r\n\r\n",
		"another protocol":    "HTTP/1.1 101 Switching Protocols\r\n\r\n\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := serveRaw(t, func(_, _ int, body string) (string, bool) {
				if body != "hello" {
					return "HTTP/1.1 500 The body is another one\r\n\r\n", false
				}
				return text, false
			})
			client := httpsend.New(httpsend.Config{Dial: dialTCP})
			defer client.CloseIdleConnections()
			transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
			want := exchange(transport.RoundTrip, srv.post(t.Context(), "hello"))
			if name == "another protocol" {
				want = outcome{Failed: true} // nobody here speaks one
			}
			if diff := cmp.Diff(want, exchange(client.RoundTrip, srv.post(t.Context(), "hello"))); diff != "" {
				t.Errorf("-net/http +client:\n%s", diff)
			}
		})
	}
}

func TestConnectionsAreKeptAndReplaced(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for name, c := range map[string]struct {
		answer func(conn, n int, body string) (string, bool)
		conns  int64 // that three requests need
	}{
		"kept": {func(int, int, string) (string, bool) { return ok, true }, 1},
		"closed after each, as said": {func(int, int, string) (string, bool) {
			return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false
		}, 3},
		"closed after each, untold": {func(int, int, string) (string, bool) { return ok, false }, 3},
		"closed when the second comes": {func(_, n int, _ string) (string, bool) {
			if n == 2 {
				return "", false
			}
			return ok, true
		}, 3},
		"an answer too many": {func(conn, n int, _ string) (string, bool) {
			return ok + "HTTP/1.1 500 Not yours\r\nContent-Length: 0\r\n\r\n", true
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := serveRaw(t, c.answer)
			client := httpsend.New(httpsend.Config{Dial: dialTCP})
			defer client.CloseIdleConnections()
			for i := range 3 {
				if diff := cmp.Diff(outcome{Status: 200, Body: "ok"}, exchange(client.RoundTrip, srv.post(t.Context(), fmt.Sprint(i)))); diff != "" {
					t.Errorf("request %d: -want +got:\n%s", i+1, diff)
				}
			}
			if got := srv.conns.Load(); got != c.conns {
				t.Errorf("%d connections, want %d", got, c.conns)
			}
		})
	}
}

// TestABrokenAnswerIsNotAskedForAgain: a request that began to be answered was taken.
func TestABrokenAnswerIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	srv := serveRaw(t, func(_, n int, _ string) (string, bool) {
		asked.Add(1)
		if n == 2 {
			return "HTTP/1.1 20", false
		}
		return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true
	})
	client := httpsend.New(httpsend.Config{Dial: dialTCP})
	defer client.CloseIdleConnections()
	first, second := exchange(client.RoundTrip, srv.post(t.Context(), "1")), exchange(client.RoundTrip, srv.post(t.Context(), "2"))
	if want := (outcome{Status: 200}); first != want {
		t.Errorf("first: %+v, want %+v", first, want)
	}
	if !second.Failed || asked.Load() != 2 {
		t.Errorf("second: %+v after %d requests in all, want a failure after 2", second, asked.Load())
	}
}

func TestARequestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"no answer": "", "half a body": "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, hold := make(chan struct{}, 1), make(chan struct{})
			defer close(hold)
			srv := serveRaw(t, func(int, int, string) (string, bool) { asked <- struct{}{}; return text, true })
			client := httpsend.New(httpsend.Config{Dial: dialTCP})
			defer client.CloseIdleConnections()
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { <-asked; cancel(errors.New("enough")) }()
			if got := exchange(client.RoundTrip, srv.post(ctx, "x")); !got.Failed {
				t.Errorf("got %+v, want a failure", got)
			}
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer stop()
			if got := exchange(client.RoundTrip, srv.post(ctx, "x")); !got.Failed {
				t.Errorf("after a deadline: got %+v, want a failure", got)
			}
		})
	}
}

// TestAKeptConnectionEndsWithTheContextOfItsRequest: the second request breaks off
// with the context that it shares with the first, and the next one, with another,
// does not.
func TestAKeptConnectionEndsWithTheContextOfItsRequest(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	asked := make(chan struct{}, 1)
	srv := serveRaw(t, func(_, _ int, body string) (string, bool) {
		if body == "wait" {
			asked <- struct{}{}
			return "", true
		}
		return ok, true
	})
	client := httpsend.New(httpsend.Config{Dial: dialTCP})
	defer client.CloseIdleConnections()
	want := outcome{Status: 200, Body: "ok"}
	ctx, cancel := context.WithCancel(t.Context())
	if diff := cmp.Diff(want, exchange(client.RoundTrip, srv.post(ctx, "first"))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	go func() { <-asked; cancel() }()
	if got := exchange(client.RoundTrip, srv.post(ctx, "wait")); !got.Failed {
		t.Errorf("got %+v, want a failure", got)
	}
	if got := srv.conns.Load(); got != 1 {
		t.Errorf("%d connections, want the second request on the first's", got)
	}
	ended, end := context.WithCancel(t.Context())
	defer end()
	for _, one := range []context.Context{ended, t.Context(), t.Context()} {
		if diff := cmp.Diff(want, exchange(client.RoundTrip, srv.post(one, "again"))); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		end() // while its connection is idle
	}
}

func TestNothingIsSmuggledIntoARequest(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	srv := serveRaw(t, func(int, int, string) (string, bool) {
		asked.Add(1)
		return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true
	})
	client := httpsend.New(httpsend.Config{Dial: dialTCP})
	defer client.CloseIdleConnections()
	for name, change := range map[string]func(*http.Request){
		"a line in a value":   func(r *http.Request) { r.Header.Set("X", "a\r\nContent-Length: 0") },
		"a line in a name":    func(r *http.Request) { r.Header["X: y\r\nZ"] = []string{"a"} },
		"a space in a method": func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nX:" },
	} {
		r := srv.post(t.Context(), "body")
		change(r)
		if got := exchange(client.RoundTrip, r); !got.Failed {
			t.Errorf("%s: got %+v, want a failure", name, got)
		}
	}
	r := srv.post(t.Context(), "body")
	r.Header.Set("Content-Length", "0") // the length is what it is
	if got := exchange(client.RoundTrip, r); got != (outcome{Status: 200}) || asked.Load() != 1 {
		t.Errorf("a length of its own: got %+v, and %d requests, want one that is answered", got, asked.Load())
	}
}

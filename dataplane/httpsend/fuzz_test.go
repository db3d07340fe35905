package httpsend_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/httpsend"
)

const usualAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nusual"

// result is what a caller sees of an answer, and the server of the connections.
type result struct {
	Status, Proto string
	Header        http.Header
	Length        int64
	Coding        []string
	Trailer       http.Header
	Body          string
	Failed        bool
	Conns         int // that were opened so far
}

// script is a server in memory: on every connection it gives
// first to the first request and the usual answer to every other one, in pieces of step bytes.
type script struct {
	first  []byte
	step   int
	closes bool // the connection after the first answer

	conns    int
	requests []string
}

func (s *script) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	s.conns++
	go s.serve(server)
	return client, nil
}

func (s *script) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for answer := s.first; ; answer = []byte(usualAnswer) {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.requests = append(s.requests, fmt.Sprintf("%s %q host %q, %q, length %d, coding %q, close %v, body %q", r.Method, r.RequestURI, r.Host, r.Header, r.ContentLength, r.TransferEncoding, r.Close, body))
		for len(answer) > 0 {
			n, err := conn.Write(answer[:min(len(answer), s.step)])
			if err != nil {
				return
			}
			answer = answer[n:]
		}
		if s.closes {
			return
		}
	}
}

// send sends r and reads the answer, in a minute at most.
func send(do http.RoundTripper, s *script, r *http.Request) result {
	ctx, release := httpsend.WithTimeout(context.Background(), time.Minute)
	defer release()
	res, err := do.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return result{Failed: true, Conns: s.conns}
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return result{res.Status, res.Proto, res.Header, res.ContentLength, res.TransferEncoding, res.Trailer, string(body), err != nil, s.conns}
}

// judge sends the requests one after the other to s.
//
// Time passes at once: an answer that does not end takes a minute.
func judge(t *testing.T, standard bool, s script, requests ...func() *http.Request) (all []result, seen []string) {
	synctest.Test(t, func(t *testing.T) {
		transport := httpsend.New(httpsend.Config{Dial: s.dial, Standard: standard})
		if !standard {
			transport.SetQuiet(func(conn net.Conn) bool { // nothing comes within a moment
				_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
				n, err := conn.Read(make([]byte, 1))
				return n == 0 && isTimeout(err)
			})
		}
		for _, r := range requests {
			all = append(all, send(transport, &s, r()))
			synctest.Wait()
		}
		transport.CloseIdleConnections()
		synctest.Wait()
	})
	return all, s.requests
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

func request(method string) func() *http.Request {
	return func() *http.Request {
		r, err := http.NewRequest(method, "http://sink.example/in", strings.NewReader("hello"))
		if err != nil {
			panic(err)
		}
		r.Header.Set("User-Agent", "Weir/1")
		r.GetBody = nil // destinations' requests have none
		return r
	}
}

// FuzzAnswer holds the fast path to http.Transport: the same bytes from a server are
// the same answer, or none, and leave the connection to the next request or not.
// Exception: an answer that switches to another protocol is refused.
func FuzzAnswer(f *testing.F) {
	for _, text := range append(usual,
		usualAnswer+"x", usualAnswer+usualAnswer, usualAnswer[:20], usualAnswer[:len(usualAnswer)-2], "", "x", "\r\n"+usualAnswer, "220 mail.example ESMTP\r\n",
		"HTTP/1.1 200 OK\r\n\r\nto the end", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nConnection: Keep-Alive, close\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\n Content-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n\x00\x01",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"+usualAnswer, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 5)+usualAnswer, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 6)+usualAnswer,
		"HTTP/1.1 200 OK\r\nX: "+strings.Repeat("y", 5000)+"\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 70)+"\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"+strings.Repeat("z", 9000), "HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n",
	) {
		f.Add([]byte(text), uint16(0), false, false)
		f.Add([]byte(text), uint16(7), true, true)
	}
	log.SetOutput(io.Discard) // http.Transport writes about bytes behind an answer
	f.Cleanup(func() { log.SetOutput(os.Stderr) })
	f.Fuzz(func(t *testing.T, answer []byte, step uint16, closes, head bool) {
		most := int(step)
		if most == 0 {
			most = len(answer) + 1
		}
		method := http.MethodPost
		if head {
			method = http.MethodHead
		}
		s := script{first: answer, step: most, closes: closes}
		want, _ := judge(t, true, s, request(method), request(http.MethodPost))
		got, _ := judge(t, false, s, request(method), request(http.MethodPost))
		if strings.HasPrefix(want[0].Status, "101") && got[0].Failed {
			return
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, %q in pieces of %d, closed %v: -net/http +fast path:\n%s", method, answer, most, closes, d)
		}
	})
}

// FuzzRequest holds the fast path to http.Transport: the same request reads the same
// to a server, or is refused.
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct{ method, url, host, name, value, body string }{
		{"POST", "http://sink.example/in?x=1", "sink.example", "X-A", "b", "hello"}, {"POST", "http://sink.example/in", "sink.example", "x-a", " b\t", ""}, {"GET", "http://sink.example", "", "Accept", "*/*", ""}, {"GET", "http://sink.example/a", "other.example", "X", "", "hello"},
		{"DELETE", "http://sink.example:8080/a b?c d#e", "sink.example:8080", "X", "y", ""}, {"HEAD", "http://[::1]/%2f//", "[::1]", "X", "y", ""}, {"PUT", "http://sink.example?", "sink.example", "X", "y", ""}, {"PATCH", "http://sink.example//a", "sink.example", "X", "y", "z"},
		{"", "http://sink.example/", "sink.example", "X", "y", "z"}, {"GET / HTTP/1.1\r\nX:", "http://sink.example/", "sink.example", "X", "y", "z"}, {"POST", "http://sink.example/", "a b", "X", "y", "z"}, {"POST", "http://sink.example/", "a\r\nX: y", "X", "y", "z"},
		{"POST", "http://sink.example/", "x", "X", "a\r\nContent-Length: 0", "z"}, {"POST", "http://sink.example/", "x", "X: y\r\nZ", "a", "z"}, {"POST", "http://sink.example/", "x", "Content-Length", "0", "z"}, {"POST", "http://sink.example/", "x", "transfer-encoding", "chunked", "z"},
		{"POST", "http://sink.example/", "x", "Connection", "close", "z"}, {"POST", "http://sink.example/", "x", "Host", "y", "z"}, {"POST", "http://sink.example/", "x", "User-Agent", "", "z"}, {"POST", "http://sink.example/", "x", "Trailer", "X", "z"}, {"POST", "http://user:pass@sink.example/", "x", "X", "y", "z"},
		{"CONNECT", "http://sink.example/", "x", "X", "y", "z"}, {"OPTIONS", "http://sink.example/*", "x", "X", "y", ""}, {"POST", "http:opaque", "x", "X", "y", "z"}, {"post", "http://sink.example/", "x", "X", "\xff", "z"},
	} {
		f.Add(seed.method, seed.url, seed.host, seed.name, seed.value, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, method, url, host, name, value string, body []byte) {
		if len(body) > 4<<10 {
			return
		}
		base, err := http.NewRequest(http.MethodPost, url, nil)
		if err != nil || base.URL.Scheme != "http" {
			return
		}
		newRequest := func() *http.Request {
			r := &http.Request{Method: method, URL: base.URL, Host: host, Header: http.Header{"User-Agent": {"Weir/1"}}, ContentLength: int64(len(body)), Body: http.NoBody}
			r.Header[name] = append(r.Header[name], value)
			if len(body) > 0 {
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			return r
		}
		s := script{first: []byte(usualAnswer), step: 1 << 10}
		want, wantSeen := judge(t, true, s, newRequest)
		got, gotSeen := judge(t, false, s, newRequest)
		if d := cmp.Diff(wantSeen, gotSeen); d != "" {
			t.Errorf("%q %q, host %q, %q: %q, body %q: the server sees: -net/http +fast path:\n%s", method, url, host, name, value, body, d)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q %q, host %q, %q: %q, body %q: the caller sees: -net/http +fast path:\n%s", method, url, host, name, value, body, d)
		}
	})
}

package httpbench_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"weir/dataplane/httpsend"
)

// clients are compared by processor time a request. Each returns the status, the
// header and the body of an answer, as destinations need them; fasthttp-native leaves
// the header in fasthttp's own form, which a Response cannot.
var clients = []contestant{
	{"fast-path", sendBy(false)},
	{"net/http", sendBy(true)},
	{"fasthttp", sendFast(true)},
	{"fasthttp-native", sendFast(false)},
}

// senders is the number of goroutines that send.
const senders = 64

// answerTimeout is for one request.
const answerTimeout = 30 * time.Second

var event = bytes.Repeat([]byte("x"), 1024)

// sink is the server of the clients. It reads a request no further than to find its end.
func sink(b *testing.B) (address string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ln.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nServer: sink\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"success\":true}")
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { // ends with its client
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					for {
						line, err := in.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) == 2 {
							break
						}
					}
					if _, err := in.Discard(len(event)); err != nil {
						return
					}
					if _, err := conn.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// sending sends n requests by do from many goroutines.
func sending(do func() error) func(n int) error {
	return func(n int) error {
		var left atomic.Int64
		left.Store(int64(n))
		failed := make(chan error, senders)
		var group sync.WaitGroup
		for range senders {
			group.Go(func() {
				for left.Add(-1) >= 0 {
					if err := do(); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		group.Wait()
		close(failed)
		return <-failed
	}
}

// verify returns an error unless the answer is the sink's.
func verify(status int, kind string, body []byte) error {
	if status != http.StatusOK || kind != "application/json" || len(body) != 16 {
		return fmt.Errorf("an answer of %d, %q, %q", status, kind, body)
	}
	return nil
}

// sendBy sends by package httpsend.
func sendBy(standard bool) func(string) (string, func(int) error, error) {
	return func(sink string) (string, func(int) error, error) {
		t := httpsend.New(httpsend.Config{Dial: new(net.Dialer).DialContext, Standard: standard})
		to := &url.URL{Scheme: "http", Host: sink, Path: "/in"}
		return "", sending(func() error {
			ctx, release := httpsend.WithTimeout(context.Background(), answerTimeout)
			defer release()
			r := (&http.Request{
				Method: http.MethodPost, URL: to, Host: to.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
				Header:        http.Header{"User-Agent": {"Weir/1"}, "Content-Type": {"application/json"}},
				ContentLength: int64(len(event)), Body: io.NopCloser(bytes.NewReader(event)),
			}).WithContext(ctx)
			res, err := t.RoundTrip(r)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			body, ok := httpsend.Whole(res.Body)
			if !ok {
				if body, err = io.ReadAll(io.LimitReader(res.Body, 64<<10)); err != nil {
					return err
				}
			}
			return verify(res.StatusCode, res.Header.Get("Content-Type"), body)
		}), nil
	}
}

// sendFast sends by fasthttp.
func sendFast(header bool) func(string) (string, func(int) error, error) {
	return func(sink string) (string, func(int) error, error) {
		c := &fasthttp.Client{MaxConnsPerHost: 256, MaxResponseBodySize: 64 << 10, NoDefaultUserAgentHeader: true, DisablePathNormalizing: true}
		to := "http://" + sink + "/in"
		return "", sending(func() error {
			r, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(r)
			defer fasthttp.ReleaseResponse(res)
			r.SetRequestURI(to)
			r.Header.SetMethod(http.MethodPost)
			r.Header.Set("User-Agent", "Weir/1")
			r.Header.Set("Content-Type", "application/json")
			r.SetBodyRaw(event)
			if err := c.DoTimeout(r, res, answerTimeout); err != nil {
				return err
			}
			body := bytes.Clone(res.Body())
			if !header {
				return verify(res.StatusCode(), string(res.Header.ContentType()), body)
			}
			h := make(http.Header, 8)
			for name, value := range res.Header.All() {
				key := textproto.CanonicalMIMEHeaderKey(string(name))
				h[key] = append(h[key], string(value))
			}
			return verify(res.StatusCode(), h.Get("Content-Type"), body)
		}), nil
	}
}

// BenchmarkClients sends requests with an event of 1 KiB over as many connections as
// the name says.
func BenchmarkClients(b *testing.B) {
	b.Run(strconv.Itoa(senders), func(b *testing.B) {
		address := sink(b)
		var all []*process
		for _, c := range clients {
			p := start(b, c, address)
			p.ask(b, 4*senders) // so that it has its connections
			all = append(all, p)
		}
		compare(b, all, func(p *process, n int) { p.ask(b, n) })
	})
}

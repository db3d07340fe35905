package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestSlowBodiesWithoutAKeyRefuseNobody: thousands of clients announce much, name no
// write key and send a byte now and then, beside one that sends events.
func TestSlowBodiesWithoutAKeyRefuseNobody(t *testing.T) {
	t.Parallel()
	good := newSink(t)
	p, in := dev(t, t.TempDir(), calmConfig(good.URL, good.URL))
	address := strings.TrimPrefix(in.Gateway, "http://")
	ctx, leave := context.WithCancel(t.Context())
	const each = 1200
	ready, gone := make(chan error, 2*each), make(chan struct{}, 2*each)
	for _, from := range []string{"127.0.0.2", "127.0.0.3"} {
		for range each {
			go func() {
				defer func() { gone <- struct{}{} }()
				drip(ctx, address, from, ready)
			}()
		}
	}
	for range 2 * each {
		if err := <-ready; err != nil {
			t.Error(err)
		}
	}
	const events = 300
	for i := range events {
		call, key := "/v1/track", "wk_calm"
		body := fmt.Sprintf(`{"userId":"calm","messageId":"calm-%d"}`, i)
		if i%3 == 0 { // the key may stand in the body
			key, body = "", fmt.Sprintf(`{"writeKey":"wk_calm","userId":"calm","messageId":"calm-%d","filler":%q}`, i, strings.Repeat("x", i*10))
		}
		if code, answer := deliver(in.Gateway, call, key, body); code != 200 {
			t.Errorf("event %d beside the slow ones: %d %s", i, code, answer)
		}
	}
	leave()
	for range 2 * each {
		<-gone
	}
	until(t, "the good sender's events", func() bool { return len(good.ids()) == events })
	p.stop()
}

// drip opens a connection from an address and sends a body in drops until ctx ends,
// anew when it is cut. It says once that it began.
func drip(ctx context.Context, address, from string, ready chan<- error) {
	said := false
	say := func(err error) {
		if !said {
			said = true
			ready <- err
		}
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	for ctx.Err() == nil {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			_, err = io.WriteString(conn, "POST /v1/track HTTP/1.1\r\nHost: weir\r\nContent-Length: 65536\r\n\r\n{")
		}
		say(err)
		for err == nil && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
			_, err = io.WriteString(conn, " ")
		}
		if conn != nil {
			_ = conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

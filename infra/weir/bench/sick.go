package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// sickness is a way in which a webhook fails. It answers itself, or leaves the
// answer to who is well by returning false.
type sickness struct {
	name   string // of webhooks in the plural
	key    string // the write key of the source beside them
	tls    bool   // it is asked for TLS, and speaks none
	behave func(w http.ResponseWriter, r *http.Request, well <-chan struct{}) bool
}

const besideKey = "wk_bench_beside_"

func sicknesses() []sickness {
	return []sickness{
		{name: "black holes", key: besideKey + "holes", behave: hang},
		{name: "429s", key: besideKey + "limits", behave: limit},
		{name: "30 % 500s", key: besideKey + "errors", behave: stumble},
		{name: "bodies of 1 byte/s", key: besideKey + "drops", behave: trickle},
		{name: "resets", key: besideKey + "resets", behave: reset},
		{name: "failing TLS", key: besideKey + "tls", tls: true},
	}
}

// hang gives no answer until the webhook is well.
func hang(_ http.ResponseWriter, r *http.Request, well <-chan struct{}) bool {
	select {
	case <-well:
		return false
	case <-r.Context().Done():
		return true
	}
}

func limit(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) bool {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusTooManyRequests)
	return true
}

// stumble fails three times of ten.
func stumble(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) bool {
	if rand.IntN(10) >= 3 {
		return false
	}
	w.WriteHeader(http.StatusInternalServerError)
	return true
}

// trickle answers with a byte a second of a failure's text, without end.
func trickle(w http.ResponseWriter, r *http.Request, well <-chan struct{}) bool {
	w.WriteHeader(http.StatusInternalServerError)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		_, err := io.WriteString(w, "x")
		if err == nil {
			err = http.NewResponseController(w).Flush()
		}
		if err != nil {
			return true
		}
		select {
		case <-well:
			return true
		case <-r.Context().Done():
			return true
		case <-tick.C:
		}
	}
}

func reset(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) bool {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0) // so that Close resets
		_ = conn.Close()
	}
	return true
}

// webhook is a receiver in this process that may be sick.
type webhook struct {
	*receiver
	name string
	url  string
	srv  *http.Server
	done chan struct{}

	mu     sync.Mutex
	behave func(w http.ResponseWriter, r *http.Request, well <-chan struct{}) bool
	well   chan struct{} // closed when it is
}

func newWebhook(ctx context.Context, s sickness) (*webhook, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as a webhook: %w", err)
	}
	h := &webhook{receiver: newReceiver(false), name: s.name, url: "http://" + l.Addr().String(), done: make(chan struct{}), behave: s.behave, well: make(chan struct{})}
	h.srv = &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(h.done)
		_ = h.srv.Serve(l) // ends by close
	}()
	if s.tls {
		h.url = "https://" + l.Addr().String()
	}
	return h, nil
}

// ServeHTTP is sick, or takes what it gets.
func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20)) // whole, so that the end of the connection is seen
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.mu.Lock()
	behave, well := h.behave, h.well
	h.mu.Unlock()
	if behave == nil || !behave(w, r, well) {
		h.receiver.ServeHTTP(w, r)
	}
}

// set changes how it behaves; nil is well, and ends what hangs.
func (h *webhook) set(behave func(w http.ResponseWriter, r *http.Request, well <-chan struct{}) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.behave = behave
	close(h.well)
	h.well = make(chan struct{})
}

// close ends every connection.
func (h *webhook) close() {
	_ = h.srv.Close()
	<-h.done
}

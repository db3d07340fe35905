package webhook

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

// Failure is a way in which a webhook fails. It answers itself, or leaves the
// answer to who is well by returning false.
type Failure struct {
	Name   string // of webhooks in the plural
	Key    string // the write key of the source beside them
	TLS    bool   // it is asked for TLS, and speaks none
	Behave func(w http.ResponseWriter, r *http.Request, well <-chan struct{}) bool
}

const besideKey = "wk_bench_beside_"

// Failures returns the ways in which webhooks fail.
func Failures() []Failure {
	return []Failure{
		{Name: "black holes", Key: besideKey + "holes", Behave: Hang},
		{Name: "429s", Key: besideKey + "limits", Behave: limit},
		{Name: "30 % 500s", Key: besideKey + "errors", Behave: stumble},
		{Name: "bodies of 1 byte/s", Key: besideKey + "drops", Behave: trickle},
		{Name: "resets", Key: besideKey + "resets", Behave: reset},
		{Name: "failing TLS", Key: besideKey + "tls", TLS: true},
	}
}

// Hang gives no answer until the webhook is well.
func Hang(_ http.ResponseWriter, r *http.Request, well <-chan struct{}) bool {
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

// Webhook is a receiver in this process that may fail.
type Webhook struct {
	*receiver
	Name string
	URL  string
	srv  *http.Server
	done chan struct{}

	mu     sync.Mutex
	behave func(w http.ResponseWriter, r *http.Request, well <-chan struct{}) bool
	well   chan struct{} // closed when it is
}

// New listens until Close.
func New(ctx context.Context, f Failure) (*Webhook, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as a webhook: %w", err)
	}
	h := &Webhook{receiver: newReceiver(false), Name: f.Name, URL: "http://" + l.Addr().String(), done: make(chan struct{}), behave: f.Behave, well: make(chan struct{})}
	h.srv = &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(h.done)
		_ = h.srv.Serve(l) // ends by Close
	}()
	if f.TLS {
		h.URL = "https://" + l.Addr().String()
	}
	return h, nil
}

// ServeHTTP fails, or takes what it gets.
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// Set changes how it behaves; nil is well, and ends what hangs.
func (h *Webhook) Set(behave func(w http.ResponseWriter, r *http.Request, well <-chan struct{}) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.behave = behave
	close(h.well)
	h.well = make(chan struct{})
}

// Close ends every connection.
func (h *Webhook) Close() {
	_ = h.srv.Close()
	<-h.done
}

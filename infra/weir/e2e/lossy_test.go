package e2e_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// passage is one request with events that went through a lossy proxy. A lost one
// was taken by the gateway, and its sender saw the connection end.
type passage struct {
	from, to time.Time
	events   []map[string]json.RawMessage
	path     string
	status   int
	lost     bool
}

// lossy stands between a client and a gateway, records what passes, and loses
// answers: the gateway takes the request, the client sees a closed connection.
type lossy struct {
	URL string
	t   *testing.T
	to  string
	// lose says whether the answer to request n with events, from 0, is lost. It
	// is called after the gateway answered.
	lose func(n int) bool

	mu       sync.Mutex
	n        int
	passages []passage
}

// newLossy listens on a loopback port until the test ends.
func newLossy(t *testing.T, gateway string, lose func(n int) bool) *lossy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lossy{URL: "http://" + l.Addr().String(), t: t, to: gateway, lose: lose}
	srv := &http.Server{Handler: p}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return p
}

func (p *lossy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client died
	}
	req, err := http.NewRequest(r.Method, p.to+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header, req.Host = r.Header, r.Host
	resp, err := client.Do(req)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if r.Method == http.MethodPost && !strings.HasSuffix(strings.TrimSuffix(r.URL.Path, "/"), "/m") {
		if p.record(r, body, resp.StatusCode, from) {
			panic(http.ErrAbortHandler)
		}
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer)
}

// record keeps a request with events and says whether its answer is lost.
func (p *lossy) record(r *http.Request, body []byte, status int, from time.Time) bool {
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(z)
		}
		if err != nil {
			p.t.Errorf("%s: an SDK sent broken gzip: %v", r.URL.Path, err)
		}
	}
	var batch struct{ Batch []map[string]json.RawMessage }
	var single map[string]json.RawMessage
	if err := json.Unmarshal(body, &batch); err != nil {
		p.t.Errorf("%s: an SDK sent %.300s: %v", r.URL.Path, body, err)
	}
	if batch.Batch == nil {
		_ = json.Unmarshal(body, &single)
		batch.Batch = []map[string]json.RawMessage{single}
	}
	p.mu.Lock()
	n := p.n
	p.n++
	p.mu.Unlock()
	lost := p.lose(n)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passages = append(p.passages, passage{from: from, to: time.Now(), events: batch.Batch, path: r.URL.Path, status: status, lost: lost})
	return lost
}

// all returns what passed so far, in the order of the answers.
func (p *lossy) all() []passage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]passage(nil), p.passages...)
}

// firsts loses the answers to the first n requests.
func firsts(n int) func(int) bool { return func(i int) bool { return i < n } }

package destinationtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Received is one request that a Server got.
type Received struct {
	Method string
	Path   string
	Header http.Header
	Body   []byte
}

// Server is a destination's endpoint on loopback. It is strict: a request whose
// length is not declared, or whose body is not what its Content-Type says, gets
// 400 and fails the test.
type Server struct {
	URL string

	mu       sync.Mutex
	received []Received
	answer   http.HandlerFunc
}

// NewServer starts a server that answers 200, until the test ends.
func NewServer(t testing.TB) *Server {
	s := &Server{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = strict(r, body)
		}
		if err != nil {
			t.Errorf("server refused a request: %v", err)
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.received = append(s.received, Received{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body})
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

func strict(r *http.Request, body []byte) error {
	if r.ContentLength < 0 || r.ContentLength != int64(len(body)) {
		return fmt.Errorf("%d bytes came, %d were declared", len(body), r.ContentLength)
	}
	if r.Header.Get("Content-Type") == "application/json" && !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return fmt.Errorf("the body is not JSON")
	}
	return nil
}

// Answer sets how requests are answered from now on; nil means 200.
func (s *Server) Answer(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// Received returns what came so far, in order.
func (s *Server) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

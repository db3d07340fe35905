package destinationtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Keeper is a vendor's API that keeps what it takes. It answers one request at a time.
type Keeper struct {
	URL   string
	Most  int      // parts that a request may have
	Taken []string // what was kept, in order, as the answering function names it
	Codes []string // path and status of each answer, in order

	mu sync.Mutex
}

// NewKeeper starts one whose answers answer gives, until the test ends. The function refuses
// what the vendor refuses, and appends what it keeps to Taken.
func NewKeeper(t testing.TB, most int, answer func(k *Keeper, r *http.Request) (status int, body string)) *Keeper {
	k := &Keeper{Most: most}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		status, body := answer(k, r)
		k.Codes = append(k.Codes, fmt.Sprint(strings.TrimSuffix(r.URL.Path, "/"), " ", status))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the client has gone
	}))
	t.Cleanup(srv.Close)
	k.URL = srv.URL
	return k
}

package e2e_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// bucket is an object store that keeps what was put, and fails three times of ten; of
// these, every second one after it kept the object.
type bucket struct {
	*httptest.Server

	mu      sync.Mutex
	chance  *rand.Rand
	well    bool
	objects map[string][]string // messageIds by key
	puts    int
}

func newBucket(t *testing.T, seed uint64) *bucket {
	b := &bucket{chance: rand.New(rand.NewPCG(seed, 2)), objects: map[string][]string{}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := gzip.NewReader(r.Body)
	if r.Method != http.MethodPut || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") || err != nil {
		http.Error(w, "not a signed file", http.StatusForbidden)
		return
	}
	var ids []string
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		var e struct{ MessageID string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return
		}
		ids = append(ids, e.MessageID)
	}
	if lines.Err() != nil { // the process was killed
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	dice := b.chance.IntN(20)
	if dice >= 6 || dice%2 == 1 || b.well {
		b.puts++
		b.objects[r.URL.Path] = ids
	}
	if dice < 6 && !b.well {
		http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "")
}

// ids counts how often each event is in a file.
func (b *bucket) ids() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]int{}
	for _, ids := range b.objects {
		for _, m := range ids {
			all[m]++
		}
	}
	return all
}

// TestKilledWhileFilesAreWritten kills everything while events wait to be written and files are
// under way: every acknowledged event is in a file, and in one only but for what a lane
// repeats after a crash.
func TestKilledWhileFilesAreWritten(t *testing.T) {
	t.Parallel()
	const users = 8
	times := max(3, *kills/5)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	store, rng := newBucket(t, seed), rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("made-up-key"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - name: lake
    type: s3
    settings: { bucket: data, baseUrl: %q, prefix: "{type}/{event}/", interval: 10s, fileSize: 1 }
    secrets: { accessKey: { from: file, path: %q }, secretKey: { from: file, path: %q } }
connections:
  - { source: web, destination: lake }
`, store.URL, key, key)
	ports := addresses(t)
	p, in := dev(t, dir, config, ports...)
	l := startLoad(func() string { return in.Gateway }, "wk_web", users, 2*time.Millisecond)
	for range times {
		before, files := l.sent.Load(), len(store.ids())
		until(t, "load that flows into files", func() bool { return l.sent.Load() > before+50 && len(store.ids()) > files })
		<-time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
		p.kill()
		p, in = dev(t, dir, config, ports...)
	}
	l.stop()
	store.mu.Lock()
	store.well = true
	store.mu.Unlock()
	until(t, "a balanced book with nothing staged", func() bool {
		b := bookOf(t, in, "web", "lake")
		return b.Balanced && b.InFlight == 0 && b.Parked == 0 && b.Staged == 0 && b.Delivered >= l.sent.Load()
	})
	again := 0
	ids := store.ids()
	for mid := range l.acked {
		if ids[mid] == 0 {
			t.Errorf("event %s is in no file", mid)
		}
		again += max(0, ids[mid]-1)
	}
	t.Logf("%d acknowledged, %d kills, %d files written %d times, %d events came again", l.sent.Load(), times, len(store.objects), store.puts, again)
	// A lane repeats what it staged and had not yet noted when it was killed: how much that is depends on how
	// fast the machine writes, but it is the end of each of the lives, not a life.
	if bound := int(l.sent.Load() / 10); again > bound {
		t.Errorf("%d events came again, want at most %d", again, bound)
	}
}

package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/shared/postgrestest"
)

// twoTenants is the configuration of a workspace evil, whose source web feeds what
// destination says, and of its neighbour good.
func twoTenants(destination, goodURL string) string {
	return fmt.Sprintf(`workspace: evil
region: eu
sources:
  - { name: web, type: http, writeKey: wk_evil }
destinations:
  - %s
connections:
  - { source: web, destination: lake }
---
workspace: good
region: eu
sources:
  - { name: app, type: http, writeKey: wk_good }
destinations:
  - { name: hook, type: webhook, settings: { url: %q } }
connections:
  - { source: app, destination: hook }
`, destination, goodURL)
}

// flood is batches of large events whose text cannot be compressed.
type flood struct {
	noise *rand.ChaCha8
	n     int
	acked int // of batch
}

// batch sends a batch of the evil one and returns the answer's status: 200, or 503
// with the code that a full log has. 0: refused for a log that may be full before, and empties.
func (f *flood) batch(t *testing.T, in installation, full string, before ...string) int {
	t.Helper()
	body := f.next(func(n int) string { return fmt.Sprintf(`"userId":"u","messageId":"w%d",`, n) })
	status, answer := deliver(in.Gateway, "/v1/batch", "wk_evil", body)
	switch {
	case status == http.StatusOK:
		f.acked += 20
	case status == http.StatusServiceUnavailable && slices.ContainsFunc(before, func(code string) bool { return strings.Contains(answer, code) }):
		return 0
	case status != http.StatusServiceUnavailable || !strings.Contains(answer, full):
		t.Fatalf("batch: %d %.300s", status, answer)
	}
	return status
}

// next returns a batch of 20 events of about 16 KiB, with members before the text of
// each.
func (f *flood) next(members func(n int) string) string {
	events := make([]string, 20)
	for i := range events {
		random := make([]byte, 8<<10)
		_, _ = f.noise.Read(random) // it gives no errors
		events[i] = fmt.Sprintf(`{"type":"track","event":"Big",%s"properties":{"x":"%x"}}`, members(f.n), random)
		f.n++
	}
	return `{"batch":[` + strings.Join(events, ",") + `]}`
}

// neighbour is who sends an event every 20 ms until it is stopped. Each has to be
// acknowledged and to arrive.
type neighbour struct {
	stop func()
	sent int // readable after stop
}

func newNeighbour(t *testing.T, in installation) *neighbour {
	t.Helper()
	n, end := &neighbour{}, make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
			code, answer := deliver(in.Gateway, "/v1/track", "wk_good", fmt.Sprintf(`{"userId":"u%d","event":"E","messageId":"g%d"}`, n.sent%7, n.sent))
			if code != http.StatusOK {
				t.Errorf("the neighbour's event: %d %s", code, answer)
				return
			}
			n.sent++
		}
	})
	n.stop = sync.OnceFunc(func() { close(end); done.Wait() })
	t.Cleanup(n.stop)
	return n
}

// arrived wants all of the neighbour's events at its sink.
func (n *neighbour) arrived(t *testing.T, good *sink) {
	t.Helper()
	n.stop()
	until(t, "the neighbour's events", func() bool { return len(good.ids()) == n.sent })
	if n.sent == 0 {
		t.Error("the neighbour sent nothing")
	}
}

// names wants `weir status` to name the alarm and what it is about.
func names(t *testing.T, in installation, alarm, object string) {
	t.Helper()
	until(t, "a status that names "+object, func() bool {
		out := run(t, 0, "", "status", "--data-dir", in.Dir)
		return strings.Contains(out, alarm) && strings.Contains(out, object)
	})
}

// moved is how many objects a log of a plane on a small disk has moved away.
func moved(seen, log string) int {
	objects, _ := filepath.Glob(filepath.Join(seen, "data", "planes", "*", log, "*", "*", "*")) // the pattern is sound
	return len(objects)
}

// TestAFullQuarantineRefusesItsOwnSource sends events without a user, which break a
// rule and are answered 400 although they are kept, until QUARANTINE takes no more of
// their source. A neighbour notices nothing, and discarding makes room.
func TestAFullQuarantineRefusesItsOwnSource(t *testing.T) {
	t.Parallel()
	good, evil := newSink(t), newSink(t)
	in, seen := smallDisk(t, twoTenants(fmt.Sprintf("{ name: lake, type: webhook, settings: { url: %q } }", evil.URL), good.URL))
	other := newNeighbour(t, in)
	f := flood{noise: rand.NewChaCha8([32]byte{1})}
	batch := func() int {
		t.Helper()
		code, answer := deliver(in.Gateway, "/v1/batch", "wk_evil", f.next(func(int) string { return "" }))
		if code == http.StatusServiceUnavailable && !strings.Contains(answer, "quarantine_full") || code != http.StatusServiceUnavailable && code != http.StatusBadRequest {
			t.Fatalf("batch: %d %.300s", code, answer)
		}
		return code
	}
	kept := 0
	until(t, "quarantine_full", func() bool {
		if batch() == http.StatusServiceUnavailable {
			return true
		}
		kept += 20
		return false
	})
	t.Logf("refused after %d events, with %d objects in the blob store", kept, moved(seen, "quarantine"))
	if moved(seen, "quarantine") == 0 {
		t.Error("nothing went to the blob store")
	}
	names(t, in, "quarantine_full", "evil/web")
	var own book
	until(t, "all that was taken in quarantine", func() bool {
		own = bookOf(t, in, "web", "")
		return own.Quarantined >= int64(kept) && own.Waiting == 0 // more when an answer was lost, since nothing tells these events apart
	})
	if out := run(t, 0, "", "dlq", "discard", "--quarantined", "--source", "web", "--workspace", "evil", "--output", "json", "--data-dir", in.Dir); !strings.HasPrefix(out, fmt.Sprintf("{\"discarded\":%d}\n", own.Quarantined)) {
		t.Errorf("discard: %s, want %d", out, own.Quarantined)
	}
	if n := moved(seen, "quarantine"); n != 0 {
		t.Errorf("%d objects are left", n)
	}
	until(t, "a source that is taken again", func() bool { return batch() == http.StatusBadRequest })
	accept(t, in.Gateway, "/v1/track", "wk_evil", `{"userId":"u","event":"E","messageId":"e"}`)
	until(t, "its event", func() bool { return evil.ids()["e"] == 1 })
	other.arrived(t, good)
}

// TestFullDeadLettersRefuseTheirOwnSource sends events to a webhook that answers 400, as
// one whose API key has expired, until DEAD takes no more for it. A neighbour notices
// nothing, its own dead letters are kept, and discarding makes room.
func TestFullDeadLettersRefuseTheirOwnSource(t *testing.T) {
	t.Parallel()
	good, evil := newSink(t), newSink(t)
	refuse := func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	evil.set(refuse)
	in, seen := smallDisk(t, twoTenants(fmt.Sprintf("{ name: lake, type: webhook, settings: { url: %q } }", evil.URL), good.URL))
	other := newNeighbour(t, in)
	f := flood{noise: rand.NewChaCha8([32]byte{1})}
	batch := func() int { t.Helper(); return f.batch(t, in, "dead_full", "parked_full") } // events wait before they are dead
	until(t, "dead_full", func() bool { return batch() == http.StatusServiceUnavailable })
	t.Logf("refused after %d events, with %d objects in the blob store", f.acked, moved(seen, "dead"))
	if moved(seen, "dead") == 0 {
		t.Error("nothing went to the blob store")
	}
	names(t, in, "dead_full", "evil/lake")
	until(t, "all of them dead or parked", func() bool {
		b := bookOf(t, in, "web", "lake")
		return b.Balanced && b.InFlight == 0 && b.Dead+b.Parked == int64(f.acked)
	})
	evil.set(nil)
	discard := func() (n int) {
		out := run(t, 0, "", "dlq", "discard", "--all", "--destination", "lake", "--workspace", "evil", "--output", "json", "--data-dir", in.Dir)
		if _, err := fmt.Sscanf(out, `{"discarded":%d}`, &n); err != nil {
			t.Fatalf("discard: %s", out)
		}
		return n
	}
	discarded := discard()
	until(t, "nothing dead or parked", func() bool {
		b := bookOf(t, in, "web", "lake")
		return b.Dead == 0 && b.Parked == 0 && b.Delivered+int64(discarded) == int64(f.acked)
	})
	until(t, "an empty blob store", func() bool { return moved(seen, "dead") == 0 })
	until(t, "a source that is taken again", func() bool { return batch() == http.StatusOK })
	until(t, "its events", func() bool { return evil.ids()[fmt.Sprint("w", f.n-1)] == 1 })
	other.arrived(t, good)
}

var keyWindow = regexp.MustCompile(`(?m)^weir_dedupe_window_seconds(?:{[^}]*})? ([0-9.e+]+)$`)

// TestTooManyDedupeKeysShortenTheirOwnersWindow sends events until the plane forgets
// dedupe keys for lack of room. Nobody is refused, status says whose window is short,
// and a repetition of the neighbour's first event is still known as one.
func TestTooManyDedupeKeysShortenTheirOwnersWindow(t *testing.T) {
	t.Parallel()
	const batch = 10_000
	good := newSink(t)
	// Nothing is connected to the evil one's source, so that its events cost little.
	in, _ := smallDisk(t, "workspace: evil\nregion: eu\nsources:\n  - { name: bulk, type: http, writeKey: wk_evil }\n---\n"+hookConfig("good", "eu", "wk_good", map[string]string{"hook": good.URL}))
	first := `{"userId":"u","event":"E","messageId":"first"}`
	accept(t, in.Gateway, "/v1/track", "wk_good", first)
	other := newNeighbour(t, in)
	var sent atomic.Int64
	done := make(chan struct{})
	var senders sync.WaitGroup
	for range 2 {
		senders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				var body strings.Builder
				body.WriteString(`{"batch":[`)
				for n, last := sent.Add(batch)-batch, 0; last < batch; last++ {
					if last > 0 {
						body.WriteByte(',')
					}
					fmt.Fprintf(&body, `{"type":"track","userId":"%d","messageId":"k%d"}`, last%10, n+int64(last))
				}
				body.WriteString(`]}`)
				if code, answer := deliver(in.Gateway, "/v1/batch", "wk_evil", body.String()); code != http.StatusOK {
					t.Errorf("batch: %d %.300s", code, answer)
					return
				}
			}
		})
	}
	until(t, "a window that is short", func() bool {
		metrics := fetch(t, in.Metrics+"/metrics", "")
		m := keyWindow.FindStringSubmatch(metrics)
		return m != nil && m[1] != "604800"
	})
	close(done)
	senders.Wait()
	names(t, in, "dedupe_window_short", "evil")
	t.Logf("keys were forgotten after %d", sent.Load())
	if out := run(t, 0, "", "status", "--data-dir", in.Dir); regexp.MustCompile(`dedupe_window_short[^\n]*good`).MatchString(out) {
		t.Errorf("the neighbour's window is short, too:\n%s", out)
	}
	other.stop()
	until(t, "the neighbour's events", func() bool { return len(good.ids()) == other.sent+1 })
	accept(t, in.Gateway, "/v1/track", "wk_good", first)
	var own book
	until(t, "the repetition in the book", func() bool {
		own = bookOf(t, in, "web", "")
		return own.Accepted == int64(other.sent)+2 && own.Waiting == 0
	})
	if n := good.ids()["first"]; n != 1 || own.Duplicate != 1 {
		t.Errorf("the neighbour's first event arrived %d times, and the book has %d duplicates", n, own.Duplicate)
	}
}

// TestAFullStageRefusesItsOwnSources sends events to a warehouse that does not answer
// until STAGE takes no more for it. A neighbour notices nothing, and once the
// warehouse is there everything that was acknowledged is in it.
func TestAFullStageRefusesItsOwnSources(t *testing.T) {
	t.Parallel()
	good := newSink(t)
	at := freePort(t)
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(t.TempDir(), "password")
	write(t, password, "of no use to who is trusted")
	in, seen := smallDisk(t, twoTenants(fmt.Sprintf(`{ name: lake, type: postgres, settings: { host: %s, port: %s, database: acme, user: postgres, schema: weir, sslMode: disable, syncEvery: 5s }, secrets: { password: { from: file, path: %q } } }`, host, port, password), good.URL))
	other := newNeighbour(t, in)
	f := flood{noise: rand.NewChaCha8([32]byte{1})}
	batch := func() int { t.Helper(); return f.batch(t, in, "stage_full") }
	until(t, "stage_full", func() bool { return batch() == http.StatusServiceUnavailable })
	t.Logf("refused after %d events, with %d objects in the blob store", f.acked, moved(seen, "stage"))
	if moved(seen, "stage") == 0 {
		t.Error("nothing went to the blob store")
	}
	names(t, in, "stage_full", "evil/lake")
	server, err := postgrestest.Start(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Database(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	until(t, "a source that is taken again", func() bool { return batch() == http.StatusOK })
	until(t, "all rows", func() bool {
		out, err := exec.CommandContext(t.Context(), binary, "query", "lake", "select count(*) as n, count(distinct id) as ids from big", "--workspace", "evil", "--data-dir", in.Dir).Output()
		var row struct{ N, IDs int }
		return err == nil && json.Unmarshal(out, &row) == nil && row.N == f.acked && row.IDs == f.acked
	})
	until(t, "an empty blob store", func() bool { return moved(seen, "stage") == 0 })
	other.arrived(t, good)
}

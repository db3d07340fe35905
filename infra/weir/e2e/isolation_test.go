package e2e_test

import (
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestNineSickDestinationsHurtNobody has nine destinations of ten fail in nine
// ways. The tenth gets everything at once and in order; what the nine did not
// get waits, and arrives in order once they are well.
func TestNineSickDestinationsHurtNobody(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	sick := map[string]func(w http.ResponseWriter, r *http.Request, _ []byte) bool{
		"hole": hangs(free),
		"limited": func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		},
		"broken": func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		},
		"shaky": func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			if rand.IntN(10) >= 3 {
				return false
			}
			w.WriteHeader(http.StatusInternalServerError)
			return true
		},
		"drops": func(w http.ResponseWriter, r *http.Request, _ []byte) bool { // a byte a second of a body that does not end
			w.WriteHeader(http.StatusInternalServerError)
			for tick := time.Tick(time.Second); ; {
				_, _ = w.Write([]byte("x")) // the client may be gone
				_ = http.NewResponseController(w).Flush()
				select {
				case <-free:
					return true
				case <-r.Context().Done():
					return true
				case <-tick:
				}
			}
		},
		"resets": func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0) // so that Close resets
				_ = conn.Close()
			}
			return true
		},
		"garbles": func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = conn.Write([]byte("this is no HTTP\r\n\r\n"))
				_ = conn.Close()
			}
			return true
		},
	}
	good := newSink(t)
	sinks, urls := map[string]*sink{}, map[string]string{"good": good.URL}
	for name, behave := range sick {
		s := newSink(t)
		s.set(behave)
		sinks[name], urls[name] = s, s.URL
	}
	// Nobody listens for the eighth, and the ninth has a certificate that nobody knows.
	port := freePort(t)
	urls["absent"] = "http://" + port
	stranger := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the server with an unknown certificate was trusted")
	}))
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0) // of each handshake that fails, as it should
	stranger.StartTLS()
	defer stranger.Close()
	urls["stranger"] = stranger.URL

	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", urls))
	l := startLoad(func() string { return in.Gateway }, "wk_web", 8, 10*time.Millisecond)
	until(t, "load", func() bool { return l.sent.Load() > 1500 })
	sent := l.sent.Load()
	until(t, "everything at the one that is well", func() bool { return int64(len(good.ids())) >= sent })
	for _, name := range []string{"hole", "limited", "broken", "drops", "resets", "garbles", "absent", "stranger"} {
		until(t, name+" has what it did not get parked", func() bool {
			b := bookOf(t, in, "web", name)
			return b.Balanced && b.Parked > 0
		})
	}
	until(t, "a status that names the bottleneck", func() bool {
		return strings.Contains(run(t, 0, "", "status", "--data-dir", in.Dir), "Bottleneck of eu-1: ")
	})

	close(free)
	for _, s := range sinks {
		s.set(nil)
	}
	ln, err := net.Listen("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	sinks["absent"] = sinkOn(t, ln)
	l.stop()
	l.arrived(t, good)
	for name, s := range sinks {
		if dups := l.arrived(t, s); dups > 0 && name != "hole" && name != "drops" { // those may have taken what they did not answer
			t.Errorf("%s got %d events again", name, dups)
		}
		until(t, "nothing parked for "+name, func() bool {
			b := bookOf(t, in, "web", name)
			return b.Balanced && b.Parked == 0 && b.InFlight == 0
		})
	}
	if b := bookOf(t, in, "web", "stranger"); !b.Balanced || b.Delivered > 0 || b.Parked == 0 {
		t.Errorf("the book of the stranger: %+v", b)
	}
}

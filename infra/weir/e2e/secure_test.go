package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestAPlaneWithTLSEndsInOrder runs a data plane as production does: with TLS of
// its own, behind a proxy, and told to stop while clients send.
func TestAPlaneWithTLSEndsInOrder(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	r := startRoles(t)
	r.apply(0, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	r.plane.stop()
	cert, key, pool := certificate(t, r.dir)
	r.plane = start(t, "dataplane", "--data-dir", filepath.Join(r.dir, "plane"), "--gateway", r.gateway, "--view", r.view, "--metrics", r.metrics, "--allow-private",
		"--gateway-cert", cert, "--gateway-key", key, "--view-cert", cert, "--view-key", key, "--trusted-proxies", "127.0.0.0/8", "--linger", "1s")
	r.plane.line(`^ready$`)
	if res, err := secured(t, pool, true).Get("https://" + r.view + "/"); err != nil || res.ProtoMajor != 2 {
		t.Errorf("the view over TLS: %+v, %v", res, err)
	}

	s := &senders{t: t, url: "https://" + r.gateway, kept: map[string]bool{}}
	for i := range 8 { // half of them over HTTP/2
		s.Go(func() { s.send(i, secured(t, pool, i%2 == 1), 1+i%2) })
	}
	until(t, "the first events", func() bool { return len(hook.all()) > 20 })
	var e struct {
		IP string `json:"request_ip"`
	}
	if body := hook.all()[0].Body; json.Unmarshal(body, &e) != nil || e.IP != "198.51.100.7" {
		t.Errorf("request_ip %q in %s", e.IP, body)
	}
	_ = r.plane.cmd.Process.Signal(syscall.SIGTERM)
	until(t, "/ready to be false", func() bool {
		res, err := secured(t, pool, false).Get(s.url + "/ready")
		if err != nil {
			t.Fatalf("the gateway closed before it said so: %v", err)
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusServiceUnavailable
	})
	s.Wait()
	if <-r.plane.done; r.plane.err != nil {
		t.Errorf("the plane ended with %v", r.plane.err)
	}
	if s.closed == 0 {
		t.Error("no connection was closed after its answer")
	}
	r.startPlane() // sends what was kept and not sent yet
	until(t, "every kept event at the webhook", func() bool {
		got := hook.ids()
		for id := range s.kept {
			if got[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, n := range hook.ids() {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
}

// certificate writes a certificate and its key, and returns who trusts it.
func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	some := httptest.NewTLSServer(http.NotFoundHandler()) // it has one
	defer some.Close()
	pair, pool := some.TLS.Certificates[0], x509.NewCertPool()
	pool.AddCert(some.Certificate())
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	return cert, key, pool
}

// secured is a client with connections of its own, over HTTP/1.1 or HTTP/2.
func secured(t *testing.T, pool *x509.CertPool, h2 bool) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(!h2)
	p.SetHTTP2(h2)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Protocols: p}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// senders send events through a trusted proxy until the gateway is closed.
type senders struct {
	t   *testing.T
	url string
	sync.WaitGroup

	mu     sync.Mutex
	kept   map[string]bool
	closed int // answers after which the connection was closed
}

// send sends one event after the other; each has to be answered with 200 once it
// was let in. major is the version of HTTP.
func (s *senders) send(i int, c *http.Client, major int) {
	for n := 0; ; n++ {
		id := fmt.Sprintf("end-%d-%d", i, n)
		var written atomic.Bool // over TLS only what was let in can be written to
		ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{
			WroteRequest: func(info httptrace.WroteRequestInfo) { written.Store(info.Err == nil) },
		})
		req, err := http.NewRequestWithContext(ctx, "POST", s.url+"/v1/track", strings.NewReader(fmt.Sprintf(`{"userId":"u%d","messageId":%q}`, i, id)))
		if err != nil {
			s.t.Error(err)
			return
		}
		req.SetBasicAuth("wk_web", "")
		req.Header.Set("X-Forwarded-For", "6.6.6.6, 198.51.100.7, 127.0.0.9")
		res, err := c.Do(req)
		if err != nil {
			if written.Load() {
				s.t.Errorf("%s was under way and got no answer: %v", id, err)
			}
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		s.mu.Lock()
		if res.StatusCode != http.StatusOK || res.ProtoMajor != major {
			s.t.Errorf("%s: %d in %s", id, res.StatusCode, res.Proto)
		}
		if s.kept[id] = true; res.Close {
			s.closed++
		}
		s.mu.Unlock()
	}
}

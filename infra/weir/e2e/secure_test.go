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
	"time"
)

// TestAPlaneWithTLSEndsInOrder runs a data plane as production does: with TLS of
// its own, behind a proxy, and told to stop while clients send.
func TestAPlaneWithTLSEndsInOrder(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	r := startRoles(t)
	r.apply(0, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	r.plane.stop()
	some := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	pair, pool := some.TLS.Certificates[0], x509.NewCertPool()
	pool.AddCert(some.Certificate())
	some.Close()
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(r.dir, "tls.crt"), filepath.Join(r.dir, "tls.key")
	write(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	r.plane = start(t, "dataplane", "--data-dir", filepath.Join(r.dir, "plane"), "--gateway", r.gateway, "--view", r.view, "--metrics", r.metrics, "--allow-private",
		"--gateway-cert", cert, "--gateway-key", key, "--view-cert", cert, "--view-key", key, "--trusted-proxies", "127.0.0.0/8", "--linger", "1s")
	r.plane.line(`^ready$`)

	dial := func(h2 bool) *http.Client {
		p := new(http.Protocols)
		p.SetHTTP1(!h2)
		p.SetHTTP2(h2)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Protocols: p}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport, Timeout: 15 * time.Second}
	}
	if res, err := dial(true).Get("https://" + r.view + "/"); err != nil || res.ProtoMajor != 2 {
		t.Errorf("the view over TLS: %+v, %v", res, err)
	}

	var all sync.WaitGroup
	var mu sync.Mutex
	kept, closing := map[string]bool{}, 0
	for i := range 8 { // half of them over HTTP/2
		all.Go(func() {
			c := dial(i%2 == 1)
			for n := 0; ; n++ {
				id := fmt.Sprintf("end-%d-%d", i, n)
				req, err := http.NewRequest("POST", "https://"+r.gateway+"/v1/track", strings.NewReader(fmt.Sprintf(`{"userId":"u%d","messageId":%q}`, i, id)))
				if err != nil {
					t.Error(err)
					return
				}
				req.SetBasicAuth("wk_web", "")
				req.Header.Set("X-Forwarded-For", "6.6.6.6, 198.51.100.7, 127.0.0.9")
				var written atomic.Bool // over TLS only what was let in can be written to
				res, err := c.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
					WroteRequest: func(info httptrace.WroteRequestInfo) { written.Store(info.Err == nil) },
				})))
				if err != nil {
					if written.Load() {
						t.Errorf("%s was under way and got no answer: %v", id, err)
					}
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				mu.Lock()
				if res.StatusCode != http.StatusOK || res.ProtoMajor != 1+i%2 {
					t.Errorf("%s: %d in %s", id, res.StatusCode, res.Proto)
				}
				kept[id] = true
				if res.Close {
					closing++
				}
				mu.Unlock()
			}
		})
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
		res, err := dial(false).Get("https://" + r.gateway + "/ready")
		if err != nil {
			t.Fatalf("the door closed before it said so: %v", err)
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusServiceUnavailable
	})
	all.Wait()
	<-r.plane.done
	if r.plane.err != nil {
		t.Errorf("the plane ended with %v", r.plane.err)
	}
	if closing == 0 {
		t.Error("no connection was closed after its answer")
	}
	r.startPlane() // what was kept and not sent yet
	until(t, "every kept event at the webhook", func() bool {
		got := hook.ids()
		for id := range kept {
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

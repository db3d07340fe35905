package dataplane_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/dataplane"
	"weir/dataplane/enrol"
	"weir/shared/fault"
)

// certify writes a certificate with the given number and its key.
func certify(t *testing.T, cert, key string, number int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(number), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// shown returns the number of the certificate that a server shows, 0 for none.
func shown(address string) int64 {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return 0
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// lockedLog is a log that can be read while it is written.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	c, dir := newControl(t), t.TempDir()
	if err := dataplane.Join(t.Context(), enrol.Config{Control: c.http.URL, Token: "good", DataDir: dir, Name: "eu-1"}); err != nil {
		t.Fatal(err)
	}
	cert, key, log := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key"), new(lockedLog)
	certify(t, cert, key, 1)
	r := start(t, dir, func(cfg *dataplane.Config) {
		cfg.GatewayCert, cfg.GatewayKey, cfg.ViewCert, cfg.ViewKey = cert, key, cert, key
		cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	})
	at := r.Addresses()
	if g, v := shown(at.Gateway), shown(at.View); g != 1 || v != 1 {
		t.Fatalf("gateway shows certificate %d, view %d", g, v)
	}
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	defer trusting.CloseIdleConnections()
	res, err := trusting.Get("https://" + at.Gateway + "/health")
	if err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	_ = res.Body.Close()

	certify(t, cert, key, 2)
	until(t, "the second certificate", func() bool { return shown(at.Gateway) == 2 && shown(at.View) == 2 })
	if err := os.WriteFile(key, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the warning of the gateway and of the view", func() bool {
		if g, v := shown(at.Gateway), shown(at.View); g != 2 || v != 2 {
			t.Fatalf("with a broken key the gateway shows %d, the view %d", g, v)
		}
		return log.count("certificate not reloaded") == 2
	})
	certify(t, cert, key, 3)
	until(t, "the third certificate", func() bool { return shown(at.Gateway) == 3 })
	if n := log.count("certificate not reloaded"); n > 4 { // while one file is new and the other old
		t.Errorf("%d warnings", n)
	}
}

func TestACertificateThatCannotBeUsedStopsThePlane(t *testing.T) {
	t.Parallel()
	c, dir := newControl(t), t.TempDir()
	if err := dataplane.Join(t.Context(), enrol.Config{Control: c.http.URL, Token: "good", DataDir: dir, Name: "eu-1"}); err != nil {
		t.Fatal(err)
	}
	d, err := dataplane.New(dataplane.Config{DataDir: dir, Gateway: "127.0.0.1:0", View: "127.0.0.1:0", Metrics: "127.0.0.1:0", GatewayCert: "/no/such", GatewayKey: "/no/such"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Run: %v, want Invalid", err)
	}
	if _, err := dataplane.New(dataplane.Config{DataDir: dir, ViewCert: "tls.crt"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a certificate without its key: %v, want Invalid", err)
	}
}

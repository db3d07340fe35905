package probe_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/trust"
	"weir/dataplane/view/probe"
	"weir/shared/secret"
)

// plain is a kind that knows no request for tests.
type plain string

func (p plain) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	return []destination.Request{{Method: "POST", URL: string(p), Items: []int{0}}}, nil
}

func (plain) Judge(destination.Request, destination.Response) []destination.Verdict { return nil }

// client makes a certificate that is its own authority, and its key, in PEM.
func client(t *testing.T) (certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

// TestAConnectionIsSecuredAsRequestsAre: by a private authority, and with a client's
// certificate that the server asks for.
func TestAConnectionIsSecuredAsRequestsAre(t *testing.T) {
	t.Parallel()
	certificate, key := client(t)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(certificate))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	server.StartTLS()
	defer server.Close()
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for name, tc := range map[string]struct{ authority, certificate, key, want string }{
		"with both":               {authority, certificate, key, ""},
		"without the certificate": {authority, "", "", "tls_failed"},
		"without the authority":   {"", certificate, key, "tls_failed"},
		"without any":             {"", "", "", "tls_failed"},
	} {
		secured, err := trust.Of(tc.authority, tc.certificate, secret.NewString(tc.key))
		if err != nil {
			t.Fatal(err)
		}
		target := &destination.Target{Opened: destination.Opened{HTTP: plain(server.URL), Trust: secured}}
		a := probe.Run(t.Context(), target, probe.Ways{Deps: destination.Deps{Dial: (&net.Dialer{}).DialContext, Now: time.Now}})
		if a.Code != tc.want || a.OK != (tc.want == "") || a.Tried != probe.Connection {
			t.Errorf("%s: %+v, want %q", name, a, tc.want)
		}
	}
}

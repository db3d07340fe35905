package outbound_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/outbound"
	"weir/shared/fault"
	"weir/shared/secret"
)

// authority is a private certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	text        string // PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Private"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var der []byte
	der, a.key = signed(t, template, nil, nil)
	a.text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	var err error
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// signed makes a key and a certificate of it, by itself without an authority.
func signed(t *testing.T, template, by *x509.Certificate, with *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by, with = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), with)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// issue returns a certificate for 127.0.0.1 and its key, in PEM.
func (a *authority) issue(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	der, k := signed(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, a.certificate, a.key)
	text, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

// trusting is a kind that posts each event to its base, with an access token.
var trusting = destination.Define([]byte(`
family: destination
name: acme
title: Acme
doc: A test.
base: { any: https://api.example }
auth: [{ type: oauth2, tokenUrl: "{base}/token", clientId: "{secrets.id}", clientSecret: "{secrets.id}" }]
secrets: [{ name: id, type: string, title: S }]
`), func(s based) (destination.Destination, error) { return &s, nil })()

type based struct{ base string }

func (b *based) SetBase(address string) { b.base = address }

func (b *based) Build(in destination.Batch) (all []destination.Request, _ []destination.Verdict) {
	for i := range in.Items {
		all = append(all, destination.Request{Method: "POST", URL: b.base + "/x", Body: []byte("{}"), Items: []int{i}})
	}
	return all, nil
}

func (b *based) Judge(r destination.Request, res destination.Response) []destination.Verdict {
	return destination.Classify(r, res)
}

// TestTrustIsOneDestinations asks a server with a certificate of a private authority, which
// wants one of its clients, and for an access token there: those who are given both are
// served, also one after the other, and no others beside them.
func TestTrustIsOneDestinations(t *testing.T) {
	t.Parallel()
	a, other := newAuthority(t), newAuthority(t)
	certificate, key := a.issue(t, "server")
	own, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	var mu sync.Mutex
	var names []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, r.TLS.PeerCertificates[0].Subject.CommonName+" "+r.URL.Path)
		if r.URL.Path == "/token" {
			fmt.Fprint(w, `{"access_token":"t","expires_in":3600}`)
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
	server.EnableHTTP2, server.Config.ErrorLog = true, log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	client := outbound.New(outbound.Config{Dial: (&net.Dialer{}).DialContext})
	t.Cleanup(client.Close)
	adaCert, adaKey := a.issue(t, "ada")
	eveCert, eveKey := a.issue(t, "eve")
	badCert, badKey := other.issue(t, "bad")
	for round := range 2 {
		for _, tc := range []struct{ name, root, cert, key, want string }{
			{"ada", a.text, adaCert, adaKey, "delivered"},
			{"nobody's", "", "", "", "tls"},
			{"no certificate of its own", a.text, "", "", "retry"},
			{"one of another authority", a.text, badCert, badKey, "retry"},
			{"eve", a.text, eveCert, eveKey, "delivered"},
			{"another authority", other.text, adaCert, adaKey, "tls"},
			{"the machine's authorities", "", adaCert, adaKey, "tls"},
		} {
			settings := map[string]string{"baseUrl": server.URL}
			secrets := map[string]secret.String{"id": secret.NewString("client")}
			for name, text := range map[string]string{"sslRootCert": tc.root, "sslCert": tc.cert} {
				if text != "" {
					settings[name] = text
				}
			}
			if tc.key != "" {
				secrets["sslKey"] = secret.NewString(tc.key)
			}
			text, err := json.Marshal(settings)
			if err != nil {
				t.Fatal(err)
			}
			opened, err := trusting.Open(text, secrets)
			if err != nil {
				t.Fatal(err)
			}
			link := outbound.Link{Do: client.Do, Plane: client.Plane(), Deps: destination.Deps{Now: time.Now}}
			results := make([]outbound.Result, 1)
			link.Send(t.Context(), &destination.Target{Opened: opened}, destination.Batch{Items: []destination.Item{{Event: event.Event{JSON: []byte("{}")}}}}, results)
			got := results[0].Code
			if results[0].Outcome == destination.Delivered {
				got = "delivered"
			} else if tc.want == "retry" && results[0].Outcome == destination.Retry { // the server says so in the handshake or behind it
				got = "retry"
			}
			if got != tc.want {
				t.Errorf("round %d, %s: %s %s, want %s", round, tc.name, got, results[0].Detail, tc.want)
			}
		}
	}
	want := "[ada /token ada /x eve /token eve /x ada /x eve /x]"
	if got := fmt.Sprint(names); got != want {
		t.Errorf("the server was asked by %s, want %s", got, want)
	}
}

// TestCertificatesThatAreNone names what is wrong.
func TestCertificatesThatAreNone(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	certificate, key := a.issue(t, "ada")
	_, another := a.issue(t, "eve")
	broken := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	for name, tc := range map[string]struct{ root, cert, key, path string }{
		"no key":           {cert: certificate, path: "secrets.sslKey"},
		"no certificate":   {key: key, path: "settings.sslCert"},
		"another key":      {cert: certificate, key: another, path: "settings.sslCert"},
		"a broken root":    {root: broken, path: "settings.sslRootCert"},
		"a path":           {root: "/etc/ca.pem", path: "settings.sslRootCert"},
		"a broken one":     {cert: broken, key: key, path: "settings.sslCert"},
		"a key in the set": {cert: certificate + key, key: key, path: "settings.sslCert"},
	} {
		settings, secrets := map[string]string{}, map[string]secret.String{}
		for field, text := range map[string]string{"sslRootCert": tc.root, "sslCert": tc.cert} {
			if text != "" {
				settings[field] = text
			}
		}
		if tc.key != "" {
			secrets["sslKey"] = secret.NewString(tc.key)
		}
		text, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		_, err = trusting.Open(text, secrets)
		if problems := fault.ProblemsOf(err); len(problems) != 1 || problems[0].Path != tc.path {
			t.Errorf("%s: %v, want a problem of %s", name, problems, tc.path)
		}
	}
}

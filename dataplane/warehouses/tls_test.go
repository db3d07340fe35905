package warehouses_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/postgres"
	"weir/shared/fault"
	"weir/shared/secret"
)

// authority signs certificates; no system trusts it.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	text string // its own certificate, PEM
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = template
	var der []byte
	der, a.key = a.sign(template, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, a.text = cert, block("CERTIFICATE", der)
	return a
}

// sign makes a key and signs a certificate with it by by; nil: the new key.
func (a *authority) sign(template *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

// issue returns a certificate of a name, for a server of that name too, and its key.
func (a *authority) issue(name string) (cert, key string) {
	der, k := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}, a.key)
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", private)
}

func block(typ string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

// TestPostgresTLS connects to a server whose certificate a private authority signed,
// and to a role that has a certificate in place of a password.
func TestPostgresTLS(t *testing.T) {
	t.Parallel()
	own, other := newAuthority(t), newAuthority(t)
	s := ofPostgres(t)
	name := strings.Split(strings.Split(s.Settings, `"database":"`)[1], `"`)[0]
	certified := "certified_" + name
	cert, key := own.issue("db.example")
	if err := server.Secure(t.Context(), cert, key, own.text, certified); err != nil {
		t.Fatal(err)
	}
	execPostgres(t, name, "create role "+certified+" login; grant create on database "+name+" to "+certified)
	mine, myKey := own.issue(certified)
	foreign, foreignKey := other.issue(certified)
	tcp := func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	for what, c := range map[string]struct{ user, host, mode, root, cert, key, want string }{
		"no check":                          {host: "x", mode: "require"},
		"no TLS":                            {host: "x", mode: "disable", want: warehouse.CodeAuth},
		"the system's authorities":          {host: "db.example", mode: "verify-full", want: warehouse.CodeUnreachable},
		"the system's authorities, no name": {host: "x", mode: "verify-ca", want: warehouse.CodeUnreachable},
		"the right authority":               {host: "db.example", mode: "verify-full", root: own.text},
		"the right authority, many":         {host: "db.example", mode: "verify-full", root: other.text + "\n" + own.text},
		"another name":                      {host: "x", mode: "verify-full", root: own.text, want: warehouse.CodeUnreachable},
		"another name, not checked":         {host: "x", mode: "verify-ca", root: own.text},
		"another authority":                 {host: "x", mode: "verify-ca", root: other.text, want: warehouse.CodeUnreachable},
		"another authority, full":           {host: "db.example", mode: "verify-full", root: other.text, want: warehouse.CodeUnreachable},
		"another authority, require":        {host: "x", mode: "require", root: other.text, want: warehouse.CodeUnreachable},
		"a certificate":                     {user: certified, host: "db.example", mode: "verify-full", root: own.text, cert: mine, key: myKey},
		"a certificate, nothing checked":    {user: certified, host: "x", mode: "require", cert: mine, key: myKey},
		"no certificate":                    {user: certified, host: "db.example", mode: "verify-full", root: own.text, want: warehouse.CodeAuth},
		"a certificate of another":          {user: certified, host: "x", mode: "verify-ca", root: own.text, cert: foreign, key: foreignKey, want: warehouse.CodeUnreachable},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			settings := map[string]string{"host": c.host, "database": name, "user": "owner_" + name, "schema": "weir", "sslMode": c.mode}
			secrets := map[string]secret.String{"password": secret.NewString("hush")}
			if c.user != "" {
				settings["user"], secrets = c.user, map[string]secret.String{}
			}
			if c.root != "" {
				settings["sslRootCert"] = c.root
			}
			if c.cert != "" {
				settings["sslCert"], secrets["sslKey"] = c.cert, secret.NewString(c.key)
			}
			b, err := json.Marshal(settings)
			if err != nil {
				t.Fatal(err)
			}
			o, err := postgres.Kind().Open(b, secrets)
			if err != nil {
				t.Fatal(err)
			}
			w, err := o.Open(t.Context(), warehouse.Deps{Dial: tcp})
			if err == nil {
				err = errors.Join(w.Test(t.Context()), w.Close())
			}
			if (err == nil) != (c.want == "") || err != nil && warehouse.CodeOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestPostgresCertificates wants each mistake in a certificate named before anything is
// connected, and no text of a key in what is said.
func TestPostgresCertificates(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.issue("x")
	_, otherKey := a.issue("x")
	broken := "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
	for what, c := range map[string]struct{ root, cert, key, path, code string }{
		"all there":          {root: a.text, cert: cert, key: key},
		"no key":             {cert: cert, path: "secrets.sslKey", code: "required"},
		"another key":        {cert: cert, key: otherKey, path: "settings.sslCert", code: "malformed"},
		"a broken cert":      {cert: broken, key: key, path: "settings.sslCert", code: "malformed"},
		"a broken authority": {root: broken, path: "settings.sslRootCert", code: "malformed"},
		"a path":             {root: "/etc/ca.pem", path: "settings.sslRootCert", code: "bad_pattern"},
		"a key in settings":  {root: a.text + key, path: "settings.sslRootCert", code: "bad_pattern"},
		"nothing":            {root: " ", path: "settings.sslRootCert", code: "bad_pattern"},
	} {
		settings := map[string]string{"host": "x", "database": "x", "user": "x", "sslMode": "verify-full"}
		secrets := map[string]secret.String{}
		for name, text := range map[string]string{"sslRootCert": c.root, "sslCert": c.cert} {
			if text != "" {
				settings[name] = text
			}
		}
		if c.key != "" {
			secrets["sslKey"] = secret.NewString(c.key)
		}
		b, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		_, err = postgres.Kind().Open(b, secrets)
		found := fault.ProblemsOf(err)
		switch {
		case c.path == "" && err == nil:
		case len(found) != 1 || found[0].Path != c.path || found[0].Code != c.code || strings.Contains(found[0].Text, "MI"):
			t.Errorf("%s: %v %v, want %s %s", what, err, found, c.path, c.code)
		}
	}
}

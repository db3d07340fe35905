package trust_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"weir/dataplane/destination/trust"
	"weir/shared/secret"
)

// TestPrivateAuthority trusts a server by its authority's certificate alone, and by its
// name.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer server.Close()
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	for _, tc := range []struct {
		name, authority, addr string
		trusted               bool
	}{
		{"its authority", authority, "example.com:1", true},
		{"none", "", "example.com:1", false},
		{"another name", authority, "example.org:1", false},
	} {
		config, err := trust.TLS(tc.authority, secret.String{}, secret.String{})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := trust.Secure(dial, config)(t.Context(), "tcp", tc.addr)
		if (err == nil) != tc.trusted {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err == nil {
			if conn.(*tls.Conn).ConnectionState().Version < tls.VersionTLS12 {
				t.Errorf("%s: an old version of TLS", tc.name)
			}
			_ = conn.Close()
		}
	}
	for _, bad := range []string{"no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		if _, err := trust.TLS(bad, secret.String{}, secret.String{}); err == nil {
			t.Errorf("%q is taken for a certificate", bad)
		}
		if _, err := trust.TLS("", secret.NewString(bad), secret.NewString(bad)); err == nil {
			t.Errorf("%q is taken for a client's certificate", bad)
		}
	}
}

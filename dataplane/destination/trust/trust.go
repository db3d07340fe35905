// Package trust secures the connections of sinks with TLS: by the certificates that the
// machine trusts or a private authority's, and with a client's certificate where one is given.
package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"

	"weir/shared/secret"
)

// Dial connects, as destination.Deps.Dial does.
type Dial = func(ctx context.Context, network, addr string) (net.Conn, error)

// TLS is how a sink's connections are secured. Texts are PEM; "" is none.
func TLS(authority string, certificate, key secret.String) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(authority)) {
			return nil, errors.New("tls: the setting ca holds no certificate in PEM")
		}
	}
	if certificate.Reveal() != "" {
		own, err := tls.X509KeyPair([]byte(certificate.Reveal()), []byte(key.Reveal()))
		if err != nil {
			return nil, errors.New("tls: the client's certificate and its key are not PEM, or do not fit")
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// Secure is dial with TLS for the host that is dialled.
func Secure(dial Dial, config *tls.Config) Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		plain, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		own := config.Clone()
		own.ServerName = host
		conn := tls.Client(plain, own)
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = plain.Close() // the handshake's error says more
			return nil, err
		}
		return conn, nil
	}
}

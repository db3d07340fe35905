package temporal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"

	"weir/shared/fault"
)

// DefaultNamespace is where workflows are when nothing is said.
const DefaultNamespace = "weir"

// Server says where a Temporal server is and how it is reached. All fields may be empty.
type Server struct {
	Address   string // host:port; "": none, unless Find is given
	Namespace string // "": DefaultNamespace
	TLS       bool   // with the system's authorities
	// PEM files; with any of them TLS is spoken. A certificate and its key are read again for
	// each connection.
	CA, Cert, Key string
	// Find, in place of Address, returns it when it is known.
	Find func(ctx context.Context) (string, error)
}

// Given reports whether there is a server.
func (s Server) Given() bool { return s.Address != "" || s.Find != nil }

// Check says what is wrong. fault.Invalid: an address or a file cannot be used.
func (s Server) Check() error {
	if s.Address != "" {
		if host, port, err := net.SplitHostPort(s.Address); err != nil || host == "" || port == "" {
			return fault.New(fault.Invalid, "The address %q of --temporal is not host:port.", s.Address)
		}
	}
	if !s.Given() && (s.Namespace != "" || s.TLS || s.CA != "" || s.Cert != "" || s.Key != "") {
		return fault.New(fault.Invalid, "Settings of Temporal need its address, --temporal.")
	}
	if (s.Cert == "") != (s.Key == "") {
		return fault.New(fault.Invalid, "--temporal-cert and --temporal-key belong together: a client certificate and its key.")
	}
	if s.Cert != "" {
		if _, err := tls.LoadX509KeyPair(s.Cert, s.Key); err != nil {
			return fault.New(fault.Invalid, "The files %s and %s of --temporal-cert and --temporal-key cannot be used: %v.", s.Cert, s.Key, err)
		}
	}
	if s.CA != "" && s.authorities() == nil {
		return fault.New(fault.Invalid, "The file %s of --temporal-ca holds no certificates, or cannot be read.", s.CA)
	}
	return nil
}

func (s Server) authorities() *x509.CertPool {
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(s.CA)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		return nil
	}
	return pool
}

// config is how TLS is spoken, nil for not.
func (s Server) config() *tls.Config {
	if !s.TLS && s.CA == "" && s.Cert == "" {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		c.RootCAs = s.authorities()
	}
	if s.Cert != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
			return &pair, err
		}
	}
	return c
}

func (s Server) find(ctx context.Context) (string, error) {
	if s.Find != nil {
		return s.Find(ctx)
	}
	return s.Address, nil
}

// Package trust says how the way to a warehouse is protected. It is pure.
package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"weir/shared/fault"
)

// TLS says how the way to a server is protected. Certificates and keys are PEM texts.
type TLS struct {
	Mode      string // of sslMode; require with a RootCert checks as verify-ca does
	Host      string // the name that verify-full wants in the server's certificate
	RootCert  string // authorities; "": those that the system trusts
	Cert, Key string // what the server gets to see, and its key; "": nothing
}

// Errors of TLS.Config.
var (
	ErrRootCert = errors.New("no certificate in it can be read")
	ErrCert     = errors.New("the certificate cannot be read, or the key does not belong to it")
)

// Config returns what a connection uses, nil for one without TLS. Its errors are
// ErrRootCert and ErrCert.
func (t TLS) Config() (*tls.Config, error) {
	c := &tls.Config{ServerName: t.Host, MinVersion: tls.VersionTLS12}
	if t.RootCert != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.RootCert)) {
			return nil, ErrRootCert
		}
	}
	if t.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key))
		if err != nil {
			return nil, ErrCert
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch {
	case t.Mode == "disable":
		return nil, nil
	case t.Mode == "verify-full":
		return c, nil
	case t.Mode == "verify-ca" || t.RootCert != "":
		c.VerifyConnection = chain(c.RootCAs)
	}
	c.InsecureSkipVerify = true
	return c, nil
}

// Problems says what is wrong with the certificates, at the settings sslRootCert and
// sslCert and the secret sslKey, which are what every kind calls them.
func (t TLS) Problems() []fault.Problem {
	_, err := t.Config()
	switch {
	case t.Cert != "" && t.Key == "":
		return []fault.Problem{{Path: "secrets.sslKey", Code: "required", Text: "The client certificate sslCert needs its key; give the secret sslKey."}}
	case errors.Is(err, ErrRootCert):
		return []fault.Problem{{Path: "settings.sslRootCert", Code: "malformed", Text: "In sslRootCert " + err.Error() + "."}}
	case err != nil:
		return []fault.Problem{{Path: "settings.sslCert", Code: "malformed", Text: "In sslCert and sslKey " + err.Error() + "."}}
	}
	return nil
}

// chain checks who signed the certificate and not its name.
func chain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server has no certificate")
		}
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}

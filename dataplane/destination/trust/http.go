package trust

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"weir/shared/fault"
	"weir/shared/secret"
)

// HTTP is how requests of one destination are secured, where that is not the way of all.
// Connections of HTTPs with equal keys may be shared, and no others.
type HTTP struct {
	Config *tls.Config
	Key    string // a digest of the authority, the certificate and its key
	// Beside is for servers beside the destination's own, such as those that give tokens: they
	// may have certificates of the authorities that the machine trusts, too. nil: this one.
	Beside *HTTP
}

// Of reads the settings sslRootCert and sslCert and the secret sslKey; nil: none is given.
// fault.Invalid names what is wrong.
func Of(authority, certificate string, key secret.String) (*HTTP, error) {
	if authority == "" && certificate == "" && key.Reveal() == "" {
		return nil, nil
	}
	problem := func(path, code, text string) error {
		return fault.Problems("The settings of TLS cannot be used:", []fault.Problem{{Path: path, Code: code, Text: text}})
	}
	switch {
	case certificate != "" && key.Reveal() == "":
		return nil, problem("secrets.sslKey", "required", "The client certificate sslCert needs its key; give the secret sslKey.")
	case certificate == "" && key.Reveal() != "":
		return nil, problem("settings.sslCert", "required", "The key sslKey needs its certificate; give the setting sslCert.")
	}
	if _, err := TLS(authority, secret.String{}, secret.String{}); err != nil {
		return nil, problem("settings.sslRootCert", "malformed", "In sslRootCert no certificate can be read.")
	}
	config, err := TLS(authority, secret.NewString(certificate), key)
	if err != nil {
		return nil, problem("settings.sslCert", "malformed", "The certificate sslCert cannot be read, or the key sslKey does not belong to it.")
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{authority, certificate, key.Reveal()}, "\x00")))
	h := &HTTP{Config: config, Key: hex.EncodeToString(sum[:])}
	if config.RootCAs != nil {
		wider := config.Clone()
		if wider.RootCAs, err = x509.SystemCertPool(); err != nil {
			wider.RootCAs = x509.NewCertPool()
		}
		wider.RootCAs.AppendCertsFromPEM([]byte(authority))
		h.Beside = &HTTP{Config: wider, Key: h.Key + " beside"}
	}
	return h, nil
}

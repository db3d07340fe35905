package destination

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// unreached says why a connection did not bear an answer: a code, and a text for people
// who may see what this plane keeps. The text names no address: those inside the plane's
// network are its operator's.
func unreached(err error) (code, detail string) {
	var dns *net.DNSError
	var errno syscall.Errno
	switch text := tlsText(err); {
	case errors.As(err, &dns) && dns.IsNotFound:
		return codeDNS, cut(fmt.Sprintf("The name %q does not exist in DNS.", dns.Name))
	case errors.As(err, &dns):
		return codeDNS, cut(fmt.Sprintf("The name %q could not be looked up in DNS.", dns.Name))
	case text != "":
		return codeTLS, cut(text)
	case errors.Is(err, syscall.ECONNREFUSED):
		return codeRefused, "Nothing accepts connections at this address and port."
	case errors.As(err, &errno):
		return codeNetwork, "The connection failed: " + errno.Error() + "."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return codeNetwork, "The connection was closed before the answer was whole."
	}
	return codeNetwork, ""
}

// tlsText says what is wrong with TLS, "" for nothing. The texts of crypto/tls and
// crypto/x509 quote certificates, no requests.
func tlsText(err error) string {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		remote       *net.OpError
	)
	switch {
	case errors.As(err, &verification):
		return "Its certificate is not trusted: " + verification.Err.Error()
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &invalid):
		return "Its certificate is not trusted: " + err.Error()
	case errors.As(err, &record):
		return "It does not speak TLS at this port."
	case errors.As(err, &alert):
		return "It ended the TLS handshake: " + alert.Error()
	case errors.As(err, &remote) && remote.Op == "remote error":
		return "It ended the TLS handshake: " + remote.Err.Error()
	case strings.HasPrefix(err.Error(), "tls: "), strings.Contains(err.Error(), "gave HTTP response to HTTPS client"):
		return "The TLS handshake failed: " + err.Error()
	}
	return ""
}

func cut(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxDetail)], "") }

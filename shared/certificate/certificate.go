// Package certificate reads what a server shows of itself over TLS from files, which
// whoever renews them may replace while it runs.
package certificate

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"weir/shared/fault"
)

// lookEvery is how often the files of a certificate are looked at, at most.
const lookEvery = time.Second

// pair is a certificate and its key in files that whoever renews them replaces.
// They are looked at when a connection comes: without connections nobody needs
// the new ones. A pair that cannot be used changes nothing.
type pair struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	loaded  [2]stamp // of the files of current
	refused [2]stamp // of the files that could not be used
	looked  time.Time
}

// stamp tells one state of a file from another.
type stamp struct {
	at   time.Time
	size int64
}

// TLS is how a server's connections are secured with a certificate and its key in PEM
// files, which are read again when they change; nil without files. fault.Invalid:
// they cannot be used.
func TLS(cert, key string, log *slog.Logger) (*tls.Config, error) {
	if cert == "" {
		return nil, nil //nolint:nilnil // nil is no TLS
	}
	p, err := newPair(cert, key, log)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.certificate}, nil
}

// newPair reads both files. fault.Invalid: they cannot be used.
func newPair(cert, key string, log *slog.Logger) (*pair, error) {
	p := &pair{cert: cert, key: key, log: log, looked: time.Now()}
	stamps, err := p.stamps()
	if err != nil {
		return nil, err
	}
	if err := p.load(stamps); err != nil {
		return nil, err
	}
	return p, nil
}

// certificate is tls.Config.GetCertificate.
func (p *pair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.looked) >= lookEvery {
		p.looked = now
		p.look()
	}
	return p.current, nil
}

// look reads the files again when they changed; p.mu is held.
func (p *pair) look() {
	stamps, err := p.stamps()
	if err == nil && stamps == p.loaded {
		return
	}
	if err == nil {
		err = p.load(stamps)
	}
	switch {
	case err == nil:
		p.log.Info("certificate reloaded", "file", p.cert)
	case stamps != p.refused: // one warning for each state of the files
		p.log.Warn("certificate not reloaded; the former one stays", "file", p.cert, "error", err.Error())
	}
	p.refused = stamps
}

// load makes the files the current pair.
func (p *pair) load(stamps [2]stamp) error {
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return fault.New(fault.Invalid, "The certificate %s and the key %s cannot be used: %v.", p.cert, p.key, err)
	}
	p.current, p.loaded = &pair, stamps
	return nil
}

// stamps returns the states of certificate and key; of links, where they lead.
func (p *pair) stamps() (s [2]stamp, err error) {
	for i, path := range []string{p.cert, p.key} {
		info, err := os.Stat(path)
		if err != nil {
			return [2]stamp{}, fault.New(fault.Invalid, "The file %s cannot be read: %v.", path, err)
		}
		s[i] = stamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

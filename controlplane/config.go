package controlplane

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/shared/certificate"
	"weir/shared/fault"
	"weir/shared/proxy"
	"weir/shared/wire/access"
)

// Where a control plane listens when it is not told.
const (
	defaultHTTP = "127.0.0.1:8080"
	defaultHub  = "127.0.0.1:4222"
)

// Config is how a control plane runs. Only DataDir is required.
type Config struct {
	DataDir  string // keys, the embedded hub, and the SQLite file; made when absent
	Database string // empty: SQLite in DataDir; else a SQLite file or a postgres:// URL

	// HubListen is where the embedded hub listens, empty for 127.0.0.1:4222.
	// HubAddress is where planes reach the hub, nats://host:port; empty for where
	// the embedded one listens. HubAddress alone means that the hub is outside and
	// none is embedded; its operator key is then expected in DataDir/hub.
	HubListen  string
	HubAddress string
	// HubFiles are for TLS: with a hub outside what the control plane connects with;
	// with the embedded one Cert and Key are what it shows, read again when they change,
	// and CA stays empty. Creds and NKey stay empty.
	HubFiles access.Files

	HTTPListen string   // API and console, empty for 127.0.0.1:8080
	Origins    []string // where people open the console, such as https://weir.example.com; loopback needs none

	// TrustedProxies are networks whose X-Forwarded-For is believed, such as
	// 10.0.0.0/8: limits of sign-ins go by the address that it names.
	TrustedProxies []string

	// SessionIdle and SessionLifetime are how long people stay signed in without use, and in
	// all; 0 for 12 hours and 7 days.
	SessionIdle, SessionLifetime time.Duration

	// AllowPrivate lets identity providers of organizations be at private addresses.
	AllowPrivate bool

	// Policies is a file or a folder of policies in Rego (*.rego, without *_test.rego) that
	// every commit of every organization has to pass; empty for none.
	Policies string

	// Dev gives DevAccess a login and an API token, and prints no login. What is
	// Known from an earlier start stays as it is.
	Dev   bool
	Known DevAccess
	// ResetLogin gives the first administrator a new password and prints it.
	ResetLogin bool

	Out io.Writer    // the first start prints the login here, once; nil means standard output
	Log *slog.Logger // nil discards
}

// Hub takes what a command line says of the hub: host:port is where the
// embedded one listens, an address with a scheme is one outside, and empty
// leaves the default.
func (c *Config) Hub(text string) {
	if strings.Contains(text, "://") {
		c.HubListen, c.HubAddress = "", text
		return
	}
	c.HubListen = text
	if text == "" && c.HubAddress != "" { // an embedded hub, known elsewhere by another address
		c.HubListen = defaultHub
	}
}

// check fills in defaults and lists everything that is wrong.
func (c *Config) check() (proxy.Trusted, error) {
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fault.New(fault.Invalid, format, args...)) }
	if c.DataDir == "" {
		refuse("the control plane needs a data directory")
	}
	if c.Database == "" {
		c.Database = filepath.Join(c.DataDir, "control.db")
	}
	if c.HTTPListen == "" {
		c.HTTPListen = defaultHTTP
	}
	if c.HubListen == "" && c.HubAddress == "" {
		c.HubListen = defaultHub
	}
	if _, _, err := net.SplitHostPort(c.HTTPListen); err != nil {
		refuse("the address %q for API and console is not host:port", c.HTTPListen)
	}
	if c.HubListen != "" {
		host, _, err := net.SplitHostPort(c.HubListen)
		if err != nil {
			refuse("the address %q for the hub is not host:port", c.HubListen)
		} else if c.HubAddress == "" && everywhere(host) {
			refuse("the hub listens on every address: say where planes reach it, nats://host:port")
		}
	}
	if c.HubListen != "" {
		c.secureHub(refuse)
	}
	if c.HubListen == "" {
		if s, err := access.Open("hub", c.HubAddress, c.HubFiles); err != nil {
			wrong = append(wrong, err)
		} else if s.Names {
			refuse("the control plane signs in at the hub by its operator key: --hub takes no user, token or credentials")
		}
	}
	for _, origin := range c.Origins {
		scheme, host, _ := strings.Cut(origin, "://")
		if scheme != "http" && scheme != "https" || host == "" || strings.ContainsAny(host, "/?#@ ") {
			refuse("the origin %q is not a scheme and a host, such as https://weir.example.com", origin)
		}
	}
	switch idle, all := cmp.Or(c.SessionIdle, 12*time.Hour), cmp.Or(c.SessionLifetime, 7*24*time.Hour); {
	case idle < time.Minute:
		refuse("--session-idle %v is too short to work in: give a minute at least", idle)
	case all < idle:
		refuse("--session-lifetime %v ends sessions before --session-idle %v does: give more for it, or less for that", all, idle)
	}
	trusted, err := proxy.Parse(c.TrustedProxies)
	if err != nil {
		wrong = append(wrong, err)
	}
	if c.Out == nil {
		c.Out = os.Stdout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return trusted, errors.Join(wrong...)
}

// secureHub checks what the embedded hub shows of itself, and lets planes reach it by
// TLS when that is something.
func (c *Config) secureHub(refuse func(format string, args ...any)) {
	if c.HubFiles.CA != "" {
		refuse("--hub-ca is for a hub outside: give its address, nats:// or tls://; what the embedded hub shows of itself is --hub-cert and --hub-key")
	}
	if (c.HubFiles.Cert == "") != (c.HubFiles.Key == "") {
		refuse("--hub-cert and --hub-key belong together: the certificate of the hub and its key")
		return
	}
	if _, err := certificate.TLS(c.HubFiles.Cert, c.HubFiles.Key, slog.New(slog.DiscardHandler)); err != nil {
		refuse("%v", err)
	}
	if host, plain := strings.CutPrefix(c.HubAddress, "nats://"); plain && c.HubFiles.Cert != "" {
		c.HubAddress = "tls://" + host
	}
}

// everywhere reports whether a listening host means all of the machine's
// addresses.
func everywhere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}

// origins are the browser origins of the console, for a listener at addr.
func (c *Config) origins(addr net.Addr) []string {
	list := append([]string{}, c.Origins...)
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return list
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && (ip.IsLoopback() || ip.IsUnspecified()):
		list = append(list, "http://127.0.0.1:"+port, "http://localhost:"+port)
	case len(c.Origins) == 0:
		list = append(list, "http://"+addr.String())
	}
	return list
}

// secure reports whether people reach the console by https only.
func (c *Config) secure() bool {
	for _, origin := range c.Origins {
		if !strings.HasPrefix(origin, "https://") {
			return false
		}
	}
	return len(c.Origins) > 0
}

// Package access says how a program reaches NATS servers and who it says it is: TLS
// with the operator's own authorities and a client certificate, and one of user and
// password, a token, an NKEY, or credentials (a JWT and its seed).
//
// It guarantees that what it returns and says holds no password, token or seed.
package access

import (
	"cmp"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"weir/shared/fault"
)

// Files are the paths of what a connection needs beside an address; all may be
// empty. They are read again whenever a connection is made, NKey alone once.
type Files struct {
	CA        string // certificates of authorities, PEM, in place of the system's; TLS is demanded
	Cert, Key string // client certificate and its key, PEM; TLS is demanded
	Creds     string // credentials: a JWT and its seed, as nsc writes them
	NKey      string // seed of an NKEY (SU...)
}

// Server is what a client of NATS needs to connect.
type Server struct {
	Address string        // of all servers, divided by commas, without user and password
	Options []nats.Option // TLS, and who the program says it is
	Names   bool          // Options say who the program is
}

// schemes are the ways to speak to a server; websockets are not among them, since
// proxies cut them.
var schemes = []string{"nats", "tls"}

// Open checks address, nats://host:port or tls://host:port, several divided by
// commas, and files. user:password@ or token@ before one host counts for all.
// option is the name of the setting, such as events; errors name it and those of
// the files, such as --events-ca.
//
// fault.Invalid: an address is none, a file cannot be used, or there is more than
// one way to say who the program is.
func Open(option, address string, files Files) (Server, error) {
	s := Server{}
	user, err := s.split(option, address)
	if err != nil {
		return Server{}, err
	}
	ways := 0
	for _, given := range []bool{user != nil, files.Creds != "", files.NKey != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return Server{}, fault.New(fault.Invalid, "Say in one way who this is: a user or token in --%s, --%s-creds or --%s-nkey.", option, option, option)
	}
	s.Names = ways > 0
	if user != nil {
		s.Options = append(s.Options, userOption(user))
	}
	if files.Creds != "" {
		if err := checkCreds(files.Creds); err != nil {
			return Server{}, wrongFile(option, "creds", files.Creds, err)
		}
		s.Options = append(s.Options, nats.UserCredentials(files.Creds))
	}
	if files.NKey != "" {
		o, err := nats.NkeyOptionFromSeed(files.NKey)
		if err != nil {
			return Server{}, wrongFile(option, "nkey", files.NKey, err)
		}
		s.Options = append(s.Options, o)
	}
	return s, s.addTLS(option, files)
}

func (s *Server) addTLS(option string, files Files) error {
	if (files.Cert == "") != (files.Key == "") {
		return fault.New(fault.Invalid, "--%s-cert and --%s-key belong together: a client certificate and its key.", option, option)
	}
	// An option is applied once here, so that a file that cannot be used is told now.
	probe := nats.GetDefaultOptions()
	if files.CA != "" {
		o := nats.RootCAs(files.CA)
		if err := o(&probe); err != nil {
			return wrongFile(option, "ca", files.CA, err)
		}
		s.Options = append(s.Options, o)
	}
	if files.Cert != "" {
		o := nats.ClientCert(files.Cert, files.Key)
		if err := o(&probe); err != nil {
			return wrongFile(option, "cert", files.Cert, err)
		}
		s.Options = append(s.Options, o)
	}
	return nil
}

// wrongFile says that a file cannot be used. NATS names files in its errors, and
// nothing of what is in them.
func wrongFile(option, kind, path string, err error) error {
	return fault.New(fault.Invalid, "The file %s of --%s-%s cannot be used: %v.", path, option, kind, strings.TrimSuffix(err.Error(), "."))
}

// checkCreds reports whether path holds credentials.
func checkCreds(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if _, err := nkeys.ParseDecoratedJWT(text); err != nil {
		return err
	}
	_, err = nkeys.ParseDecoratedNKey(text)
	return err
}

// split reads the addresses and returns the user in them, nil for none.
func (s *Server) split(option, address string) (*url.Userinfo, error) {
	var user *url.Userinfo
	var clean []string
	for text := range strings.SplitSeq(address, ",") {
		u, err := parse(text)
		if err != nil {
			return nil, fault.New(fault.Invalid, "--%s has %q, which is not nats://host:port or tls://host:port.", option, Redacted(text))
		}
		if u.User != nil {
			if user != nil && user.String() != u.User.String() {
				return nil, fault.New(fault.Invalid, "All servers of --%s take the same user.", option)
			}
			user = u.User
		}
		clean = append(clean, u.Scheme+"://"+u.Host)
	}
	s.Address = strings.Join(clean, ",")
	return user, nil
}

func parse(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	for _, s := range schemes {
		if u.Scheme == s && u.Hostname() != "" && cmp.Or(u.Path, "/") == "/" && u.RawQuery == "" {
			return u, nil
		}
	}
	return nil, fault.New(fault.Invalid, "This is no address of a NATS server.")
}

func userOption(user *url.Userinfo) nats.Option {
	if password, ok := user.Password(); ok {
		return nats.UserInfo(user.Username(), password)
	}
	return nats.Token(user.Username())
}

// Redacted is address without user, password and token, for logs and errors.
func Redacted(address string) string {
	var clean []string
	for text := range strings.SplitSeq(address, ",") {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(text), "://")
		if !ok {
			scheme, rest = "", scheme
		} else {
			scheme += "://"
		}
		// The last @: a password may hold another one that was not escaped. A / before
		// it may belong to a password too.
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = rest[at+1:]
		}
		clean = append(clean, scheme+rest)
	}
	return strings.Join(clean, ",")
}

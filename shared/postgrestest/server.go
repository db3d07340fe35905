// Package postgrestest runs real Postgres servers for tests, and PgBouncers before
// them, from the binaries that are installed. Where there are none, Start and Pool
// say what to install.
package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"weir/shared/servertest"
)

// startDeadline is how long initdb and the server's start may take together; a
// loaded machine needs many times the usual second.
const startDeadline = 2 * time.Minute

// Server is a running Postgres server. Its superuser is postgres, who needs no
// password.
type Server struct {
	bin  string // the folder of its programs
	dir  string // socket, data and log
	port string // of the socket, and of 127.0.0.1 where it listens there
	host string // where it listens beside its socket
	with []string
	servertest.Process
}

// Start runs initdb and a server in a new folder under the system's temporary
// one. It is reached by a unix socket there, and with listen, as host:port, at
// that address too, with parameters such as wal_level=logical. The server dies with
// this process. Close stops it and removes the folder.
func Start(ctx context.Context, listen string, parameters ...string) (*Server, error) {
	host, port := "", "5432"
	if listen != "" {
		var err error
		if host, port, err = net.SplitHostPort(listen); err != nil {
			return nil, fmt.Errorf("where Postgres shall listen: %w", err)
		}
	}
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	dir, err := os.MkdirTemp("", "weir-postgres-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for Postgres: %w", err)
	}
	who, err := owner(dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, port: port, host: host, with: parameters}
	if err := s.init(ctx, who); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := s.run(who); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL returns the address of one of the server's databases.
func (s *Server) URL(database string) string { return URL(s.dir, database) }

// Address returns where a server that listens does so.
func (s *Server) Address() string { return net.JoinHostPort(s.host, s.port) }

// Dir returns the folder with the server's socket.
func (s *Server) Dir() string { return s.dir }

// Close stops the server at once and removes its folder.
func (s *Server) Close() error {
	return errors.Join(s.End(), os.RemoveAll(s.dir))
}

// URL returns the address of a database of the server, without listen, whose
// socket is in dir.
func URL(dir, database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(dir)
}

// binaries returns the folder of the newest installed Postgres.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })
		return filepath.Dir(newest), nil
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	return "", errors.New("these tests need Postgres and found no initdb: apt-get install postgresql")
}

func major(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// owner returns the credential that the server runs with: nil for this user,
// and user postgres when this is root, which Postgres refuses. The folder is
// given to that user.
func owner(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, errors.New("these tests run as root and need the user postgres: apt-get install postgresql")
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user postgres has the odd id %q: %w", u.Uid, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user postgres has the odd group %q: %w", u.Gid, err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, fmt.Errorf("give %s to user postgres: %w", dir, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (s *Server) init(ctx context.Context, who *syscall.Credential) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"),
		"--no-sync", "--locale=C", "--encoding=UTF8", "--auth=trust", "--username=postgres", "--pgdata="+filepath.Join(s.dir, "data"))
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Again stops the server in the midst of its work, as a crash does, and starts it again.
func (s *Server) Again(ctx context.Context) error {
	if err := s.End(); err != nil {
		return err
	}
	who, err := owner(s.dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	return errors.Join(s.run(who), s.await(ctx))
}

func (s *Server) run(who *syscall.Credential) error {
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-p", s.port,
		"-c", "listen_addresses="+s.host, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")
	for _, p := range s.with {
		cmd.Args = append(cmd.Args, "-c", p)
	}
	return s.Process.Start(cmd, s.dir, who, syscall.SIGQUIT) // immediate shutdown, its children too
}

// await asks until the server answers.
func (s *Server) await(ctx context.Context) error {
	for s.Exec(ctx, "postgres", "select 1") != nil {
		select {
		case <-s.Gone():
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("postgres ended:\n%s", text)
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("postgres did not answer: %w\n%s", ctx.Err(), text)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Exec runs a statement in a database as the superuser.
func (s *Server) Exec(ctx context.Context, database, sql string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "psql"), "-X", "-h", s.dir, "-p", s.port, "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Dial connects to the server, whatever the address.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", filepath.Join(s.dir, ".s.PGSQL."+s.port))
}

// Database makes an empty database. Its name is made of letters and digits.
func (s *Server) Database(ctx context.Context, name string) error {
	return s.Exec(ctx, "postgres", `create database "`+name+`"`)
}

// Loopback is an address of this machine alone, on which no other test listens.
func Loopback() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // it never fails
	return fmt.Sprintf("127.%d.%d.%d:5432", b[0], b[1], 1+b[2]/2)
}

// Secure lets a server that listens take connections by TLS there, with a certificate,
// its key and the authority of clients' certificates, PEM texts: of the role withCert by
// a certificate of that name alone, of others by password.
func (s *Server) Secure(ctx context.Context, cert, key, authority, withCert string) error {
	for name, text := range map[string]string{
		"server.crt": cert, "server.key": key, "ca.crt": authority,
		"pg_hba.conf": "local all all trust\nhostssl all " + withCert + " 0.0.0.0/0 cert\nhostssl all all 0.0.0.0/0 scram-sha-256\n",
	} {
		path := filepath.Join(s.dir, "data", name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		if _, err := owner(path); err != nil {
			return err
		}
	}
	for _, q := range []string{
		"alter system set ssl_cert_file = 'server.crt'", "alter system set ssl_key_file = 'server.key'", "alter system set ssl_ca_file = 'ca.crt'",
		"alter system set ssl = on", "select pg_reload_conf()",
	} {
		if err := s.Exec(ctx, "postgres", q); err != nil {
			return err
		}
	}
	// The server reads its files between two connections: a new one tells.
	for s.Exec(ctx, "postgres", "select 1 / (current_setting('ssl') = 'on')::int") != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres takes no TLS: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

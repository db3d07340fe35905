package servertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startDeadline is how long a server may take to be made and to start together; a
// loaded machine needs many times the usual seconds.
const startDeadline = 3 * time.Minute

// MariaDB is a running MariaDB server. Its user root needs no password.
type MariaDB struct {
	dir string // socket, data and log
	Process
}

// StartMariaDB makes a server in a new folder under the system's temporary one. It is
// reached by a unix socket there alone, by TLS too when certificate and key, PEM texts,
// are given, with further arguments. Close stops it and removes the folder.
func StartMariaDB(ctx context.Context, certificate, key string, arguments ...string) (*MariaDB, error) {
	install, err := program("mariadb-install-db", "/usr/bin/mariadb-install-db", "mariadb-server")
	if err != nil {
		return nil, err
	}
	server, err := program("mariadbd", "/usr/sbin/mariadbd", "mariadb-server")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	dir, err := os.MkdirTemp("", "weir-mariadb-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for MariaDB: %w", err)
	}
	s := &MariaDB{dir: dir}
	if err := s.start(ctx, install, server, certificate, key, arguments); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// program finds an installed program.
func program(name, usual, pkg string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	if _, err := os.Stat(usual); err == nil {
		return usual, nil
	}
	return "", fmt.Errorf("these tests need %s: apt-get install %s", name, pkg)
}

func (s *MariaDB) start(ctx context.Context, install, server, certificate, key string, arguments []string) error {
	data := filepath.Join(s.dir, "data")
	var as []string // MariaDB runs as root only where it is told to
	if os.Geteuid() == 0 {
		as = []string{"--user=root"}
	}
	cmd := exec.CommandContext(ctx, install, append([]string{"--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db"}, as...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, bytes.TrimSpace(out))
	}
	args := append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + s.socket(), "--pid-file=" + filepath.Join(s.dir, "pid"), "--skip-networking",
		"--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=64M",
		"--max-connections=200", "--local-infile=1"}, as...)
	if certificate != "" {
		for name, text := range map[string]string{"server.crt": certificate, "server.key": key} {
			if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		args = append(args, "--ssl-cert="+filepath.Join(s.dir, "server.crt"), "--ssl-key="+filepath.Join(s.dir, "server.key"))
	}
	args = append(args, arguments...)
	if err := s.Start(exec.Command(server, args...), s.dir, nil, syscall.SIGKILL); err != nil {
		return fmt.Errorf("start mariadbd: %w", err)
	}
	return nil
}

func (s *MariaDB) socket() string { return filepath.Join(s.dir, "sock") }

// Dial connects to the server, whatever the address.
func (s *MariaDB) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", s.socket())
}

// Exec runs statements as root.
func (s *MariaDB) Exec(ctx context.Context, statements string) error {
	client, err := program("mariadb", "/usr/bin/mariadb", "mariadb-client")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, client, "--no-defaults", "--socket="+s.socket(), "--user=root", "--execute="+statements)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// await asks until the server takes connections and greets.
func (s *MariaDB) await(ctx context.Context) error {
	for {
		conn, err := s.Dial(ctx, "", "")
		if err == nil {
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			_, err = conn.Read(make([]byte, 1)) // the server speaks first
			_ = conn.Close()
		}
		if err == nil {
			return nil
		}
		select {
		case <-s.Gone():
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("mariadbd ended:\n%s", text)
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("mariadbd did not answer: %w\n%s", ctx.Err(), text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Close stops the server at once and removes its folder.
func (s *MariaDB) Close() error { return errors.Join(s.End(), os.RemoveAll(s.dir)) }

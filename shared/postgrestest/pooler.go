package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"weir/shared/servertest"
)

// Pooler is a running PgBouncer before a Server.
type Pooler struct {
	dir string // socket, configuration and log
	servertest.Process
}

// poolerPort is the port in the name of a pooler's socket.
const poolerPort = "6432"

// Pool starts a PgBouncer before the server, without listen, whose socket is in
// server. mode is session or transaction. auth is how it asks for passwords:
// scram-sha-256 or md5, in which form the server has to keep them, or trust, which
// lets postgres in without one. Of each database and user it has few connections, in
// mode transaction two, which its clients share. It dies with this process. Close
// stops it.
func Pool(ctx context.Context, server, mode, auth string) (*Pooler, error) {
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		bin = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(bin); err != nil {
		return nil, errors.New("these tests need PgBouncer: apt-get install pgbouncer")
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	dir, err := os.MkdirTemp("", "weir-pooler-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for PgBouncer: %w", err)
	}
	p := &Pooler{dir: dir}
	if err := p.launch(server, bin, mode, auth); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start pgbouncer: %w", err)
	}
	if err := p.await(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// launch writes the configuration and starts the program.
func (p *Pooler) launch(server, bin, mode, auth string) error {
	who, err := owner(p.dir)
	if err != nil {
		return err
	}
	size := 40
	if mode == "transaction" {
		size = 2
	}
	ini := fmt.Sprintf(`[databases]
* = host=%s port=5432
[pgbouncer]
unix_socket_dir = %s
listen_port = %s
pool_mode = %s
auth_type = %s
auth_user = postgres
auth_file = users
default_pool_size = %d
max_client_conn = 500
`, server, p.dir, poolerPort, mode, auth, size)
	name := filepath.Join(p.dir, "pgbouncer.ini")
	err = errors.Join(os.WriteFile(name, []byte(ini), 0o644), os.WriteFile(filepath.Join(p.dir, "users"), []byte("\"postgres\" \"\"\n"), 0o644))
	if err != nil {
		return err
	}
	return p.Process.Start(exec.Command(bin, name), p.dir, who, syscall.SIGTERM) // at once
}

// await asks until the pooler takes connections.
func (p *Pooler) await(ctx context.Context) error {
	for {
		conn, err := p.Dial(ctx, "", "")
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.Gone():
			text, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			return fmt.Errorf("pgbouncer ended:\n%s", text)
		case <-ctx.Done():
			return fmt.Errorf("pgbouncer did not answer: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Dial connects to the pooler, whatever the address.
func (p *Pooler) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", filepath.Join(p.dir, ".s.PGSQL."+poolerPort))
}

// URL returns the address of a database of the server by way of the pooler.
func (p *Pooler) URL(user, password, database string) string {
	return "postgres://" + url.UserPassword(user, password).String() + "@/" + database + "?port=" + poolerPort + "&host=" + url.QueryEscape(p.dir)
}

// Close stops the pooler and removes its folder.
func (p *Pooler) Close() error { return errors.Join(p.End(), os.RemoveAll(p.dir)) }

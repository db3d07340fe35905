package servertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ClickHouse is a running ClickHouse server. Its user default needs no password and may
// do everything. The users weir1 and so on have the password hush, and see only the
// database of their name, which has to be made.
type ClickHouse struct {
	dir  string // configuration, data and log
	addr string // of its HTTP interface
	Process
}

// StartClickHouse makes a server in a new folder under the system's temporary one, with so
// many users beside default. It speaks HTTP at a port that the system chose. Close stops
// it and removes the folder.
func StartClickHouse(ctx context.Context, users int) (*ClickHouse, error) {
	server, err := program("clickhouse-server", "/usr/sbin/clickhouse-server", "clickhouse-server")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	dir, err := os.MkdirTemp("", "weir-clickhouse-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for ClickHouse: %w", err)
	}
	s := &ClickHouse{dir: dir}
	if err := s.start(ctx, server, users); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *ClickHouse) start(ctx context.Context, server string, users int) error {
	config := fmt.Sprintf(`<yandex><logger><level>warning</level><console>1</console></logger>
<http_port>0</http_port><listen_host>127.0.0.1</listen_host><max_concurrent_queries>400</max_concurrent_queries><keep_alive_timeout>60</keep_alive_timeout>
<path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path><user_files_path>%[1]s/files/</user_files_path><format_schema_path>%[1]s/schemas/</format_schema_path>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>67108864</mark_cache_size><timezone>UTC</timezone></yandex>`, s.dir)
	var list strings.Builder
	list.WriteString(`<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default>`)
	for n := 1; n <= users; n++ {
		fmt.Fprintf(&list, `<weir%[1]d><password>hush</password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota><allow_databases><database>weir%[1]d</database></allow_databases></weir%[1]d>`, n)
	}
	list.WriteString(`</users></yandex>`)
	for name, text := range map[string]string{"config.xml": config, "users.xml": list.String()} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command(server, "--config-file="+filepath.Join(s.dir, "config.xml"))
	if err := s.Start(cmd, s.dir, nil, syscall.SIGKILL); err != nil {
		return fmt.Errorf("start clickhouse-server: %w", err)
	}
	port, err := s.port(ctx, cmd.Process.Pid)
	if err != nil {
		return errors.Join(err, s.End())
	}
	s.addr = fmt.Sprintf("127.0.0.1:%d", port)
	return nil
}

// port waits until the server listens, and returns where.
func (s *ClickHouse) port(ctx context.Context, pid int) (int, error) {
	for {
		if port, ok := listening(pid); ok {
			return port, nil
		}
		if err := s.wait(ctx); err != nil {
			return 0, err
		}
	}
}

// listening finds the only port at which a process listens with TCP for IPv4.
// Source: proc_pid_fd(5), proc_pid_net(5)
func listening(pid int) (port int, ok bool) {
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return 0, false
	}
	own := map[string]bool{}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			own[strings.Trim(to, "socket:[]")] = true
		}
	}
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		return 0, false
	}
	const listens = "0A"
	for line := range bytes.Lines(table) {
		f := strings.Fields(string(line))
		if len(f) < 10 || f[3] != listens || !own[f[9]] {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		if _, err := fmt.Sscanf(hex, "%X", &port); err == nil {
			return port, true
		}
	}
	return 0, false
}

// wait waits a little; an error says that the server ended, or ctx.
func (s *ClickHouse) wait(ctx context.Context) error {
	select {
	case <-s.Gone():
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("clickhouse-server ended:\n%s", text)
	case <-ctx.Done():
		text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("clickhouse-server did not answer: %w\n%s", ctx.Err(), text)
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

// await asks until the server answers.
func (s *ClickHouse) await(ctx context.Context) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/ping", nil)
		if err != nil {
			return err
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
			return nil
		}
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
}

// Dial connects to the server, whatever the address.
func (s *ClickHouse) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", s.addr)
}

// Address is the host and the port of the HTTP interface.
func (s *ClickHouse) Address() string { return s.addr }

// Close stops the server at once and removes its folder.
func (s *ClickHouse) Close() error { return errors.Join(s.End(), os.RemoveAll(s.dir)) }

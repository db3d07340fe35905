package temporal_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program builds the server once, unless make has built it.
var program = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return "", err
	}
	at := filepath.Join(root, "bin", "weir-temporal")
	if _, err := os.Stat(at); err == nil {
		return at, nil
	}
	out, err := exec.Command(filepath.Join(root, "infra", "tools", "temporal.sh")).CombinedOutput()
	if err != nil {
		_, _ = os.Stderr.Write(out)
	}
	return at, err
})

// server is a Temporal server of a test.
type server struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
	stdin   io.Closer
}

// newServer starts a server that ends with the test.
func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir()}
	s.start(0)
	t.Cleanup(s.kill)
	return s
}

// start starts the server on a port, 0 for any. Its parts take ports that were free a
// moment before: when another process was faster, it is started again.
func (s *server) start(port int) {
	s.t.Helper()
	at, err := program()
	if err != nil {
		s.t.Fatal(err)
	}
	for tries := 1; ; tries++ {
		s.cmd = exec.Command(at, "-data-dir", s.dir, "-port", strconv.Itoa(port))
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		s.cmd.Stderr = os.Stderr
		if s.stdin, err = s.cmd.StdinPipe(); err != nil {
			s.t.Fatal(err)
		}
		out, err := s.cmd.StdoutPipe()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := s.cmd.Start(); err != nil {
			s.t.Fatal(err)
		}
		var said struct{ Address string }
		line, err := bufio.NewReader(out).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &said)
		}
		if err == nil {
			s.address = said.Address
			return
		}
		s.kill()
		if tries == 10 {
			s.t.Fatalf("the server does not start: %q %v", line, err)
		}
		time.Sleep(time.Second)
	}
}

// kill kills the server with SIGKILL.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// end lets the server end as it does when who started it dies, so that its file is whole.
func (s *server) end() {
	s.t.Helper()
	_ = s.stdin.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			s.t.Errorf("the server ended with %v", err)
		}
	case <-time.After(2 * time.Minute):
		s.t.Error("the server did not end with its standard input")
	}
}

// at is where the server is.
func (s *server) at(context.Context) (string, error) { return s.address, nil }

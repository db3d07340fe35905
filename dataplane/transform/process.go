package transform

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// Deadlines of the plane's side.
const (
	startDeadline = 20 * time.Second
	grace         = 3 * time.Second // on top of what a request may take
)

// maxHeld is how much code a worker holds, in bytes.
const maxHeld = 32 << 20

// process is a worker process, seen from the plane. One goroutine uses it.
type process struct {
	cmd    *exec.Cmd
	conn   net.Conn
	in     *bufio.Reader
	chains []*Chain // that it holds, the one used last at the end
	unhook func() bool
}

// start starts a worker and waits until it is ready. Its environment is empty,
// its output goes nowhere, its memory is limited by the kernel, and it ends with
// the plane (these two on Linux; elsewhere it ends with its socket).
func start(command []string, l limits) (*process, error) {
	fds, err := socketpair()
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "plane")
	conn, err := net.FileConn(ours)
	_ = ours.Close() // conn has its own
	if err != nil {
		_ = theirs.Close()
		return nil, fmt.Errorf("the worker's socket: %w", err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = attributes()
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	p := &process{cmd: cmd, conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
	if err := p.greet(l); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// greet limits the process, tells it its limits and waits for its answer.
func (p *process) greet(l limits) error {
	if err := confine(p.cmd.Process.Pid, uint64(2*l.Memory)+512<<20); err != nil {
		return err
	}
	kind, _, err := p.ask(l.frame(), startDeadline)
	if err != nil {
		return fmt.Errorf("greet a worker: %w", err)
	}
	if kind != frameReady {
		return errFrame
	}
	return nil
}

// ask sends a frame and waits for the answer.
func (p *process) ask(w *writer, most time.Duration) (kind byte, body []byte, err error) {
	if err := p.conn.SetDeadline(time.Now().Add(most)); err != nil {
		return 0, nil, err
	}
	if err := w.send(p.conn); err != nil {
		return 0, nil, err
	}
	return receive(p.in)
}

// run has a request run. Any error means that the process is no longer of use.
func (p *process) run(c *Chain, q *request, l limits) (response, error) {
	most := grace + 2*slice + patience*l.Timeout*time.Duration(len(c.steps))
	if err := p.define(c, most); err != nil {
		return response{}, err
	}
	kind, body, err := p.ask(q.frame(), most)
	if err != nil {
		return response{}, err
	}
	if kind != frameDone {
		return response{}, errFrame
	}
	return readResponse(body, len(q.events), len(c.steps), l.MaxOutputs)
}

// define makes sure that the process has the code of a chain.
func (p *process) define(c *Chain, most time.Duration) error {
	if i := slices.IndexFunc(p.chains, func(o *Chain) bool { return o.Key == c.Key }); i >= 0 {
		p.chains = append(slices.Delete(p.chains, i, i+1), c)
		return nil
	}
	if err := p.conn.SetDeadline(time.Now().Add(most)); err != nil {
		return err
	}
	held := c.size
	for _, o := range p.chains {
		held += o.size
	}
	for held > maxHeld && len(p.chains) > 0 {
		w := newFrame(frameForget)
		w.text(p.chains[0].Key)
		if err := w.send(p.conn); err != nil {
			return err
		}
		held -= p.chains[0].size
		p.chains = slices.Delete(p.chains, 0, 1)
	}
	p.chains = append(p.chains, c)
	return defineFrame(c.Key, c.steps).send(p.conn)
}

// death is how a worker ended.
type death uint8

const (
	deathOwn     death = iota // by what it ran
	deathLate                 // it did not answer, or ended because its code did not
	deathOutside              // somebody else killed it
)

// stop ends the process and waits for it.
func (p *process) stop() {
	p.unhooked()
	_ = p.conn.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // how it ended is in ProcessState
}

// unhooked takes back what was to happen at the end of Run.
func (p *process) unhooked() {
	if p.unhook != nil {
		p.unhook()
	}
}

// fate ends a process that gave err instead of an answer, and says how it died.
func (p *process) fate(err error) death {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errFrame) {
		p.stop()
		if errors.Is(err, errFrame) {
			return deathOwn
		}
		return deathLate
	}
	// The socket ended, so the process is ending by itself.
	p.unhooked()
	waited := make(chan struct{})
	kill := time.AfterFunc(time.Second, func() { _ = p.cmd.Process.Kill(); close(waited) })
	_ = p.conn.Close()
	_ = p.cmd.Wait()
	if !kill.Stop() {
		<-waited
		return deathOwn
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return deathOutside
	case ok && status.Exited() && status.ExitStatus() == exitLate:
		return deathLate
	}
	return deathOwn
}

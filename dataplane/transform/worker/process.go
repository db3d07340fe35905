package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"weir/dataplane/transform/engine"
)

// Deadlines of the plane's side.
const (
	startDeadline = 20 * time.Second
	grace         = 3 * time.Second // on top of what a request may take
)

// maxHeld is how much code a worker holds, in bytes.
const maxHeld = 32 << 20

// Process is a worker process, seen from the plane. One goroutine uses it.
type Process struct {
	cmd    *exec.Cmd
	conn   net.Conn
	in     *bufio.Reader
	limits engine.Limits
	chains []Chain // that it holds, the one used last at the end
	unhook func() bool
}

// Start starts a worker, argv command, and waits until it is ready. Its
// environment is empty, its output goes nowhere, its memory is limited by the
// kernel, and it ends with the plane (these two on Linux; elsewhere it ends with
// its socket). Once ctx ends, Run fails at once.
func Start(ctx context.Context, command []string, l engine.Limits) (*Process, error) {
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
	p := &Process{cmd: cmd, conn: conn, in: bufio.NewReaderSize(conn, 64<<10), limits: l}
	if err := p.handshake(); err != nil {
		p.Stop()
		return nil, err
	}
	p.unhook = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return p, nil
}

// handshake limits the process, tells it its limits and waits for its answer.
func (p *Process) handshake() error {
	if err := confine(p.cmd.Process.Pid, uint64(2*p.limits.Memory)+512<<20); err != nil {
		return err
	}
	kind, _, err := p.ask(helloFrame(p.limits), startDeadline)
	if err != nil {
		return fmt.Errorf("a worker's handshake: %w", err)
	}
	if kind != frameReady {
		return errFrame
	}
	return nil
}

// ask sends a frame and waits for the answer.
func (p *Process) ask(w *writer, most time.Duration) (kind byte, body []byte, err error) {
	if err := p.conn.SetDeadline(time.Now().Add(most)); err != nil {
		return 0, nil, err
	}
	if err := w.send(p.conn); err != nil {
		return 0, nil, err
	}
	return receive(p.in)
}

// Run has a request run. Any error means that the process is no longer of use and
// that nothing is known of the events; Died or Stop has to be called then.
func (p *Process) Run(c Chain, q Request) (Response, error) {
	most := grace + 2*slice + engine.WallFactor*p.limits.Timeout*time.Duration(len(c.Steps))
	if err := p.define(c, most); err != nil {
		return Response{}, err
	}
	kind, body, err := p.ask(q.frame(c.Key), most)
	if err != nil {
		return Response{}, err
	}
	if kind != frameDone {
		return Response{}, errFrame
	}
	return readResponse(body, len(q.Events), len(c.Steps), p.limits.MaxOutputs)
}

// define makes sure that the process has the code of a chain.
func (p *Process) define(c Chain, most time.Duration) error {
	if i := slices.IndexFunc(p.chains, func(o Chain) bool { return o.Key == c.Key }); i >= 0 {
		p.chains = append(slices.Delete(p.chains, i, i+1), c)
		return nil
	}
	if err := p.conn.SetDeadline(time.Now().Add(most)); err != nil {
		return err
	}
	held := c.Size
	for _, o := range p.chains {
		held += o.Size
	}
	for held > maxHeld && len(p.chains) > 0 {
		w := newFrame(frameForget)
		w.text(p.chains[0].Key)
		if err := w.send(p.conn); err != nil {
			return err
		}
		held -= p.chains[0].Size
		p.chains = slices.Delete(p.chains, 0, 1)
	}
	p.chains = append(p.chains, c)
	return defineFrame(c.Key, c.Steps).send(p.conn)
}

// Stop ends the process and waits for it.
func (p *Process) Stop() {
	p.release()
	_ = p.conn.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // how it ended is in ProcessState
}

// release ends the wait for the end of Start's ctx.
func (p *Process) release() {
	if p.unhook != nil {
		p.unhook()
	}
}

// Death is how a worker ended.
type Death uint8

// The ways in which a worker ends.
const (
	DeathOwn     Death = iota // by what it ran
	DeathLate                 // it did not answer, or ended because its code did not
	DeathOutside              // somebody else killed it
)

// Died ends a process whose Run returned err and says how it died.
func (p *Process) Died(err error) Death {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errFrame) {
		p.Stop()
		if errors.Is(err, errFrame) {
			return DeathOwn
		}
		return DeathLate
	}
	// The socket ended, so the process is ending by itself.
	p.release()
	waited := make(chan struct{})
	kill := time.AfterFunc(time.Second, func() { _ = p.cmd.Process.Kill(); close(waited) })
	_ = p.conn.Close()
	_ = p.cmd.Wait()
	if !kill.Stop() {
		<-waited
		return DeathOwn
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return DeathOutside
	case ok && status.Exited() && status.ExitStatus() == exitLate:
		return DeathLate
	}
	return DeathOwn
}

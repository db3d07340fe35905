package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"weir/shared/fault"
)

// Limits are what the kernel holds a process to. Zero means no limit of that kind.
type Limits struct {
	Memory   int64         // bytes of data, the heap and stacks of all threads
	CPU      time.Duration // of all threads together, in whole seconds
	Files    int           // open at once
	FileSize int64         // bytes of one file that it writes
	Nice     int           // how far it stands back for others, 0 to 19
}

// Process is a worker process, seen from the parent. One goroutine uses it.
type Process struct {
	cmd    *exec.Cmd
	conn   net.Conn
	in     *bufio.Reader
	limits Limits
	unhook func() bool
	once   sync.Once
}

// Command is the hidden command of a program that calls Tasks.Serve with the
// argument behind it, which names the task.
const Command = "worker"

// Self is the argv that runs a task in a process of this program, as it is now
// also when its file was replaced. fault.Internal: this process is a worker itself,
// or cannot find its program.
func Self(task string) ([]string, error) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		// A program that does not know the command runs as usual, and would start itself again and again.
		return nil, fault.New(fault.Internal, "This program was started as a worker and does not serve as one.")
	}
	program, err := self()
	if err != nil {
		return nil, fault.New(fault.Internal, "The path of this program cannot be told: %v.", err)
	}
	return []string{program, Command, task}, nil
}

// Start starts a process, argv command. It is held to l before it is given
// anything. Once ctx ends it is killed, and what speaks with it fails at once.
func Start(ctx context.Context, command []string, l Limits) (*Process, error) {
	if err := keep(); err != nil {
		return nil, err
	}
	fds, err := socketpair()
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "parent")
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
	if err := confine(cmd.Process.Pid, l); err != nil {
		p.Stop()
		return nil, err
	}
	p.unhook = context.AfterFunc(ctx, func() {
		_ = cmd.Process.Kill()
		_ = conn.Close()
	})
	return p, nil
}

// Within sets how long the next Writes and Receives may take, all together.
func (p *Process) Within(most time.Duration) error { return p.conn.SetDeadline(time.Now().Add(most)) }

// Write sends bytes of frames to the process.
func (p *Process) Write(b []byte) (int, error) { return p.conn.Write(b) }

// Receive reads a frame as the function does. Any error means that the process is
// no longer of use; Died or Stop has to be called then.
func (p *Process) Receive(most int) (kind byte, body []byte, err error) { return Receive(p.in, most) }

// Stop ends the process and waits for it. It may be repeated.
func (p *Process) Stop() {
	p.once.Do(func() {
		p.release()
		_ = p.conn.Close()
		_ = kill(p.cmd.Process)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	})
}

// release ends the wait for the end of Start's ctx.
func (p *Process) release() {
	if p.unhook != nil {
		p.unhook()
	}
}

// CPU is how much processor time a process took that has ended.
func (p *Process) CPU() time.Duration {
	if s := p.cmd.ProcessState; s != nil {
		return s.UserTime() + s.SystemTime()
	}
	return 0
}

// Death is how a process ended.
type Death uint8

// The ways in which a process ends.
const (
	DeathOwn     Death = iota // by what it ran
	DeathLate                 // it did not answer in time, or had no more processor time
	DeathOutside              // somebody else killed it
)

// ExitLate is the exit code of a task that ends because what it runs does not.
const ExitLate = 3

// Died ends a process with which speaking failed with err, and says how it died.
func (p *Process) Died(err error) Death {
	switch {
	case errors.Is(err, ErrFrame):
		p.Stop()
		return DeathOwn
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.Stop()
		return DeathLate
	}
	// The socket ended, so the process is ending by itself.
	ended := true
	p.once.Do(func() {
		p.release()
		waited := make(chan struct{})
		timer := time.AfterFunc(time.Second, func() { _ = p.cmd.Process.Kill(); close(waited) })
		_ = p.conn.Close()
		_ = p.cmd.Wait()
		if ended = timer.Stop(); !ended {
			<-waited
		}
	})
	if !ended {
		return DeathOwn
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		if p.limits.CPU > 0 && p.CPU() >= p.limits.CPU-sampled(p.limits.CPU) {
			return DeathLate
		}
		return DeathOutside
	case ok && status.Exited() && status.ExitStatus() == ExitLate:
		return DeathLate
	}
	return DeathOwn
}

// sampled is by how much the kernel's count of processor time for a limit, which it
// takes by looking at each tick of its clock, may be ahead of the time that was used.
func sampled(limit time.Duration) time.Duration { return limit/10 + 500*time.Millisecond }

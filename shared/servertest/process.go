// Package servertest runs real servers for tests, from the binaries that are installed.
// Where there are none, it says what to install. Servers die with the process that
// started them.
package servertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// Process is a running program, which dies with this one.
type Process struct {
	stop chan struct{}
	gone chan struct{} // closed when it ended
	done chan error
}

// Gone is closed when the program ended.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// Start runs cmd in dir as who, with its output in the file log there. halt is the
// signal that ends it.
func (p *Process) Start(cmd *exec.Cmd, dir string, who *syscall.Credential, halt syscall.Signal) error {
	p.stop, p.gone, p.done = make(chan struct{}), make(chan struct{}), make(chan error, 1)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go p.hold(cmd, filepath.Join(dir, "log"), halt, started)
	return <-started
}

// End stops the program and waits for it; that it ended before is an error.
func (p *Process) End() error {
	close(p.stop)
	return <-p.done
}

// hold starts the program and waits for it. It holds its thread until the program
// ended, because the program is killed when the thread that started it ends.
func (p *Process) hold(cmd *exec.Cmd, output string, halt syscall.Signal, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	log, err := os.Create(output)
	if err != nil {
		started <- err
		return
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	exited := make(chan error, 1)
	go func() {
		exited <- cmd.Wait()
		close(p.gone)
	}()
	select {
	case <-p.stop:
		_ = cmd.Process.Signal(halt)
		<-exited
		p.done <- nil
	case err := <-exited:
		<-p.stop
		p.done <- fmt.Errorf("%s ended by itself: %w", filepath.Base(cmd.Path), err)
	}
}

// Package process starts processes, ends them, and reads what they take: CPU time,
// memory, and bytes written to disk.
package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// keepLines is how many of a child's lines on stderr are kept.
const keepLines = 40

// Process is a process that this one started and ends. It is killed when this one
// dies. The zero value is a process that runs.
type Process struct {
	Name    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	started time.Time
	found   chan line // the first line on stdout that was waited for
	done    chan struct{}
	err     error // after done

	mu     sync.Mutex
	logged []string // the first lines on stderr
	more   int      // how many came after them
}

type line struct {
	text string
	at   time.Time
}

// Start starts cmd in a process group of its own, and looks on its standard
// output for a line that wanted accepts.
func Start(name string, cmd *exec.Cmd, wanted func(string) bool) (*Process, error) {
	c := &Process{Name: name, cmd: cmd, found: make(chan line, 1), done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Env = append(cmd.Environ(), "NO_COLOR=1")
	cmd.WaitDelay = 2 * time.Second // for output that a grandchild holds open
	var once sync.Once
	cmd.Stdout = &lines{each: func(text string) {
		if wanted(text) {
			once.Do(func() { c.found <- line{text, time.Now()} })
		}
	}}
	cmd.Stderr = &lines{each: c.log}
	var err error
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.started = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

func (c *Process) log(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.logged) < keepLines {
		c.logged = append(c.logged, text)
	} else {
		c.more++
	}
}

// Stderr returns the first lines on stderr and says how many followed.
func (c *Process) Stderr() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := append([]string(nil), c.logged...)
	if c.more > 0 {
		out = append(out, fmt.Sprintf("... and %d lines more", c.more))
	}
	return out
}

// Await waits for the wanted line and returns it and how long after the start it came.
func (c *Process) Await(ctx context.Context, most time.Duration) (string, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	select {
	case l := <-c.found:
		return l.text, l.at.Sub(c.started), nil
	case <-c.done:
		return "", 0, fmt.Errorf("%s ended before it was ready (%v):\n%s", c.Name, c.err, strings.Join(c.Stderr(), "\n"))
	case <-ctx.Done():
		return "", 0, fmt.Errorf("%s was not ready after %v:\n%s", c.Name, time.Since(c.started).Round(time.Second), strings.Join(c.Stderr(), "\n"))
	}
}

// PID returns the number of the process.
func (c *Process) PID() int { return c.cmd.Process.Pid }

// Err returns how a process ended that is not alive.
func (c *Process) Err() error { return c.err }

// Alive says whether the process has not ended yet.
func (c *Process) Alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// Stop asks the process to end, kills its group when it does not within grace,
// and waits for it. It returns how it ended; "" is well.
func (c *Process) Stop(grace time.Duration) string {
	if !c.Alive() {
		return fmt.Sprintf("%s had ended by itself: %v", c.Name, c.err)
	}
	_ = c.stdin.Close()
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // what is left of its group
		if c.err != nil {
			return fmt.Sprintf("%s after SIGTERM: %v", c.Name, c.err)
		}
		return ""
	case <-time.After(grace):
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		<-c.done
		return fmt.Sprintf("%s did not end within %v after SIGTERM and was killed", c.Name, grace)
	}
}

// lines is a writer that hands over whole lines. A line over a MiB is cut.
type lines struct {
	each func(string)
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 {
			break
		}
		l.each(string(l.rest[:i]))
		l.rest = l.rest[i+1:]
	}
	if len(l.rest) > 1<<20 {
		l.each(string(l.rest))
		l.rest = nil
	}
	return len(p), nil
}

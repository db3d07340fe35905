package connector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/worker"
)

// Task is the name of the task that prepares a connector's surroundings and starts it there.
const Task = "connector"

// Work is the connector's scratch directory, as it sees it. Its files are there.
const Work = "/work"

// Run is one start of a connector.
type Run struct {
	Name     string // of the connector
	Log      string // names the file for its stderr: letters, digits, '-', '_' and '.'
	Args     []string
	Files    map[string][]byte // by name, in Work; readable by their owner alone
	Secrets  []string          // values that must not stand in the log
	Manifest Manifest          // as Find returned it
}

// Exit is how a connector ended.
type Exit struct {
	Code   int    `json:"code"`             // 0: as it should
	Signal int    `json:"signal,omitempty"` // that ended it
	Over   string `json:"over,omitempty"`   // the bound that it broke: memory, processor time or processes
	Failed string `json:"failed,omitempty"` // what could not be prepared, so that it never ran
}

// launch is what the parent tells the task.
type launch struct {
	Root    string // an empty directory
	Dir     string // the connector's folder
	Command []string
	Files   map[string][]byte
	Paths   []string
	Proxy   bool

	Memory, Scratch int64
	CPU             time.Duration
	Processes       int
}

// How long the start may take, and how long a message of the task may be.
const (
	prepareTime = 2 * time.Minute
	mostMessage = 64 << 10
	slotTime    = 2 * time.Second
)

// Kinds of messages between parent and task.
const (
	msgLaunch = 'l'
	msgExit   = 'x'
)

// Process is a connector that runs. Its Reader is what it writes to stdout.
type Process struct {
	io.Reader
	stop func()
	done chan struct{}
	exit Exit
	err  error
}

// Stop ends the connector and all that it started, and waits for that.
func (p *Process) Stop() {
	p.stop()
	<-p.done
}

// Wait waits for the end and says how it was. An error means that it is not known: the
// connector was stopped, or killed together with the task that started it.
func (p *Process) Wait() (Exit, error) {
	<-p.done
	return p.exit, p.err
}

// Start starts a connector, until ctx ends or Stop is called. fault.Limited: too many run.
// fault.Unavailable: this machine does not let it be confined; the text says what is missing.
func (f *Folder) Start(ctx context.Context, r Run) (*Process, error) {
	timer := time.NewTimer(slotTime)
	defer timer.Stop()
	select {
	case f.slots <- struct{}{}:
	case <-timer.C:
		return nil, fault.New(fault.Limited, "As many connectors run on this data plane as may.")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p, err := f.start(ctx, r)
	if err != nil {
		<-f.slots
		return nil, err
	}
	return p, nil
}

func (f *Folder) start(ctx context.Context, r Run) (*Process, error) {
	command, err := worker.Self(Task)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Join(f.cfg.Dir, r.Name))
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fault.New(fault.Missing, "The folder of the connector %s is gone.", r.Name)
	}
	root, err := os.MkdirTemp("", "weir-connector-")
	if err != nil {
		return nil, fmt.Errorf("a directory to mount on: %w", err)
	}
	logs, err := f.open(r)
	if err != nil {
		_ = os.Remove(root)
		return nil, err
	}
	cmd, conn, pipes, err := spawn(command)
	if err != nil {
		_ = logs.Close()
		_ = os.Remove(root)
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Kill() // the first process of its namespace: all others end with it
		_ = conn.Close()
	})
	p := &Process{Reader: &paced{from: pipes.out, most: r.Manifest.Output << 20, began: time.Now(), ended: ctx.Done()}, done: make(chan struct{}), stop: func() {
		cancel()
		_ = pipes.out.Close()
	}}
	var beside sync.WaitGroup
	beside.Go(func() { logs.copy(pipes.err) })
	ended := func() {
		cancel()
		unhook()
		_ = conn.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		beside.Wait()
		_ = pipes.err.Close()
		_ = logs.Close()
		_ = os.Remove(root)
	}
	listener, err := begin(conn, launch{
		Root: root, Dir: dir, Command: append(append([]string{}, r.Manifest.Command...), r.Args...), Files: r.Files, Paths: r.Manifest.Paths,
		Proxy:  len(r.Manifest.Hosts) > 0,
		Memory: r.Manifest.MemoryMiB << 20, Scratch: r.Manifest.ScratchMiB << 20, CPU: r.Manifest.CPU, Processes: r.Manifest.Processes,
	})
	if err != nil {
		ended()
		_ = pipes.out.Close()
		return nil, err
	}
	if listener != nil {
		beside.Go(func() { f.serve(ctx, listener, &r.Manifest) })
	}
	go func() { // ends with the task, which ends with ctx
		p.exit, p.err = outcome(conn)
		ended()
		<-f.slots
		close(p.done)
	}()
	return p, nil
}

// outcome waits for the message of the end.
func outcome(conn net.Conn) (Exit, error) {
	kind, body, err := worker.Receive(conn, mostMessage)
	if err != nil {
		return Exit{}, fmt.Errorf("the end of a connector: %w", err)
	}
	return exitOf(kind, body)
}

// open opens the file for the stderr of a run, and keeps that of the run before.
func (f *Folder) open(r Run) (*record, error) {
	if f.cfg.Logs == "" {
		return &record{}, nil
	}
	if err := os.MkdirAll(f.cfg.Logs, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for logs of connectors: %w", err)
	}
	name := filepath.Join(f.cfg.Logs, filepath.Base(r.Log)+".log")
	if err := durable.Rename(name, name+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("keep the log of a connector: %w", err)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the log of a connector: %w", err)
	}
	return newRecord(file, r.Secrets), nil
}

// environment are the variables of a connector; proxy is the port of the plane's proxy.
func environment(proxy int) []string {
	all := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + Work, "TMPDIR=" + Work, "LANG=C.UTF-8", "TZ=UTC", "PYTHONUNBUFFERED=1"}
	if proxy == 0 {
		return all
	}
	at := "http://127.0.0.1:" + strconv.Itoa(proxy)
	return append(all, "HTTP_PROXY="+at, "HTTPS_PROXY="+at, "http_proxy="+at, "https_proxy="+at, "NODE_USE_ENV_PROXY=1")
}

package worker

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
)

// Command is the hidden command of a binary that calls Serve(3).
const Command = "transform-worker"

// exitLate is how a worker ends whose machine does not react to interrupts.
const exitLate = 3

// Serve is what a worker process runs: it serves the plane on the socket fd until
// the plane closes it, and returns then.
func Serve(fd uintptr) error {
	runtime.GOMAXPROCS(2) // one runs code, one watches it
	debug.SetMemoryLimit(128 << 20)
	debug.SetGCPercent(200)
	time.Local = time.UTC
	file := os.NewFile(fd, "plane")
	if file == nil {
		return fmt.Errorf("descriptor %d: %w", fd, os.ErrInvalid)
	}
	conn, err := net.FileConn(file)
	if err != nil {
		return fmt.Errorf("the plane's socket: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("the plane's socket: %w", err)
	}
	type frame struct {
		kind byte
		body []byte
	}
	frames := make(chan frame)
	ended := make(chan error, 1)
	go func() { // ends with the socket; the plane's end is heard while code runs
		in := bufio.NewReaderSize(conn, 64<<10)
		for {
			kind, body, err := receive(in)
			if err != nil {
				ended <- err
				return
			}
			frames <- frame{kind, body}
		}
	}()
	go func() {
		s := server{chains: map[string][]script.Step{}}
		for f := range frames {
			answer, err := s.serve(f.kind, f.body)
			if err == nil && answer != nil {
				err = answer.send(conn)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	<-ended
	return nil
}

// server is the state of a worker process.
type server struct {
	limits   engine.Limits
	chains   map[string][]script.Step
	machines *machines // nil before frameHello
	restorer engine.Restorer
}

// serve handles one frame and returns the answer, nil for none.
func (s *server) serve(kind byte, body []byte) (*writer, error) {
	switch kind {
	case frameHello:
		l, err := readLimits(body)
		if err != nil {
			return nil, err
		}
		e, err := engine.New(l, func() { os.Exit(exitLate) })
		if err != nil {
			return nil, err
		}
		s.limits, s.machines = l, newMachines(e)
		return newFrame(frameReady), nil
	case frameDefine:
		key, steps, err := readDefine(body)
		s.chains[key] = steps
		return nil, err
	case frameForget:
		r := reader{b: body}
		key := r.text()
		delete(s.chains, key)
		if s.machines != nil {
			s.machines.forget(key)
		}
		return nil, r.end()
	case frameRun:
		key, q, err := readRequest(body)
		if err != nil {
			return nil, err
		}
		steps, ok := s.chains[key]
		if !ok || len(q.Events) == 0 || s.machines == nil {
			return nil, errFrame
		}
		r := run{server: s, Request: q, chain: key, steps: steps}
		return r.all().frame(), nil
	}
	return nil, errFrame
}

package worker

import (
	"bufio"
	"net"
	"os"
	"runtime"
	"runtime/debug"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
	child "weir/shared/worker"
)

// Task is the name under which a program runs Serve in a worker process.
const Task = "transform"

// Serve is what a worker process runs: it serves the plane until the plane closes
// conn, and returns then.
func Serve(conn net.Conn) error {
	runtime.GOMAXPROCS(2) // one runs code, one watches it
	debug.SetMemoryLimit(128 << 20)
	debug.SetGCPercent(200)
	type frame struct {
		kind byte
		body []byte
	}
	frames := make(chan frame)
	ended := make(chan error, 1)
	go func() { // ends with the socket; the plane's end is heard while code runs
		in := bufio.NewReaderSize(conn, 64<<10)
		for {
			kind, body, err := child.Receive(in, maxFrame)
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
		e, err := engine.New(l, func() { os.Exit(child.ExitLate) })
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
			return nil, child.ErrFrame
		}
		r := run{server: s, Request: q, chain: key, steps: steps}
		return r.all().frame(), nil
	}
	return nil, child.ErrFrame
}

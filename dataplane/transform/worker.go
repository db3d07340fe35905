package transform

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"weir/shared/id"
	"weir/shared/script"
)

// Bounds of a worker.
const (
	maxMachines = 200                    // kept at once
	maxResident = 256 << 20              // bytes; above it machines are closed, and at last the worker
	slice       = 100 * time.Millisecond // after which a request is answered in part, so that others get their turn
	maxFan      = 8 << 20                // bytes that one event may become
	maxAnswer   = 16 << 20               // bytes of outputs after which a request is answered in part
)

// ServeWorker is what a worker process runs: it serves the plane on the socket
// fd until the plane closes it, and returns then.
func ServeWorker(fd uintptr) error {
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
	own, err := newBytecode()
	if err != nil {
		return err
	}
	w := worker{own: own, chains: map[string][]script.Step{}, machines: map[machineKey]*machine{}, doubted: map[machineKey]time.Time{}}
	frames := make(chan frameIn)
	ended := make(chan error, 1)
	go func() { // ends with the socket; the plane's end is heard while code runs
		in := bufio.NewReaderSize(conn, 64<<10)
		for {
			kind, body, err := receive(in)
			if err != nil {
				ended <- err
				return
			}
			frames <- frameIn{kind, body}
		}
	}()
	go func() {
		for f := range frames {
			answer, err := w.serve(f.kind, f.body)
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

// frameIn is a frame that came.
type frameIn struct {
	kind byte
	body []byte
}

// machineKey says for whom a machine works. State that code keeps is shared by
// no two of them.
type machineKey struct {
	chain       string
	step        int
	workspace   id.Workspace
	source      id.Source
	destination id.Destination
}

// worker is the state of a worker process.
type worker struct {
	own      bytecode
	limits   limits
	chains   map[string][]script.Step
	machines map[machineKey]*machine
	recent   []machineKey             // machines, the one used last at the end
	doubted  map[machineKey]time.Time // when the next doubt is allowed, less the burst
	restorer restorer
}

// A machine may be replaced because an event failed that was not the first in
// it, so many times at once and, for one that fails all the time, so often.
const (
	doubtBurst = 8
	doubtEvery = 50 * time.Millisecond
)

// doubt reports whether the failure of an event in a used machine should be
// looked at again in a new one: an event before it may have broken what all
// share, such as a prototype.
func (w *worker) doubt(k machineKey) bool {
	if len(w.doubted) > 10*maxMachines {
		clear(w.doubted)
	}
	now := time.Now()
	next := w.doubted[k]
	if first := now.Add(-(doubtBurst - 1) * doubtEvery); next.Before(first) {
		next = first
	}
	if next.After(now) {
		return false
	}
	w.doubted[k] = next.Add(doubtEvery)
	return true
}

// serve handles one frame and returns the answer, nil for none.
func (w *worker) serve(kind byte, body []byte) (*writer, error) {
	switch kind {
	case frameHello:
		l, err := readLimits(body)
		w.limits = l
		return newFrame(frameReady), err
	case frameDefine:
		key, steps, err := readDefine(body)
		w.chains[key] = steps
		return nil, err
	case frameForget:
		r := reader{b: body}
		key := r.text()
		delete(w.chains, key)
		for k := range w.machines {
			if k.chain == key {
				w.drop(k)
			}
		}
		return nil, r.end()
	case frameRun:
		q, err := readRequest(body)
		if err != nil {
			return nil, err
		}
		steps, ok := w.chains[q.chain]
		if !ok || len(q.events) == 0 {
			return nil, errFrame
		}
		r := run{worker: w, request: q, steps: steps}
		return r.all().frame(), nil
	}
	return nil, errFrame
}

// machine returns the machine of a key, built when there is none.
func (w *worker) machine(k machineKey, step script.Step) (*machine, error) {
	if m, ok := w.machines[k]; ok {
		if m.uses < maxUses {
			w.used(k)
			return m, nil
		}
		w.drop(k)
	}
	if len(w.machines) >= maxMachines {
		w.drop(w.recent[0])
	}
	m, err := newMachine(w.own, step, w.limits)
	if err != nil {
		return nil, err
	}
	w.machines[k] = m
	w.recent = append(w.recent, k)
	return m, nil
}

// used moves k to the end of recent.
func (w *worker) used(k machineKey) {
	n := len(w.recent) - 1
	if w.recent[n] == k {
		return
	}
	for i, r := range w.recent {
		if r == k {
			copy(w.recent[i:], w.recent[i+1:])
			w.recent[n] = k
			return
		}
	}
}

// drop closes a machine.
func (w *worker) drop(k machineKey) {
	m, ok := w.machines[k]
	if !ok {
		return
	}
	delete(w.machines, k)
	for i, r := range w.recent {
		if r == k {
			w.recent = append(w.recent[:i], w.recent[i+1:]...)
			break
		}
	}
	m.close()
}

// lighten closes machines, the longest unused first, while the process is large.
// False: it is large without them, and should end.
func (w *worker) lighten() bool {
	size := resident()
	for len(w.recent) > 0 && size > maxResident {
		w.drop(w.recent[0])
		size = resident()
	}
	if size > maxResident { // what the engine freed, but for the plane's own side
		debug.FreeOSMemory()
		size = resident()
	}
	return size <= maxResident
}

// resident is the memory of this process that is its own, in bytes; 0 when that
// cannot be told.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages, shared int64
	if _, err := fmt.Sscan(string(text), &size, &pages, &shared); err != nil {
		return 0
	}
	return (pages - shared) * int64(os.Getpagesize())
}

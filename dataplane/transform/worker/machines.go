package worker

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"

	"weir/dataplane/transform/engine"
	"weir/shared/id"
	"weir/shared/script"
)

// Bounds of the machines of a worker.
const (
	maxMachines = 200       // kept at once
	maxResident = 256 << 20 // bytes; above it machines are closed, and at last the worker
)

// machineKey says for whom a machine works.
type machineKey struct {
	chain       string
	step        int
	workspace   id.Workspace
	source      id.Source
	destination id.Destination
}

// machines are the machines of a worker.
type machines struct {
	engine *engine.Engine
	open   map[machineKey]*engine.Machine
	recent []machineKey // of open, the one used last at the end
}

func newMachines(e *engine.Engine) *machines {
	return &machines{engine: e, open: map[machineKey]*engine.Machine{}}
}

// of returns the machine of a key, made when there is none.
func (ms *machines) of(k machineKey, step script.Step) (*engine.Machine, error) {
	if m, ok := ms.open[k]; ok {
		ms.used(k)
		return m, nil
	}
	if len(ms.open) >= maxMachines {
		ms.drop(ms.recent[0])
	}
	m, err := ms.engine.Machine(step)
	if err != nil {
		return nil, err
	}
	ms.open[k] = m
	ms.recent = append(ms.recent, k)
	return m, nil
}

// used moves k to the end of recent.
func (ms *machines) used(k machineKey) {
	if n := len(ms.recent) - 1; ms.recent[n] != k {
		i := slices.Index(ms.recent, k)
		ms.recent = append(slices.Delete(ms.recent, i, i+1), k)
	}
}

// drop closes a machine, if there is one.
func (ms *machines) drop(k machineKey) {
	m, ok := ms.open[k]
	if !ok {
		return
	}
	delete(ms.open, k)
	i := slices.Index(ms.recent, k)
	ms.recent = slices.Delete(ms.recent, i, i+1)
	m.Close()
}

// forget closes the machines of a chain.
func (ms *machines) forget(chain string) {
	for k := range ms.open {
		if k.chain == chain {
			ms.drop(k)
		}
	}
}

// shrink closes machines, the longest unused first, while the process is large.
// False: it is large without them, and should end.
func (ms *machines) shrink() bool {
	size := resident()
	for len(ms.recent) > 0 && size > maxResident {
		ms.drop(ms.recent[0])
		size = resident()
	}
	if size > maxResident { // Go's heap may still hold what the machines freed
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

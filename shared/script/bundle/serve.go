package bundle

import (
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"weir/shared/script"
	"weir/shared/worker"
)

// Limits of the process beside those of the kernel.
const (
	softMemory = script.WorkerMemory * 3 / 4 // bytes; from there on the collector works harder
	maxStack   = 64 << 20                    // bytes; some 10,000 levels of nesting
)

// slice is how long a process goes on before it leaves the rest to the next one.
const slice = time.Second

// Serve is what a worker process runs: it reads one script.Request and writes a
// script.Answer for each of its files, at least for one.
func Serve(parent net.Conn) error {
	runtime.GOMAXPROCS(1)
	debug.SetMemoryLimit(softMemory)
	debug.SetMaxStack(maxStack)
	_, body, err := worker.Receive(parent, script.MaxRequest)
	if err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	var q script.Request
	if err := json.Unmarshal(body, &q); err != nil {
		return fmt.Errorf("read a request: %w", err)
	}
	start := time.Now()
	return Answer(q, func(a script.Answer) (more bool, err error) {
		body, err := json.Marshal(a)
		if err != nil {
			return false, fmt.Errorf("write an answer: %w", err)
		}
		return time.Since(start) < slice, worker.Send(parent, script.FrameAnswer, body)
	})
}

// Answer gives the answer for each file of a request, until there is to be no more.
func Answer(q script.Request, give func(script.Answer) (more bool, err error)) error {
	libraries := make([]script.File, len(q.Libraries))
	for i, l := range q.Libraries {
		libraries[i] = l.File()
	}
	for _, i := range q.Look {
		if more, err := give(script.Answer{Problems: Library(i, libraries)}); err != nil || !more {
			return err
		}
	}
	for _, s := range q.Scripts {
		step, problems := Script(s.File(), libraries)
		if more, err := give(script.Answer{Code: step.Code, Batch: step.Batch, Map: step.Map, Problems: problems}); err != nil || !more {
			return err
		}
	}
	return nil
}

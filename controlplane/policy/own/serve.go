package own

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"weir/shared/fault"
	"weir/shared/worker"
)

// Task is the name of the task that worker processes run for a Judge.
const Task = "policy"

// Limits of a worker process.
const (
	Memory     = 384 << 20 // bytes
	softMemory = Memory * 2 / 3
	maxStack   = 64 << 20 // bytes

	// askTime is how long a policy may take to answer, and compileTime to be compiled, of
	// all processors together: other work of the machine does not count.
	askTime     = 50 * time.Millisecond
	compileTime = 2 * time.Second

	mostKept = 64 // compiled policies that a process keeps
)

// slow says why a policy that was stopped has no answer.
var slow = fmt.Sprintf("it took more than %s or %d MiB", askTime, Memory>>20)

// Frames between a Judge and a process, and the longest of each, in bytes.
const (
	frameRequest = 1
	frameAnswer  = 2

	maxRequest = 64 << 20
	maxAnswer  = 1 << 20
)

// request asks about Input, or, where that is null, whether the policies compile.
type request struct {
	Policies []Policy        `json:"policies"`
	Input    json.RawMessage `json:"input"`
}

// answer is one policy's; a request has one for each, in order.
type answer struct {
	Problems []fault.Problem `json:"problems"`
}

// Serve is what a worker process runs: it answers requests until the parent is gone.
func Serve(parent net.Conn) error {
	runtime.GOMAXPROCS(2) // one to look at the time
	debug.SetMemoryLimit(softMemory)
	debug.SetMaxStack(maxStack)
	known := map[[sha256.Size]byte]compiled{}
	for {
		_, body, err := worker.Receive(parent, maxRequest)
		if err != nil {
			return nil //nolint:nilerr // the parent has no more to ask
		}
		var q request
		if err := json.Unmarshal(body, &q); err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		err = answerAll(q, known, func(a answer) error {
			body, err := json.Marshal(a)
			if err != nil {
				return fmt.Errorf("write an answer: %w", err)
			}
			return worker.Send(parent, frameAnswer, body)
		})
		if err != nil {
			return err
		}
	}
}

// answerAll gives an answer for each policy of a request.
func answerAll(q request, known map[[sha256.Size]byte]compiled, give func(answer) error) error {
	asking := len(q.Input) > 0 && string(q.Input) != "null"
	input, err := parsed(append(json.RawMessage{}, q.Input...))
	if asking && err != nil {
		return fmt.Errorf("read an input: %w", err)
	}
	for _, p := range q.Policies {
		var a answer
		key := sha256.Sum256([]byte(p.Name + "\x00" + p.Text))
		c, ok := known[key]
		if !ok {
			if late := within(compileTime, func(ctx context.Context) { c, a.Problems = compile(ctx, p) }); late {
				a.Problems = []fault.Problem{{Code: CodeHeavy, Text: fmt.Sprintf("The policy takes more than %s to compile.", compileTime)}}
			}
			switch {
			case len(a.Problems) == 0:
				if len(known) >= mostKept {
					clear(known)
				}
				known[key] = c
			case asking: // it compiled once, by another version of this program
				a.Problems = failed(p.Name, "it does not compile: "+a.Problems[0].Text)
			}
		}
		if asking && len(a.Problems) == 0 {
			within(askTime, func(ctx context.Context) { a.Problems = c.ask(ctx, p.Name, input) })
		}
		if err := give(a); err != nil {
			return err
		}
	}
	return nil
}

// within gives do so much processor time of this process; then its context ends, and,
// where that does not end it, the process.
func within(most time.Duration, do func(ctx context.Context)) (late bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	start, done := used(), make(chan struct{})
	watched := make(chan bool)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		late := false
		for {
			select {
			case <-done:
				watched <- late
				return
			case <-tick.C:
			}
			if spent := used() - start; spent > most {
				late = true
				cancel()
				if spent > 2*most+100*time.Millisecond {
					os.Exit(worker.ExitLate)
				}
			}
		}
	}()
	do(ctx)
	close(done)
	return <-watched
}

// used is how much processor time this process took.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // the parent's deadline is left
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

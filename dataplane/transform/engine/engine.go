package engine

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/quickjs"

	"weir/dataplane/transform/heap"
	"weir/dataplane/transform/host"
	"weir/shared/id"
	"weir/shared/script"
)

//go:embed driver.js
var driverCode string

//go:embed polyfill.js
var polyfillCode string

// Codes of a Problem.
const (
	CodeDropped = "transformation_dropped" // the code returned nothing
	CodeFailed  = "transformation_failed"  // it threw, or returned what is no event
	CodeTimeout = "transformation_timeout" // it ran too long
	CodeMemory  = "transformation_memory"  // it used too much memory
	CodeOutput  = "transformation_output"  // an output is too large, or there are too many
)

// Problem is why an event has no output. Text holds words of the code; Stack is
// the engine's stack trace, whose places are <eval>:LINE:COLUMN, one line further
// down than in the step's code. Stack may be empty.
type Problem struct {
	Code  string `json:"code"`
	Text  string `json:"text"`
	Stack string `json:"stack"`
}

// errTimeout and errMemory are limits that a machine met.
var (
	errTimeout = errors.New("timeout")
	errMemory  = errors.New("memory")
)

// ProblemOf is the problem of an event that was alone when Machine or Run
// returned err.
func ProblemOf(err error) Problem {
	switch {
	case errors.Is(err, errTimeout):
		return Problem{Code: CodeTimeout, Text: "the code ran too long"}
	case errors.Is(err, errMemory):
		return Problem{Code: CodeMemory, Text: "the code used too much memory"}
	}
	return Problem{Code: CodeFailed, Text: "the code broke the engine: " + errorText(err)}
}

// Limits are what the code of a customer may use.
type Limits struct {
	Memory     int64         // bytes of one machine
	Timeout    time.Duration // CPU of one event, and of loading the code
	MaxOutputs int           // events that one may become
	MaxBytes   int           // of one output
}

// Outputs is how many events a step makes of one.
func (l Limits) Outputs(of script.Step) int {
	if of.MaxOutputs > 0 {
		return min(of.MaxOutputs, l.MaxOutputs)
	}
	return l.MaxOutputs
}

// Meta is what metadata(event) gives to the code besides the messageId.
type Meta struct {
	Workspace       id.Workspace
	Source          id.Source
	SourceName      string
	SourceType      string
	Destination     id.Destination
	DestinationName string
	DestinationType string
}

// Engine makes machines. It holds the bytecode of the driver and of the
// polyfills, compiled once: a machine then starts in a fifth of the time. It is not
// safe for concurrent use.
type Engine struct {
	limits                 Limits
	stuck                  func()
	compiler               *heap.Heap // reads code, so that what reading leaves behind is in no machine
	polyfill, intl, driver []byte
}

// New compiles what is the same in every machine. stuck is called, perhaps more
// than once, when a machine does not react to interrupts: native code that does
// not look, or code that catches what it should not. Nothing but the end of the
// process helps then.
func New(l Limits, stuck func()) (*Engine, error) {
	h, err := heap.New()
	if err != nil {
		return nil, err
	}
	e := &Engine{limits: l, stuck: stuck, compiler: h}
	h.VM.SetMemoryLimit(uintptr(l.Memory))
	if !h.Save() {
		return nil, errMemory
	}
	if e.polyfill, err = e.compile(polyfillCode); err != nil {
		return nil, fmt.Errorf("polyfill.js: %w", err)
	}
	if e.intl, err = e.compile(host.IntlCode); err != nil {
		return nil, fmt.Errorf("intl.js: %w", err)
	}
	if e.driver, err = e.compile(driverCode); err != nil {
		return nil, fmt.Errorf("driver.js: %w", err)
	}
	return e, nil
}

// compile returns the bytecode of a script.
func (e *Engine) compile(code string) ([]byte, error) {
	defer e.compiler.Restore()
	return e.compiler.VM.Compile(code, quickjs.EvalGlobal)
}

// Machine loads step into a new machine. Code that fails on loading makes a
// machine whose answers are Broken. ErrTimeout, errMemory: loading met a limit;
// other errors are the engine's.
func (e *Engine) Machine(step script.Step) (*Machine, error) {
	h, err := heap.New()
	if err != nil {
		return nil, err
	}
	m := &Machine{heap: h, vm: h.VM, batch: step.Batch, watch: watchdog{interrupt: h.VM.Interrupt, stuck: e.stuck}}
	if err := m.load(e, step); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// errorText is the text of an error of the engine, without words of the
// customer's code.
func errorText(err error) string {
	var e *quickjs.Error
	if errors.As(err, &e) {
		return e.Name + ": " + e.Message
	}
	return err.Error()
}

// classify tells the limit of memory from other errors that went past the driver.
func classify(err error) error {
	if strings.Contains(err.Error(), "out of memory") {
		return errMemory
	}
	return err
}

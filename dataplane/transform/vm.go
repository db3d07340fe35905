package transform

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"modernc.org/quickjs"

	"weir/shared/script"
)

//go:embed driver.js
var driverCode string

//go:embed polyfill.js
var polyfillCode string

// Limits of what one run may say and of how long a machine lives.
const (
	maxLogLines = 20      // of one event
	maxLogChars = 1 << 10 // of one line
	maxUses     = 20_000  // events, after which a machine is built anew
)

// limits are what the code of a customer may use. They come from the engine.
type limits struct {
	Memory     int64         // bytes of one machine
	Timeout    time.Duration // CPU of one event
	MaxOutputs int           // events that one may become
	MaxBytes   int           // of one output
}

// problem is why an event has no output.
type problem struct {
	Code  string `json:"code"`
	Text  string `json:"text"`
	Stack string `json:"stack"`
}

// errTimeout and errMemory are limits that the machine met; it has to be built
// anew, and who was guilty is not known unless there was one event alone.
var (
	errTimeout = errors.New("timeout")
	errMemory  = errors.New("memory")
)

// machine is a JavaScript engine with one transformation in it.
type machine struct {
	vm    *quickjs.VM
	guard guard
	uses  int
	read  bool // the code asked for the destination

	start, next, resumed, slow, giveUp, take quickjs.Value
	nextOut, writeOut, place                 quickjs.Value
	direct                                   *direct  // nil: JSON.stringify writes everything
	broken                                   *problem // the module cannot be loaded
}

// bytecode is the code of every machine that is not a customer's, compiled once:
// a machine then starts in a fifth of the time.
type bytecode struct{ polyfill, driver []byte }

func newBytecode() (bytecode, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return bytecode{}, err
	}
	defer func() { _ = vm.Close() }()
	var b bytecode
	if b.polyfill, err = vm.Compile(polyfillCode, quickjs.EvalGlobal); err != nil {
		return bytecode{}, fmt.Errorf("polyfill.js: %w", err)
	}
	if b.driver, err = vm.Compile(driverCode, quickjs.EvalGlobal); err != nil {
		return bytecode{}, fmt.Errorf("driver.js: %w", err)
	}
	return b, nil
}

// newMachine builds a machine for step. A module that fails on loading makes a
// broken machine; an error is errTimeout, errMemory or one of the engine.
func newMachine(own bytecode, step script.Step, l limits) (*machine, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, err
	}
	m := &machine{vm: vm}
	if err := m.load(own, step, l); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *machine) load(own bytecode, step script.Step, l limits) error {
	m.vm.SetCanBlock(false)
	m.vm.SetMemoryLimit(uintptr(l.Memory))
	m.guard.interrupt = m.vm.Interrupt
	global := m.vm.GlobalObject()
	defer global.Free()
	m.direct = newDirect(m.vm, l.MaxBytes)
	polyfill, err := m.vm.EvalBytecodeValue(own.polyfill)
	if err != nil {
		return err
	}
	if _, err = polyfill.Call(quickjs.UndefinedValue, global); err != nil {
		return err
	}
	polyfill.Free()
	boot, err := m.vm.EvalBytecodeValue(own.driver)
	if err != nil {
		return err
	}
	driver, err := boot.CallValue(quickjs.UndefinedValue, global, l.MaxOutputs, l.MaxBytes, maxLogLines, maxLogChars, m.direct != nil)
	if err != nil {
		return err
	}
	boot.Free()
	defer driver.Free()
	var load quickjs.Value
	for name, to := range map[string]*quickjs.Value{"load": &load, "start": &m.start, "next": &m.next, "resumed": &m.resumed, "slow": &m.slow, "giveUp": &m.giveUp, "take": &m.take,
		"nextOut": &m.nextOut, "writeOut": &m.writeOut, "place": &m.place} {
		atom, err := m.vm.NewAtom(name)
		if err != nil {
			return err
		}
		if *to, err = driver.GetPropertyValue(atom); err != nil {
			return err
		}
	}
	defer load.Free()
	return m.module(load, step, l)
}

// module evaluates the customer's module.
func (m *machine) module(load quickjs.Value, step script.Step, l limits) error {
	m.guard.arm(l.Timeout)
	defer m.guard.disarm()
	// The module's own first line is the second, as problem.place expects.
	f, err := m.vm.EvalValue("(function(module,exports){\n"+step.Code+"\n})", quickjs.EvalGlobal)
	if err != nil {
		m.broken = &problem{Code: CodeFailed, Text: "The code cannot be read: " + text(err)}
		return nil
	}
	defer f.Free()
	said, err := load.Call(quickjs.UndefinedValue, f, step.Batch)
	if err == nil {
		_, err = m.vm.ExecutePendingJobs()
		if !m.guard.fired() {
			err = nil // of a promise that nobody waits for
		}
	}
	switch {
	case m.guard.fired():
		return errTimeout
	case err != nil:
		return limit(err)
	case said == "memory":
		return errMemory
	case said != "":
		m.broken = &problem{}
		if line, ok := said.(string); !ok || json.Unmarshal([]byte(line), m.broken) != nil {
			m.broken = &problem{Code: CodeFailed, Text: "The code cannot be loaded."}
		}
	}
	return nil
}

// text is an engine's error as far as it is not the customer's words.
func text(err error) string {
	var e *quickjs.Error
	if errors.As(err, &e) {
		return e.Name + ": " + e.Message
	}
	return err.Error()
}

// limit classifies an error that went past the driver.
func limit(err error) error {
	if strings.Contains(err.Error(), "out of memory") {
		return errMemory
	}
	return err
}

// item is one event on its way through a chain.
type item struct {
	from int    // which input of the request it belongs to
	json string // the event
	id   string // its messageId
	kept bool   // the id is the input's, or made from it
}

// answer is what a machine made of a list of events.
type answer struct {
	done    int // events that have an answer, from the first on
	read    bool
	threw   bool // a batch has to be run one by one
	lines   []line
	unknown []string // messageIds of outputs that belong to no input
}

// line is one thing that a machine says of the event at.
type line struct {
	kind byte // o output, d dropped, e error, l log
	at   int
	text string
}

// run runs items for at most about slice. errTimeout, errMemory: a limit was
// met, nothing is known and the machine has to be closed; so for other errors.
func (m *machine) run(items []item, about Meta, slice, timeout time.Duration) (answer, error) {
	if m.broken != nil {
		return answer{}, errors.New("broken") // callers look first
	}
	m.uses += len(items)
	m.guard.arm(timeout)
	defer m.guard.disarm()
	size := 2
	for _, it := range items {
		size += len(it.json) + 1
	}
	var b strings.Builder
	b.Grow(size)
	for i, it := range items {
		if i == 0 {
			b.WriteByte('[')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(it.json)
	}
	b.WriteByte(']')
	_, err := m.start.Call(quickjs.UndefinedValue, b.String(), int(slice/time.Millisecond), string(about.Workspace),
		string(about.Source), about.SourceName, about.SourceType, string(about.Destination), about.DestinationName, about.DestinationType)
	var outs []line
	if err == nil {
		outs, err = m.each(len(items))
	}
	if err == nil {
		err = m.jobs() // what nobody waits for
	}
	var said any
	if err == nil {
		said, err = m.take.Call(quickjs.UndefinedValue)
	}
	switch {
	case m.guard.fired():
		return answer{}, errTimeout
	case err != nil:
		return answer{}, limit(err)
	}
	all, _ := said.(string)
	a, err := parse(all, len(items))
	a.lines = append(outs, a.lines...)
	return a, err
}

// What the driver's next and resumed return, when it is no output.
const (
	saidWait = iota
	saidSettled
	saidEnd
	saidBatch
)

// each runs the events one after the other and writes those outputs that are
// plain objects, at once, before the code can change them.
func (m *machine) each(n int) ([]line, error) {
	var outs []line
	var buffer []byte
	step := &m.next
	for i := 0; i < n; {
		said, err := m.turn(step, i, &outs, &buffer)
		if err != nil {
			return nil, err
		}
		switch said {
		case saidEnd:
			return outs, nil
		case saidBatch:
			return m.outputs(n, &buffer)
		case saidSettled:
			i++
			step = &m.next
			continue
		case saidWait:
			if step == &m.resumed { // nothing is left that could settle it
				if _, err := m.giveUp.Call(quickjs.UndefinedValue); err != nil {
					return nil, err
				}
				i++
				step = &m.next
				continue
			}
		}
		if err := m.jobs(); err != nil {
			return nil, err
		}
		step = &m.resumed
	}
	return outs, nil
}

// turn calls the driver for the event at i.
func (m *machine) turn(step *quickjs.Value, i int, outs *[]line, buffer *[]byte) (said int, err error) {
	said, text, err := m.call(step, buffer)
	switch {
	case err != nil || said >= 0:
		return said, err
	case text != "":
		*outs = append(*outs, line{'o', i, text})
	default:
		_, err = m.slow.Call(quickjs.UndefinedValue)
	}
	return saidSettled, err
}

// outputs goes through what transformBatch returned for n events.
func (m *machine) outputs(n int, buffer *[]byte) ([]line, error) {
	var outs []line
	for {
		said, text, err := m.call(&m.nextOut, buffer)
		if err == nil && said < 0 && text == "" {
			said, text, err = m.call(&m.writeOut, buffer)
		}
		switch {
		case err != nil || said == saidEnd:
			return outs, err
		case said >= 0:
			continue
		}
		at, err := m.place.Call(quickjs.UndefinedValue)
		if err != nil {
			return nil, err
		}
		i, ok := at.(int)
		if !ok || i < 0 || i >= n {
			return nil, errors.New("the driver cannot be understood")
		}
		outs = append(outs, line{'o', i, text})
	}
}

// call calls a function of the driver. It returns the number that this said, or
// -1 and the JSON of an object, "" when JSON.stringify has to write it.
func (m *machine) call(f *quickjs.Value, buffer *[]byte) (said int, text string, err error) {
	v, err := f.CallValue(quickjs.UndefinedValue)
	if err != nil {
		return 0, "", err
	}
	defer v.Free()
	if m.direct != nil {
		if said, ok := m.direct.number(&v); ok {
			return said, "", nil
		}
		var ok bool
		if *buffer, ok = m.direct.json((*buffer)[:0], &v); ok && (*buffer)[0] == '{' {
			return -1, string(*buffer), nil
		}
		if m.direct.isObject(&v) {
			return -1, "", nil
		}
	}
	any, err := v.Any()
	if said, ok := any.(int); ok {
		return said, "", err
	}
	text, _ = any.(string)
	return -1, text, err
}

// jobs runs what promises have to do. Failures are the promises' own, but for
// limits.
func (m *machine) jobs() error {
	n, err := m.vm.ExecutePendingJobs()
	switch {
	case m.guard.fired() || n >= maxJobs:
		return errTimeout
	case err != nil && limit(err) == errMemory:
		return errMemory
	}
	return nil
}

// maxJobs is after how many jobs the engine stops by itself.
const maxJobs = 1 << 20

// parse reads what the driver says. It is not believed more than it has to be:
// the code of a customer shares its machine.
func parse(said string, n int) (answer, error) {
	head, rest, _ := strings.Cut(said, "\n")
	var poisoned, threw, read int
	var a answer
	if _, err := fmt.Sscanf(head, "%d %d %d %d", &poisoned, &threw, &read, &a.done); err != nil || a.done < 1 || a.done > n {
		return answer{}, errors.New("the driver cannot be understood")
	}
	if poisoned != 0 {
		return answer{}, errMemory
	}
	a.threw, a.read = threw != 0, read != 0
	for rest != "" {
		var l string
		l, rest, _ = strings.Cut(rest, "\n")
		number, text, _ := strings.Cut(l[min(1, len(l)):], " ")
		at, err := strconv.Atoi(number)
		if err != nil || at < -1 || at >= n || at == -1 && l[0] != 'l' {
			return answer{}, errors.New("the driver cannot be understood")
		}
		if l[0] == 'u' {
			a.unknown = append(a.unknown, text)
			continue
		}
		a.lines = append(a.lines, line{l[0], at, text})
	}
	return a, nil
}

// close frees the machine.
func (m *machine) close() {
	_ = m.vm.Close()
}

// guard interrupts a machine that has used its time: CPU of the process, so
// that a busy computer does not make innocent code late, or several times as
// long on the clock.
type guard struct {
	interrupt func()

	mu    sync.Mutex
	timer *time.Timer
	done  bool // the limit was met
	armed int  // counts the calls of arm and disarm
}

// patience is how many times its CPU a machine may take on the clock.
const patience = 6

// exitLate is how a worker ends whose machine does not hear interrupts: native
// code that does not look, or code that catches what it should not.
const exitLate = 3

func (g *guard) arm(most time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed++
	g.done = false
	mine, start, used := g.armed, time.Now(), cpu()
	var look func()
	look = func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if mine != g.armed {
			return
		}
		left := most - (cpu() - used)
		if g.done && (left < -most-100*time.Millisecond || time.Since(start) > 2*patience*most) {
			os.Exit(exitLate)
		}
		if wait := patience*most - time.Since(start); left <= 0 || wait <= 0 {
			// Again and again: a call that begins forgets an earlier interrupt.
			g.done = true
			g.interrupt()
			left = 10 * time.Millisecond
		}
		g.timer = time.AfterFunc(max(left, time.Millisecond), look)
	}
	g.timer = time.AfterFunc(most, look)
}

func (g *guard) disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed++
	g.timer.Stop()
}

func (g *guard) fired() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done
}

// cpu is the time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package engine

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"modernc.org/quickjs"

	"weir/dataplane/transform/heap"
	"weir/dataplane/transform/host"
	"weir/shared/script"
)

// Limits of what one event may log, and of what a machine remembers of one.
const (
	maxLogLines = 20
	maxLogChars = 1 << 10 // of one line
	maxSample   = 8 << 10 // bytes of an event whose keys a machine remembers
)

// Machine is a JavaScript engine with one transformation in it.
type Machine struct {
	heap  *heap.Heap
	vm    *quickjs.VM
	watch watchdog
	meta  *Meta // that the saved heap knows; nil: none is saved

	about, start, resumed, slow, giveUp, take quickjs.Value
	nextOut, writeOut, place                  quickjs.Value
	direct                                    *direct  // nil: JSON.stringify writes everything
	broken                                    *Problem // the module cannot be loaded
	batch                                     bool
	buffer                                    []byte // of the output that is written
}

// local is in code that uses Intl or a function that depends on a locale. For other
// code they are left out, because they make the memory that is put back a third
// larger.
var local = regexp.MustCompile(`[lL]ocale|Intl`)

func (m *Machine) load(e *Engine, step script.Step) error {
	m.vm.SetCanBlock(false)
	m.vm.SetMemoryLimit(uintptr(e.limits.Memory))
	m.vm.SetGCThreshold(uintptr(e.limits.Memory / 4)) // cycles of one event seldom fill so much
	global := m.vm.GlobalObject()
	defer global.Free()
	m.direct = newDirect(m.vm, e.limits.MaxBytes)
	if err := m.vm.RegisterHostFunc("hash", host.Hash); err != nil {
		return err
	}
	if err := m.vm.RegisterHostFunc("random", host.Random); err != nil {
		return err
	}
	var international any
	if local.MatchString(step.Code) {
		if err := host.RegisterIntl(m.vm); err != nil {
			return err
		}
		f, err := m.vm.EvalBytecodeValue(e.intl)
		if err != nil {
			return err
		}
		defer f.Free()
		international = f
	}
	polyfill, err := m.vm.EvalBytecodeValue(e.polyfill)
	if err != nil {
		return err
	}
	given, err := polyfill.CallValue(quickjs.UndefinedValue, global, international) // what modules know as $weir
	if err != nil {
		return err
	}
	defer given.Free()
	polyfill.Free()
	boot, err := m.vm.EvalBytecodeValue(e.driver)
	if err != nil {
		return err
	}
	driver, err := boot.CallValue(quickjs.UndefinedValue, global, e.limits.Outputs(step), e.limits.MaxBytes, maxLogLines, maxLogChars, m.direct != nil)
	if err != nil {
		return err
	}
	boot.Free()
	defer driver.Free()
	var load quickjs.Value
	for name, to := range map[string]*quickjs.Value{"load": &load, "about": &m.about, "start": &m.start, "resumed": &m.resumed, "slow": &m.slow, "giveUp": &m.giveUp, "take": &m.take,
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
	return m.module(e, load, given, step)
}

// module evaluates the customer's module.
func (m *Machine) module(e *Engine, load, given quickjs.Value, step script.Step) error {
	// The module's own first line is the second, as Problem says.
	code, err := e.compile("(function(module,exports,$weir){\n" + step.Code + "\n})")
	if err != nil && classify(err) == errMemory {
		return errMemory
	}
	m.watch.arm(e.limits.Timeout)
	defer m.watch.disarm()
	var f quickjs.Value
	if err == nil {
		f, err = m.vm.EvalBytecodeValue(code)
	}
	if err != nil {
		m.broken = &Problem{Code: CodeFailed, Text: "The code cannot be read: " + errorText(err)}
		return nil
	}
	defer f.Free()
	said, err := load.Call(quickjs.UndefinedValue, f, step.Batch, given)
	if err == nil {
		_, err = m.vm.ExecutePendingJobs()
		if !m.watch.fired() {
			err = nil // of a promise that nobody waits for
		}
	}
	switch {
	case m.watch.fired():
		return errTimeout
	case err != nil:
		return classify(err)
	case said == "memory":
		return errMemory
	case said != "":
		m.broken = &Problem{}
		if line, ok := said.(string); !ok || json.Unmarshal([]byte(line), m.broken) != nil {
			m.broken = &Problem{Code: CodeFailed, Text: "The code cannot be loaded."}
		}
	}
	return nil
}

// Run runs events, JSON objects with a messageId, for about slice at most, and at
// least one. Each finds the machine as loading left it, a batch as a whole.
// timeout is the CPU that all of them may take. After an error nothing is known of
// the events and the machine has to be closed; ProblemOf says what it means for an
// event that was alone.
func (m *Machine) Run(events []string, meta Meta, slice, timeout time.Duration) (Answer, error) {
	if m.broken != nil {
		return Answer{Done: len(events), Broken: m.broken}, nil
	}
	m.watch.arm(timeout)
	defer m.watch.disarm()
	a, err := m.run(events, meta, slice)
	switch {
	case m.watch.fired():
		return Answer{}, errTimeout
	case err != nil:
		return Answer{}, classify(err)
	}
	return a, nil
}

func (m *Machine) run(events []string, meta Meta, slice time.Duration) (Answer, error) {
	if m.meta == nil || *m.meta != meta {
		sample := ""
		if len(events[0]) <= maxSample {
			sample = events[0]
		}
		if _, err := m.about.Call(quickjs.UndefinedValue, sample, string(meta.Workspace), string(meta.Source), meta.SourceName, meta.SourceType,
			string(meta.Destination), meta.DestinationName, meta.DestinationType); err != nil {
			return Answer{}, err
		}
		if !m.heap.Save() {
			return Answer{}, errMemory
		}
		m.meta = &meta
	}
	var a Answer
	if m.batch {
		a.Done = len(events)
		return a, m.once(&a, 0, len(events), "["+strings.Join(events, ",")+"]")
	}
	for end := time.Now().Add(slice); a.Done < len(events) && (a.Done == 0 || time.Now().Before(end)); a.Done++ {
		if err := m.once(&a, a.Done, 1, events[a.Done]); err != nil {
			return Answer{}, err
		}
	}
	return a, nil
}

// once runs one event, or a batch of n, and puts the machine back. The first is
// the one at index first of a's.
func (m *Machine) once(a *Answer, first, n int, text string) error {
	if err := m.through(a, first, n, text); err != nil {
		return err
	}
	if err := m.jobs(); err != nil { // of promises that nobody waits for
		return err
	}
	said, err := m.take.Call(quickjs.UndefinedValue)
	if err != nil {
		return err
	}
	if text, _ := said.(string); text != "" {
		err = a.add(text, first, n)
	}
	m.heap.Restore()
	return err
}

// What functions of the driver return, when it is no output.
const (
	statusWait = iota
	statusSettled
	statusEnd
	statusBatch
)

// through calls the driver until the event has a result, and writes outputs that
// are plain objects at once, before the code can change them.
func (m *Machine) through(a *Answer, first, n int, text string) error {
	v, err := m.start.CallValue(quickjs.UndefinedValue, text)
	if err != nil {
		return err
	}
	status, text, err := m.written(&v)
	if err == nil && status == statusWait {
		if err = m.jobs(); err == nil {
			status, text, err = m.call(&m.resumed)
		}
	}
	switch {
	case err != nil || status == statusSettled:
		return err
	case status == statusWait: // nothing is left that could settle it
		_, err = m.giveUp.Call(quickjs.UndefinedValue)
	case status == statusBatch:
		return m.outputs(a, n)
	case text == "":
		_, err = m.slow.Call(quickjs.UndefinedValue)
	default:
		a.Outputs = append(a.Outputs, Output{first, text})
	}
	return err
}

// outputs goes through what transformBatch returned for n events.
func (m *Machine) outputs(a *Answer, n int) error {
	for {
		status, text, err := m.call(&m.nextOut)
		if err == nil && status < 0 && text == "" {
			status, text, err = m.call(&m.writeOut)
		}
		switch {
		case err != nil || status == statusEnd:
			return err
		case status >= 0:
			continue
		}
		at, err := m.place.Call(quickjs.UndefinedValue)
		if err != nil {
			return err
		}
		i, ok := at.(int)
		if !ok || i < 0 || i >= n {
			return errDriver
		}
		a.Outputs = append(a.Outputs, Output{i, text})
	}
}

// call calls a function of the driver; written says what it returned.
func (m *Machine) call(f *quickjs.Value) (status int, text string, err error) {
	v, err := f.CallValue(quickjs.UndefinedValue)
	if err != nil {
		return 0, "", err
	}
	return m.written(&v)
}

// written returns the number that v is, or -1 and the JSON of an object, "" when
// JSON.stringify has to write it. v ends with the event.
func (m *Machine) written(v *quickjs.Value) (status int, text string, err error) {
	if m.direct != nil {
		if status, ok := m.direct.number(v); ok {
			return status, "", nil
		}
		var ok bool
		if m.buffer, ok = m.direct.json(m.buffer[:0], v); ok && m.buffer[0] == '{' {
			return -1, string(m.buffer), nil
		}
		if m.direct.isObject(v) {
			return -1, "", nil
		}
	}
	any, err := v.Any()
	if status, ok := any.(int); ok {
		return status, "", err
	}
	text, _ = any.(string)
	return -1, text, err
}

// jobs runs what promises have to do. Failures are the promises' own, but for
// limits.
func (m *Machine) jobs() error {
	n, err := m.vm.ExecutePendingJobs()
	switch {
	case m.watch.fired() || n >= maxJobs:
		return errTimeout
	case err != nil && classify(err) == errMemory:
		return errMemory
	}
	return nil
}

// maxJobs is after how many jobs the engine stops by itself.
const maxJobs = 1 << 20

// Close frees the machine.
func (m *Machine) Close() { m.heap.Close() }

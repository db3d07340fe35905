package engine

import (
	"encoding/json"
	"strings"
	"time"

	"modernc.org/quickjs"

	"weir/shared/script"
)

// Limits of what one event may log and of how long a machine lives.
const (
	maxLogLines = 20
	maxLogChars = 1 << 10 // of one line
	maxUses     = 20_000  // events, after which a machine is worn
)

// Machine is a JavaScript engine with one transformation in it.
type Machine struct {
	vm    *quickjs.VM
	watch watchdog
	uses  int  // events that it was given
	read  bool // the code asked for the destination

	start, next, resumed, slow, giveUp, take quickjs.Value
	nextOut, writeOut, place                 quickjs.Value
	direct                                   *direct  // nil: JSON.stringify writes everything
	broken                                   *Problem // the module cannot be loaded
}

func (m *Machine) load(e *Engine, step script.Step) error {
	m.vm.SetCanBlock(false)
	m.vm.SetMemoryLimit(uintptr(e.limits.Memory))
	global := m.vm.GlobalObject()
	defer global.Free()
	m.direct = newDirect(m.vm, e.limits.MaxBytes)
	polyfill, err := m.vm.EvalBytecodeValue(e.polyfill)
	if err != nil {
		return err
	}
	if _, err = polyfill.Call(quickjs.UndefinedValue, global); err != nil {
		return err
	}
	polyfill.Free()
	boot, err := m.vm.EvalBytecodeValue(e.driver)
	if err != nil {
		return err
	}
	driver, err := boot.CallValue(quickjs.UndefinedValue, global, e.limits.MaxOutputs, e.limits.MaxBytes, maxLogLines, maxLogChars, m.direct != nil)
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
	return m.module(load, step, e.limits.Timeout)
}

// module evaluates the customer's module.
func (m *Machine) module(load quickjs.Value, step script.Step, timeout time.Duration) error {
	m.watch.arm(timeout)
	defer m.watch.disarm()
	// The module's own first line is the second, as Problem says.
	f, err := m.vm.EvalValue("(function(module,exports){\n"+step.Code+"\n})", quickjs.EvalGlobal)
	if err != nil {
		m.broken = &Problem{Code: CodeFailed, Text: "The code cannot be read: " + errorText(err)}
		return nil
	}
	defer f.Free()
	said, err := load.Call(quickjs.UndefinedValue, f, step.Batch)
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

// Worn reports whether m has run so many events that a new machine should take
// its place.
func (m *Machine) Worn() bool { return m.uses >= maxUses }

// Run runs events, JSON objects with a messageId, for about slice at most, and at
// least one. timeout is the CPU that all of them may take. After an error nothing
// is known of the events and the machine has to be closed; ProblemOf says what it
// means for an event that was alone.
func (m *Machine) Run(events []string, meta Meta, slice, timeout time.Duration) (Answer, error) {
	if m.broken != nil {
		return Answer{Done: len(events), Broken: m.broken}, nil
	}
	fresh := m.uses == 0
	m.uses += len(events)
	m.watch.arm(timeout)
	defer m.watch.disarm()
	_, err := m.start.Call(quickjs.UndefinedValue, "["+strings.Join(events, ",")+"]", int(slice/time.Millisecond), string(meta.Workspace),
		string(meta.Source), meta.SourceName, meta.SourceType, string(meta.Destination), meta.DestinationName, meta.DestinationType)
	var outs []Output
	if err == nil {
		outs, err = m.each(len(events))
	}
	if err == nil {
		err = m.jobs() // promises that nobody waits for
	}
	var said any
	if err == nil {
		said, err = m.take.Call(quickjs.UndefinedValue)
	}
	switch {
	case m.watch.fired():
		return Answer{}, errTimeout
	case err != nil:
		return Answer{}, classify(err)
	}
	text, _ := said.(string)
	a, err := parseAnswer(text, len(events))
	m.read = m.read || a.Read // what the code read it may have kept
	a.Fresh, a.Read, a.Outputs = fresh, m.read, append(outs, a.Outputs...)
	return a, err
}

// What functions of the driver return, when it is no output.
const (
	statusWait = iota
	statusSettled
	statusEnd
	statusBatch
)

// each runs the events one after the other and writes those outputs that are
// plain objects, at once, before the code can change them.
func (m *Machine) each(n int) ([]Output, error) {
	var outs []Output
	var buffer []byte
	step := &m.next
	for i := 0; i < n; {
		status, err := m.turn(step, i, &outs, &buffer)
		if err != nil {
			return nil, err
		}
		switch status {
		case statusEnd:
			return outs, nil
		case statusBatch:
			return m.outputs(n, &buffer)
		case statusSettled:
			i++
			step = &m.next
			continue
		case statusWait:
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
func (m *Machine) turn(step *quickjs.Value, i int, outs *[]Output, buffer *[]byte) (status int, err error) {
	status, text, err := m.call(step, buffer)
	switch {
	case err != nil || status >= 0:
		return status, err
	case text != "":
		*outs = append(*outs, Output{i, text})
	default:
		_, err = m.slow.Call(quickjs.UndefinedValue)
	}
	return statusSettled, err
}

// outputs goes through what transformBatch returned for n events.
func (m *Machine) outputs(n int, buffer *[]byte) ([]Output, error) {
	var outs []Output
	for {
		status, text, err := m.call(&m.nextOut, buffer)
		if err == nil && status < 0 && text == "" {
			status, text, err = m.call(&m.writeOut, buffer)
		}
		switch {
		case err != nil || status == statusEnd:
			return outs, err
		case status >= 0:
			continue
		}
		at, err := m.place.Call(quickjs.UndefinedValue)
		if err != nil {
			return nil, err
		}
		i, ok := at.(int)
		if !ok || i < 0 || i >= n {
			return nil, errDriver
		}
		outs = append(outs, Output{i, text})
	}
}

// call calls a function of the driver. It returns the number that it returned, or
// -1 and the JSON of an object, "" when JSON.stringify has to write it.
func (m *Machine) call(f *quickjs.Value, buffer *[]byte) (status int, text string, err error) {
	v, err := f.CallValue(quickjs.UndefinedValue)
	if err != nil {
		return 0, "", err
	}
	defer v.Free()
	if m.direct != nil {
		if status, ok := m.direct.number(&v); ok {
			return status, "", nil
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
func (m *Machine) Close() {
	_ = m.vm.Close()
}

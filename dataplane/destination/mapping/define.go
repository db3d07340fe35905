// Package mapping runs destinations that are files: Define makes a kind of the calls,
// look-ups and answers of its spec.yaml (see docs/destination-format.md). What settings
// decide is decided when a destination is opened; an event is read once, and values are
// copied as they stand in it.
//
// It refuses nothing that the check of the file accepted: any event ends in one request
// or verdict, at a bounded cost.
package mapping

import (
	"encoding/json"
	"sync"

	"weir/dataplane/destination"
	"weir/dataplane/destination/values"
	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/fault"
)

// Hooks are what the Go file of a folder adds to its spec.yaml.
type Hooks struct {
	// Judge says what an answer means where it returns something; nil: the file does.
	Judge func(destination.Request, destination.Response) []destination.Verdict
	// Values are those that the file names by go, as JSON; nil: it is absent.
	Values map[string]func(*destination.Item) []byte
	// Check refuses settings that the spec cannot.
	Check func(settings []byte) error
}

// Define returns what makes a Kind of a spec.yaml with calls. The spec is read once, by the
// first call, which panics when it is not complete, or names a value that hooks do not have:
// both are compiled in.
func Define(spec []byte, hooks ...Hooks) func() destination.Kind {
	var h Hooks
	if len(hooks) > 0 {
		h = hooks[0]
	}
	kind := destination.Define(spec, func(o opened) (destination.Destination, error) {
		if h.Check != nil {
			if err := h.Check(o.settings); err != nil {
				return nil, err
			}
		}
		return open(o.spec, o, h)
	})
	return sync.OnceValue(func() destination.Kind {
		k := kind()
		if k.Spec.Calls == nil {
			panic("the spec of " + k.Spec.Name + " has no calls")
		}
		for _, name := range k.Spec.Calls.Go {
			if h.Values[name] == nil {
				panic("the spec of " + k.Spec.Name + " names a value " + name + " that no Go file makes")
			}
		}
		return k
	})
}

// Custom makes a Kind of the spec that stands in a workspace. fault.Invalid: the spec is not
// right, or says what this build does not know.
func Custom(text string) (destination.Kind, error) {
	s, err := private.Parse(text)
	if err != nil {
		return destination.Kind{}, err
	}
	kind := Define([]byte(text))()
	kind.Spec = s
	return kind, nil
}

// New opens the destination of a spec with these settings, which the spec checked and
// filled in. fault.Invalid: the spec needs a Go file.
func New(s catalog.Spec, settings []byte) (destination.Destination, error) {
	if s.Calls == nil || len(s.Calls.Go) > 0 {
		return nil, fault.New(fault.Invalid, "The spec has no calls, or names values that a Go file makes.")
	}
	return open(s, opened{settings: settings, base: catalog.BaseURL(s, settings)}, Hooks{})
}

// opened is what destination.Define reads settings into.
type opened struct {
	spec     catalog.Spec
	settings []byte
	base     string
}

// UnmarshalJSON keeps the settings as they are.
func (o *opened) UnmarshalJSON(text []byte) error {
	o.settings = append([]byte(nil), text...)
	return nil
}

// SetSpec takes the spec that is opened.
func (o *opened) SetSpec(s catalog.Spec) { o.spec = s }

// SetBase takes the address without a slash at its end.
func (o *opened) SetBase(address string) { o.base = address }

// compiler compiles calls, answers and look-ups.
type compiler struct {
	*values.Compiler
	base  string
	lists [][]string
}

// open compiles what a file says for these settings.
func open(s catalog.Spec, o opened, h Hooks) (destination.Destination, error) {
	c := &compiler{Compiler: values.NewCompiler(o.settings, h.Values), base: o.base}
	m := &mapped{judge: h.Judge, ordered: true, reads: c.Reads()}
	m.event, m.object = m.reads.Slot([]string{"event"}), m.reads.Slot([]string{"object"})
	var common struct {
		Ordered *bool `json:"ordered"`
	}
	if json.Unmarshal(o.settings, &common) == nil && common.Ordered != nil {
		m.ordered = *common.Ordered
	}
	if l := s.Limits; l != nil && l.Batch != nil {
		m.bytes = int(l.Batch.Bytes)
	}
	spec, problems := s.Overridden(o.settings)
	if err := fault.Problems("The settings of this "+s.Title+" destination have problems:", problems); err != nil {
		return nil, err
	}
	for i := range spec.Calls {
		if compiled, ever := c.call(&spec.Calls[i]); ever {
			m.calls = append(m.calls, compiled)
		}
	}
	for i := range spec.Answers {
		m.answers = append(m.answers, c.answer(&spec.Answers[i]))
	}
	for i := range spec.Lookups {
		m.lookups = append(m.lookups, c.lookup(&spec.Lookups[i]))
	}
	if spec.Test != nil {
		m.trial = c.trial(spec.Test, spec.Good)
	}
	m.lists = c.lists
	if err := fault.Problems("The settings of this "+s.Title+" destination have problems:", c.Problems()); err != nil {
		return nil, err
	}
	if len(m.lookups) > 0 {
		return &chained{m}, nil
	}
	return m, nil
}

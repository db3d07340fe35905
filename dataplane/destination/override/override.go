// Package override applies the setting overrides to destinations that Go code builds
// requests of (those that are files have it in their calls): after Build it writes the bodies
// of requests anew with fields that the settings replace or add, and before it, or before
// Write, the event itself where that is what is sent.
//
// A field begins at the part of a body that is made of one event, as the kind's spec says. What
// one event costs is bounded. It changes no look-ups, and no request without a body.
package override

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/values"
	"weir/shared/catalog"
	"weir/shared/catalog/calls"
	"weir/shared/catalog/requests"
	"weir/shared/fault"
	"weir/shared/secret"
)

// All returns the kinds with overrides.
func All(kinds []destination.Kind) []destination.Kind {
	for i := range kinds {
		kinds[i] = Kind(kinds[i])
	}
	return kinds
}

// Kind returns a kind with overrides: one that is a file as it is.
func Kind(k destination.Kind) destination.Kind {
	if k.Spec.Calls != nil {
		return k
	}
	open := k.Open
	k.Open = func(settings []byte, secrets map[string]secret.String) (destination.Opened, error) {
		o, err := open(settings, secrets)
		if err != nil {
			return o, err
		}
		return with(k.Spec, o, settings)
	}
	return k
}

// with returns o with what settings change.
func with(spec catalog.Spec, o destination.Opened, settings []byte) (destination.Opened, error) {
	where := spec.Overrides
	if where == nil {
		where = &requests.Overrides{}
	}
	var parts []string
	if where.Parts != "" {
		parts = []string{where.Parts}
	}
	compiler := values.NewCompiler(catalog.Fill(spec, settings), nil)
	e := &editor{parts: parts, memory: sync.Pool{New: func() any { return &memory{} }}}
	problems := spec.Changes(settings, func(path []string, when calls.Condition, v *calls.Value) {
		if !where.Whole {
			path = append(slices.Clone(parts), path...)
		}
		e.alone = e.alone || len(path) <= len(parts) || !slices.Equal(path[:len(parts)], parts)
		e.root.add(path, compiler, when, v)
	})
	e.reads = compiler.Reads()
	problems = append(problems, compiler.Problems()...)
	if err := fault.Problems("The settings of this "+spec.Title+" destination have problems:", problems); err != nil {
		return o, err
	}
	if len(e.root.kids) == 0 {
		return o, nil
	}
	if o.Sink != nil {
		open := o.Sink
		o.Sink = func(ctx context.Context, d destination.Deps) (destination.Sink, error) {
			s, err := open(ctx, d)
			if err != nil {
				return nil, err
			}
			return &sink{Sink: s, edit: e}, nil
		}
		return o, nil
	}
	built := &edited{Destination: o.HTTP, edit: e, event: where.Event}
	if kind, ok := o.HTTP.(destination.Chained); ok {
		o.HTTP = &chained{edited: built, first: kind}
	} else {
		o.HTTP = built
	}
	return o, nil
}

// edited is a destination whose bodies are written anew.
type edited struct {
	destination.Destination
	edit  *editor
	event bool // the event is written anew instead, before it is built
}

// Build implements destination.Destination.
func (d *edited) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	if d.event {
		return d.edit.events(b, d.Destination.Build)
	}
	return d.build(b)
}

func (d *edited) build(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	if d.edit.alone && len(b.Items) > 1 { // what stands beside the parts is of one event
		for i := range b.Items {
			reqs, verdicts = join(reqs, verdicts, []int{i}, b, d.build)
		}
		return reqs, verdicts
	}
	reqs, verdicts = d.Destination.Build(b)
	large := make(map[int]bool)
	for i := range reqs {
		d.edit.request(&reqs[i], b, large)
	}
	if len(large) == 0 {
		return reqs, verdicts
	}
	return without(b, large, d.build)
}

// Test and Accepted are those of the kind, if it has a request that tests a connection.
func (d *edited) Test(now time.Time) (r destination.Request, ok bool) {
	if own, tests := d.Destination.(interface {
		Test(now time.Time) (destination.Request, bool)
	}); tests {
		return own.Test(now)
	}
	return destination.Request{}, false
}

// Accepted reports whether an answer to Test's request is a good one.
func (d *edited) Accepted(res destination.Response) bool {
	own, tests := d.Destination.(interface {
		Accepted(destination.Response) bool
	})
	return tests && own.Accepted(res)
}

// chained is an edited that looks something up first.
type chained struct {
	*edited
	first destination.Chained
}

// LookUps and Find are the kind's: nothing in them is replaced.
func (c *chained) LookUps(b destination.Batch) []destination.Request { return c.first.LookUps(b) }

// Find implements destination.Chained.
func (c *chained) Find(req destination.Request, res destination.Response) (string, destination.Verdict) {
	return c.first.Find(req, res)
}

// sink is a Sink whose items have another body.
type sink struct {
	destination.Sink
	edit *editor
}

// Write implements destination.Sink.
func (s *sink) Write(ctx context.Context, b destination.Batch) (all []destination.Verdict, err error) {
	_, all = s.edit.events(b, func(b destination.Batch) ([]destination.Request, []destination.Verdict) {
		var said []destination.Verdict
		said, err = s.Sink.Write(ctx, b)
		return nil, said
	})
	return all, err
}

// Preview shows what the sink would write; nothing of one that has nothing to show.
func (s *sink) Preview(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	shown, ok := s.Sink.(interface {
		Preview(destination.Batch) ([]destination.Request, []destination.Verdict)
	})
	if !ok {
		return nil, nil
	}
	return s.edit.events(b, shown.Preview)
}

// Test tests the connection; one that has no test was reached when it was opened.
func (s *sink) Test(ctx context.Context) error {
	if own, ok := s.Sink.(interface{ Test(context.Context) error }); ok {
		return own.Test(ctx)
	}
	return nil
}

// memory is what is used again from request to request.
type memory struct{ whole, part values.Memory }

// editor writes JSON anew.
type editor struct {
	root   node
	reads  *values.Reads
	parts  []string // where in a body the list of parts stands
	alone  bool     // a change is not in the parts
	memory sync.Pool
}

// tooLarge is the verdict on an event of which too much is made.
func tooLarge(item int) destination.Verdict {
	return destination.Verdict{Item: item, Outcome: destination.Dead, Code: "event_too_large", Detail: "What would be sent for this event is too large."}
}

// events gives the items of a batch their bodies, and build those of which not too much is
// made.
func (e *editor) events(b destination.Batch, build func(destination.Batch) ([]destination.Request, []destination.Verdict)) ([]destination.Request, []destination.Verdict) {
	m, _ := e.memory.Get().(*memory)
	defer func() { m.whole.Forget(); e.memory.Put(m) }()
	b.Items = slices.Clone(b.Items)
	large := map[int]bool{}
	for i := range b.Items {
		s := m.whole.Read(e.reads, &b.Items[i], b.Now)
		w := writer{editor: e, scope: s}
		body, _ := w.write(make([]byte, 0, len(b.Items[i].Event.JSON)+256), bytes.TrimSpace(b.Items[i].Event.JSON), &e.root, -1)
		if large[i] = !s.Fits(len(body)); !large[i] {
			delete(large, i)
			b.Items[i] = b.Items[i].WithBody(body)
		}
	}
	if len(large) == 0 {
		return build(b)
	}
	return without(b, large, build)
}

// request writes the body of a request anew. Items of which too much is made are noted in
// large.
func (e *editor) request(r *destination.Request, b destination.Batch, large map[int]bool) {
	if len(r.Body) == 0 {
		return
	}
	m, _ := e.memory.Get().(*memory)
	defer func() { m.whole.Forget(); m.part.Forget(); e.memory.Put(m) }()
	of := r.Items
	if r.Parts != nil {
		of = r.Parts
	}
	w := writer{editor: e, scope: m.whole.Read(e.reads, &b.Items[r.Items[0]], b.Now), large: large}
	w.part = func(n int) int {
		item := r.Items[0]
		if len(r.Items) > 1 {
			item = of[n] // a body with more parts than the request says is a fault of the kind
		}
		w.scope = m.part.Read(e.reads, &b.Items[item], b.Now)
		return item
	}
	r.Body, _ = w.write(make([]byte, 0, len(r.Body)+256*len(of)), bytes.TrimSpace(r.Body), &e.root, 0)
	if len(r.Items) == 1 && !w.scope.Fits(len(r.Body)) {
		large[r.Items[0]] = true
	}
}

// without builds a batch without some of its items, which are too large.
func without(b destination.Batch, large map[int]bool, build func(destination.Batch) ([]destination.Request, []destination.Verdict)) (reqs []destination.Request, verdicts []destination.Verdict) {
	var rest []int
	for i := range b.Items {
		if large[i] {
			verdicts = append(verdicts, tooLarge(i))
		} else {
			rest = append(rest, i)
		}
	}
	if len(rest) == 0 {
		return nil, verdicts
	}
	return join(nil, verdicts, rest, b, build)
}

// join builds some items of a batch and adds what becomes of them.
func join(reqs []destination.Request, verdicts []destination.Verdict, items []int, b destination.Batch, build func(destination.Batch) ([]destination.Request, []destination.Verdict)) ([]destination.Request, []destination.Verdict) {
	some := b
	some.Items = make([]destination.Item, len(items))
	for n, i := range items {
		some.Items[n] = b.Items[i]
	}
	built, said := build(some)
	for _, r := range built {
		r.Items, r.Parts = named(r.Items, items), named(r.Parts, items)
		reqs = append(reqs, r)
	}
	for _, v := range said {
		if v.Item >= 0 && v.Item < len(items) {
			v.Item = items[v.Item]
		}
		verdicts = append(verdicts, v)
	}
	return reqs, verdicts
}

// named are the places of items in the whole batch.
func named(of, items []int) []int {
	if of == nil {
		return nil
	}
	out := make([]int, len(of))
	for n, i := range of {
		out[n] = -1 // no item: a fault of the kind
		if i >= 0 && i < len(items) {
			out[n] = items[i]
		}
	}
	return out
}

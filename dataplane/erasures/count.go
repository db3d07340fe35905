package erasures

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"weir/dataplane/erase"
	"weir/shared/fault"
	"weir/shared/id"
)

// Count counts what an erasure of the person who has the identifiers would remove, in the
// partitions, whichever process of the plane runs them, in the warehouses and in what profiles
// know here, and how many identifiers they have.
// fault.Invalid: they are none, or nobody's.
func (b *Board) Count(ctx context.Context, ws id.Workspace, ids []string, tell func(Place) error, lack func(Lack) error) (all int, err error) {
	if err := check(ids); err != nil {
		return 0, err
	}
	known, found, failed := b.cfg.Persons.Find(ctx, ws, ids)
	t := task{Board: b, ws: ws, w: whom{IDs: found, Known: known}}
	for _, one := range found {
		t.w.Person.Add(one)
	}
	var errs []error
	lacks := func(place, name string, err error) {
		if err != nil {
			code, never := codeOf(err)
			errs = append(errs, lack(Lack{Place: place, Name: name, Code: code, Never: never}))
		}
	}
	if len(failed) == 0 && len(t.w.Person.Users)+len(t.w.Person.Anonymous)+len(known) == 0 {
		return 0, fault.New(fault.Invalid, "No profile knows these identifiers. Events and rows are known by those of the types user_id and anonymous_id: name one.")
	}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		lacks(string(Profiles), name, failed[name])
	}
	told := Erasure{}
	for n, p := range b.cfg.Partitions {
		store, err := p.Store()
		switch {
		case err == nil:
			_, err = t.partition(ctx, p, store, true, told.found)
		case p.Relay != nil:
			err = t.elsewhere(ctx, p, told.found)
		}
		lacks("events", strconv.Itoa(n), err)
	}
	for _, one := range told.Found {
		errs = append(errs, tell(one))
	}
	for _, w := range b.cfg.Warehouses(ws) {
		lacks("warehouse", w.Name, w.Rows(ctx, &t.w.Person, true, func(one erase.Table) error {
			return tell(Place{Place: "warehouse", Name: w.Name, Table: one.Name, Count: one.Rows})
		}))
	}
	for _, k := range known {
		n, err := b.cfg.Persons.Forget(ctx, ws, k, true)
		if lacks(string(Profiles), k.Profile, err); n > 0 {
			errs = append(errs, tell(Place{Place: string(Profiles), Name: k.Profile, Table: k.Entity, Count: n}))
		}
	}
	return len(found), errors.Join(errs...)
}

// countTime is how long the process that runs a partition may take to count.
const countTime = 30 * time.Second

// counting names what is sealed of a count.
const counting = "count"

// question is what the process that runs a partition is asked to count, and answer what it
// found.
type (
	question struct {
		Workspace id.Workspace `json:"workspace"`
		Sealed    string       `json:"sealed"`
	}
	answer struct {
		Places []Place `json:"places"`
	}
)

// elsewhere has the process that runs a partition count.
func (t *task) elsewhere(ctx context.Context, p Partition, tell func(Place)) error {
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	sealed, err := t.seal.close(counting, t.w)
	if err != nil {
		return err
	}
	q, err := json.Marshal(question{t.ws, sealed})
	if err != nil {
		return err
	}
	reply, err := p.Relay.Ask(ctx, q)
	if err != nil {
		return err
	}
	var got answer
	if err := json.Unmarshal(reply, &got); err != nil {
		return fault.New(fault.Unavailable, "The answer of another process of this plane cannot be read.")
	}
	for _, one := range got.Places {
		tell(one)
	}
	return nil
}

// answer counts for other processes while a partition runs here, until ctx ends.
func (b *Board) answer(ctx context.Context, p Partition) {
	here := func() bool { _, err := p.Store(); return err == nil }
	p.Relay.Serve(ctx, here, func(ctx context.Context, request []byte) []byte {
		ctx, cancel := context.WithTimeout(ctx, countTime)
		defer cancel()
		var q question
		if json.Unmarshal(request, &q) != nil {
			return nil
		}
		t := task{Board: b, ws: q.Workspace}
		var err error
		if t.w, err = b.seal.open(counting, q.Sealed); err != nil {
			return nil
		}
		store, err := p.Store()
		if err != nil {
			return nil
		}
		told := Erasure{}
		if _, err := t.partition(ctx, p, store, true, told.found); err != nil {
			return nil
		}
		reply, err := json.Marshal(answer{told.Found})
		if err != nil {
			return nil
		}
		return reply
	})
}

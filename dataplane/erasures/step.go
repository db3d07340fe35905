package erasures

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/erase"
	"weir/dataplane/jobs"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/quarantine"
	"weir/dataplane/warehouse"
	"weir/shared/fault"
	"weir/shared/id"
)

// Times of steps.
const (
	ownerAgain = time.Second            // until another process may have given it up
	logAgain   = 100 * time.Millisecond // until events have left the event log
	lackAgain  = 5 * time.Second        // until what cannot be reached is tried again
	warehouses = time.Hour              // that one warehouse may take
)

// plane is the part of an erasure that is no partition's.
const plane = -1

// keyOf is the key of a part of an erasure in the loop.
func keyOf(ws id.Workspace, name string, part int) jobs.Key {
	return jobs.Key("erase/" + string(ws) + "/" + name + "/" + strconv.Itoa(part))
}

// lane has of each partition, and of each workspace's warehouses, one thing done at a time.
func lane(k jobs.Key) string {
	words := strings.Split(string(k), "/")
	if words[3] == strconv.Itoa(plane) {
		return words[1]
	}
	return words[3]
}

// isID reports whether a text is type:value.
func isID(text string) bool {
	typ, value, _ := strings.Cut(text, ":")
	return typ != "" && value != ""
}

// task is a step of an erasure.
type task struct {
	*Board
	ws id.Workspace
	e  Erasure // as it was when the step began
	w  whom
}

func (b *Board) step(ctx context.Context, k jobs.Key) (jobs.Next, error) {
	words := strings.Split(string(k), "/")
	part, err := strconv.Atoi(words[3])
	if err != nil {
		return jobs.Next{}, nil //nolint:nilerr // keys are made by keyOf
	}
	t := task{Board: b, ws: id.Workspace(words[1])}
	if t.e, err = b.Erasure(t.ws, words[2]); err != nil || t.e.State != Running {
		return jobs.Next{}, nil //nolint:nilerr // it is none of those that run any more
	}
	if t.w, err = b.seal.open(t.e.ID, t.e.Sealed); err != nil {
		return jobs.Next{}, err
	}
	switch {
	case part == plane && !b.cfg.Owner():
		return jobs.Next{Wait: ownerAgain, Idle: true}, nil
	case part == plane && t.e.Stage == People:
		return t.people(ctx)
	case part == plane && t.e.Stage == Events && !slices.Contains(t.e.Parts, false):
		return jobs.Next{More: true}, t.note(ctx, func(e *Erasure) { e.Stage = Rows })
	case part == plane && t.e.Stage == Rows:
		return t.rows(ctx)
	case part == plane && t.e.Stage == Profiles:
		return t.forget(ctx)
	case part == plane && t.e.Stage == Bytes:
		return t.bytes(ctx)
	case part >= 0 && t.e.Stage == Events && part < len(t.e.Parts) && !t.e.Parts[part] && part < len(b.cfg.Partitions):
		return t.events(ctx, part)
	}
	return jobs.Next{Idle: true, Wait: ownerAgain}, nil
}

// note writes what a step did, unless the erasure has ended.
func (t *task) note(ctx context.Context, change func(*Erasure)) error {
	return t.update(ctx, t.ws, func(d *document) error {
		if e := d.find(t.e.ID); e != nil && e.State == Running && e.Pass == t.e.Pass {
			change(e)
		}
		return nil
	})
}

// lack notes why something is left out for now, and has it tried again.
func (t *task) lack(ctx context.Context, all ...Lack) (jobs.Next, error) {
	was := t.e.copy()
	changed := false
	for _, l := range all {
		changed = was.lacks(l) || changed
	}
	next := jobs.Next{Wait: lackAgain, Code: all[0].Code}
	if !changed {
		return next, nil
	}
	return next, t.note(ctx, func(e *Erasure) {
		for _, l := range all {
			e.lacks(l)
		}
	})
}

// codeOf is the code of what is left out; never says that it is of no use to try it again.
func codeOf(err error) (code string, never bool) {
	var failure *warehouse.Failure
	if errors.As(err, &failure) {
		return failure.Code, failure.Code == warehouse.CodeUnsupported
	}
	return "unavailable", false
}

// people asks profiles who the person is, and begins the first pass.
func (t *task) people(ctx context.Context) (jobs.Next, error) {
	known, all, failed := t.cfg.Persons.Find(ctx, t.ws, t.w.IDs)
	if len(failed) > 0 {
		var lacks []Lack
		for _, name := range slices.Sorted(maps.Keys(failed)) {
			code, _ := codeOf(failed[name])
			lacks = append(lacks, Lack{Place: string(Profiles), Name: name, Code: code})
		}
		return t.lack(ctx, lacks...)
	}
	w := whom{IDs: all, Known: known}
	for _, one := range all {
		w.Person.Add(one)
	}
	if len(w.Person.Users)+len(w.Person.Anonymous)+len(known) == 0 {
		return jobs.Next{}, t.note(ctx, func(e *Erasure) {
			e.Lacks = []Lack{{Place: string(Profiles), Code: "nobody", Never: true}}
			e.end(Done, time.Now())
		})
	}
	sealed, err := t.seal.close(t.e.ID, w)
	if err != nil {
		return jobs.Next{}, err
	}
	until, err := t.until(ctx)
	if err != nil {
		return jobs.Next{}, err
	}
	return jobs.Next{More: true}, t.note(ctx, func(e *Erasure) {
		e.Sealed, e.IDs, e.Lacks = sealed, len(all), nil
		e.pass(until, len(t.cfg.Partitions))
	})
}

// until is where the logs of events on their way end now.
func (t *task) until(ctx context.Context) (all [][]uint64, err error) {
	for _, p := range t.cfg.Partitions {
		var ends []uint64
		for _, l := range p.Logs {
			st, err := l.State(ctx)
			if err != nil {
				return nil, err
			}
			ends = append(ends, st.Last)
		}
		all = append(all, ends)
	}
	return all, nil
}

// events removes what a partition keeps, once what was accepted before is through.
func (t *task) events(ctx context.Context, n int) (jobs.Next, error) {
	p := t.cfg.Partitions[n]
	store, err := p.Store()
	if err != nil {
		return jobs.Next{Wait: ownerAgain, Idle: true}, nil //nolint:nilerr // another process may have the partition
	}
	for i, l := range p.Logs {
		st, err := l.State(ctx)
		if err != nil {
			return jobs.Next{}, err
		}
		if st.Records > 0 && n < len(t.e.Until) && i < len(t.e.Until[n]) && st.First <= t.e.Until[n][i] {
			return jobs.Next{Wait: logAgain, Code: "event_log"}, nil
		}
	}
	var went []Place
	busy, err := t.partition(ctx, p, store, false, func(p Place) { went = append(went, p) })
	if err != nil {
		return jobs.Next{}, err
	}
	if err := t.cfg.Reach("events"); err != nil {
		return jobs.Next{}, err
	}
	if busy == 0 || slices.ContainsFunc(went, func(p Place) bool { return p.Count > 0 }) {
		err = t.note(ctx, func(e *Erasure) {
			for _, w := range went {
				e.found(w)
			}
			e.Parts[n] = busy == 0
		})
	}
	if err == nil && busy > 0 {
		return jobs.Next{Wait: logAgain, Code: "busy"}, nil // requests for some are under way: they are settled soon
	}
	return jobs.Next{}, err
}

// partition removes, or with dry counts, what is quarantined, dead and parked of a partition,
// and returns of how many deliveries requests are under way.
func (t *task) partition(ctx context.Context, p Partition, store Store, dry bool, tell func(Place)) (busy int, err error) {
	of := func(what func(*ledger.Row) bool, key func(*ledger.Row) string) []string {
		found := map[string]bool{}
		for _, r := range p.Rows() {
			if r.Workspace == t.ws && what(&r) && key(&r) != "" {
				found[key(&r)] = true
			}
		}
		return slices.Sorted(maps.Keys(found))
	}
	to := func(r *ledger.Row) string { return string(r.Destination) }
	for _, source := range of(func(r *ledger.Row) bool { return r.Quarantined > 0 }, func(r *ledger.Row) string { return string(r.Source) }) {
		f := quarantine.Filter{Workspace: t.ws, Source: id.Source(source), Is: t.w.Person.Is}
		n, err := p.Quarantine.Count(ctx, f)
		for span, left := (quarantine.Span{}), !dry && n > 0; left && err == nil; left = span != (quarantine.Span{}) {
			_, span, err = p.Quarantine.Discard(ctx, f, span)
		}
		if err != nil {
			return busy, err
		}
		tell(Place{Place: "quarantine", Count: int64(n)})
	}
	for _, dest := range of(func(r *ledger.Row) bool { return r.Dead > 0 || r.Parked > 0 }, to) {
		f := parked.Filter{Workspace: t.ws, Destination: id.Destination(dest), Is: t.w.Person.Is}
		name := t.cfg.Name(t.ws, f.Destination)
		n, left, err := store.DropWaiting(ctx, f, delivery.CodeErased, dry)
		if err != nil {
			return busy, err
		}
		busy += left
		tell(Place{Place: "parked", Name: name, Count: int64(n)})
		if dry {
			n, err = store.Count(ctx, f)
		} else {
			n, err = store.Discard(ctx, f)
		}
		if err != nil {
			return busy, err
		}
		tell(Place{Place: "dead", Name: name, Count: int64(n)})
	}
	return busy, nil
}

// rows removes those of the warehouses that are not done in this pass, and begins another
// pass unless this one found nothing.
func (t *task) rows(ctx context.Context) (jobs.Next, error) {
	var lacks []Lack
	for _, w := range t.cfg.Warehouses(t.ws) {
		if slices.Contains(t.e.Loaded, w.ID) {
			continue
		}
		went, err := t.warehouse(ctx, w)
		if ctx.Err() != nil {
			return jobs.Next{}, ctx.Err()
		}
		if reached := t.cfg.Reach("rows " + w.Name); reached != nil {
			return jobs.Next{}, reached
		}
		l := Lack{Place: "warehouse", Name: w.Name}
		if err != nil {
			l.Code, l.Never = codeOf(err)
		}
		if l.Code != "" && !l.Never {
			lacks = append(lacks, l)
		}
		err = t.note(ctx, func(e *Erasure) {
			for _, one := range went {
				e.found(Place{Place: "warehouse", Name: w.Name, Table: one.Name, Count: one.Rows})
			}
			if e.lacks(l); l.Code == "" || l.Never {
				e.Loaded = append(e.Loaded, w.ID)
			}
		})
		if err != nil {
			return jobs.Next{}, err
		}
	}
	if len(lacks) > 0 {
		return jobs.Next{Wait: lackAgain, Code: lacks[0].Code}, nil
	}
	until, err := t.until(ctx)
	if err != nil {
		return jobs.Next{}, err
	}
	return jobs.Next{More: true}, t.note(ctx, func(e *Erasure) {
		if e.Pass > 1 && e.Moved == 0 || e.Pass >= mostPasses {
			e.Stage = Profiles
			return
		}
		e.pass(until, len(t.cfg.Partitions))
		e.Pass++
	})
}

// warehouse removes the rows of one, and returns how many of which tables.
func (t *task) warehouse(ctx context.Context, w Warehouse) (went []erase.Table, err error) {
	ctx, cancel := context.WithTimeout(ctx, warehouses)
	defer cancel()
	if err := w.Load(ctx); err != nil {
		return nil, err
	}
	err = w.Rows(ctx, &t.w.Person, false, func(one erase.Table) error {
		went = append(went, one)
		return t.cfg.Reach("table " + one.Name)
	})
	return went, errors.Join(err, w.Forget(ctx))
}

// forget removes the person from profiles, and ends the erasure.
func (t *task) forget(ctx context.Context) (jobs.Next, error) {
	for _, k := range t.w.Known {
		n, err := t.cfg.Persons.Forget(ctx, t.ws, k, false)
		if err != nil && fault.KindOf(err) != fault.Missing {
			code, _ := codeOf(err)
			return t.lack(ctx, Lack{Place: string(Profiles), Name: k.Profile, Code: code})
		}
		if err := t.cfg.Reach("profiles"); err != nil {
			return jobs.Next{}, err
		}
		err = t.note(ctx, func(e *Erasure) {
			e.found(Place{Place: string(Profiles), Name: k.Profile, Table: k.Entity, Count: n})
			e.lacks(Lack{Place: string(Profiles), Name: k.Profile})
		})
		if err != nil {
			return jobs.Next{}, err
		}
	}
	return jobs.Next{More: true}, t.note(ctx, func(e *Erasure) { e.Stage, e.Loaded = Bytes, nil })
}

// bytes has files of warehouses written anew from which something was removed, which profiles
// do as well, and ends the erasure. A file for which that fails is named: the next erasure
// tries it again.
func (t *task) bytes(ctx context.Context) (jobs.Next, error) {
	for _, w := range t.cfg.Warehouses(t.ws) {
		if w.Rewrite == nil || slices.Contains(t.e.Loaded, w.ID) {
			continue
		}
		within, cancel := context.WithTimeout(ctx, warehouses)
		err := w.Rewrite(within, len(t.w.Known) > 0)
		cancel()
		if ctx.Err() != nil {
			return jobs.Next{}, ctx.Err()
		}
		if err := t.cfg.Reach("bytes " + w.Name); err != nil {
			return jobs.Next{}, err
		}
		l := Lack{Place: string(Bytes), Name: w.Name, Never: true}
		switch {
		case err == nil:
			l.Never = false
		case fault.KindOf(err) == fault.Limited:
			l.Code = "no_room"
		default:
			l.Code = "not_rewritten"
		}
		if err != nil {
			t.cfg.Log.WarnContext(ctx, "a file keeps bytes of what was removed", "workspace", string(t.ws), "destination", string(w.ID), "code", l.Code)
		}
		err = t.note(ctx, func(e *Erasure) {
			e.lacks(l)
			e.Loaded = append(e.Loaded, w.ID)
		})
		if err != nil {
			return jobs.Next{}, err
		}
	}
	err := t.note(ctx, func(e *Erasure) { e.end(Done, time.Now()) })
	if err == nil {
		t.cfg.Log.InfoContext(ctx, "erasure ended", "workspace", string(t.ws), "erasure", t.e.ID)
	}
	return jobs.Next{}, err
}

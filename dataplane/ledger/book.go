package ledger

import (
	"cmp"
	"maps"
	"slices"

	"weir/shared/id"
)

// Key names one book: a source's own (Destination empty), or a source's with
// one destination.
type Key struct {
	Workspace   id.Workspace
	Source      id.Source
	Destination id.Destination
}

// Key returns the book that d changes.
func (d Delta) Key() Key { return Key{d.Workspace, d.Source, d.Destination} }

// entry is one total of a book.
type entry struct {
	Key
	account Account
	code    string
}

// Book holds the totals of one partition. The zero value is empty. It is not
// safe for concurrent use.
type Book struct {
	totals map[entry]int64
}

// Apply books deltas. Order does not matter.
func (b *Book) Apply(deltas []Delta) {
	if b.totals == nil {
		b.totals = map[entry]int64{}
	}
	for _, d := range deltas {
		e := entry{d.Key(), d.Account, d.Code}
		if n := b.totals[e] + d.N; n != 0 {
			b.totals[e] = n
		} else {
			delete(b.totals, e)
		}
	}
}

// Total returns what an account of one book has, over all codes.
func (b *Book) Total(k Key, a Account) (n int64) {
	for e, m := range b.totals {
		if e.Key == k && e.account == a {
			n += m
		}
	}
	return n
}

// Totals returns everything booked as deltas that make an empty Book equal to
// this one, in a fixed order: the form in which a checkpoint keeps it.
func (b *Book) Totals() []Delta {
	all := make([]Delta, 0, len(b.totals))
	for e, n := range b.totals {
		all = append(all, Delta{e.Workspace, e.Source, e.Destination, e.account, e.code, n})
	}
	slices.SortFunc(all, compare)
	return all
}

// Rows returns the state of every book, in the order of their keys. inFlight is
// what was counted from frames, per book with a destination: a book that was
// only counted gets a row too. Balanced says whether Check holds for the row.
func (b *Book) Rows(inFlight map[Key]int64) []Row {
	rows := map[Key]*Row{}
	at := func(k Key) *Row {
		r := rows[k]
		if r == nil {
			r = &Row{Workspace: k.Workspace, Source: k.Source, Destination: k.Destination, Dropped: map[string]int64{}}
			rows[k] = r
		}
		return r
	}
	for e, n := range b.totals {
		r := at(e.Key)
		if e.account == Dropped {
			r.Dropped[e.code] += n
		} else if f := r.field(e.account); f != nil {
			*f += n
		}
	}
	for k, n := range inFlight {
		at(k).InFlight += n
	}
	for _, r := range rows {
		r.settleEarly()
	}
	all := make([]Row, 0, len(rows))
	for _, r := range rows {
		r.Balanced = Check(*r)
		all = append(all, *r)
	}
	slices.SortFunc(all, compareRows)
	return all
}

// settleEarly takes what Delivered is below zero from what is in flight or parked: a
// load may take back what it found in STAGE before its delivery is booked, after a
// death of the process in between.
func (r *Row) settleEarly() {
	for _, from := range []*int64{&r.InFlight, &r.Parked} {
		if n := min(-r.Delivered, *from); n > 0 {
			r.Delivered, *from = r.Delivered+n, *from-n
		}
	}
}

// field returns where r keeps account a; nil for Dropped and unknown ones.
func (r *Row) field(a Account) *int64 {
	switch a {
	case Accepted:
		return &r.Accepted
	case Replayed:
		return &r.Replayed
	case Duplicate:
		return &r.Duplicate
	case Quarantined:
		return &r.Quarantined
	case SourceRouted:
		return &r.SourceRouted
	case Unrouted:
		return &r.Unrouted
	case Routed:
		return &r.Routed
	case Added:
		return &r.Added
	case Delivered:
		return &r.Delivered
	case Parked:
		return &r.Parked
	case Dead:
		return &r.Dead
	}
	return nil
}

// Check reports whether the equation of r's kind of book holds with Waiting and
// InFlight as counted, and that no account is below zero.
func Check(r Row) bool {
	var dropped int64
	for _, n := range r.Dropped {
		if n < 0 {
			return false
		}
		dropped += n
	}
	for a := Accepted; a <= Dead; a++ {
		if f := r.field(a); f != nil && *f < 0 {
			return false
		}
	}
	if r.Destination == "" {
		return r.Waiting >= 0 && r.Accepted+r.Replayed == r.Waiting+r.Duplicate+r.Quarantined+dropped+r.SourceRouted+r.Unrouted
	}
	return r.InFlight >= 0 && r.Staged >= 0 && r.Routed+r.Added == r.Delivered+r.Staged+dropped+r.Quarantined+r.Parked+r.Dead+r.InFlight
}

// Merge adds rows of several partitions, one row for each book, in the order of
// their keys. A merged row is balanced when all its parts are.
func Merge(parts ...[]Row) []Row {
	rows := map[Key]*Row{}
	for _, part := range parts {
		for _, p := range part {
			k := Key{p.Workspace, p.Source, p.Destination}
			r := rows[k]
			if r == nil {
				p.Dropped = maps.Clone(p.Dropped)
				rows[k] = &p
				continue
			}
			for a := Accepted; a <= Dead; a++ {
				if f := r.field(a); f != nil {
					*f += *p.field(a)
				}
			}
			if r.Dropped == nil {
				r.Dropped = map[string]int64{}
			}
			for code, n := range p.Dropped {
				r.Dropped[code] += n
			}
			r.Waiting += p.Waiting
			r.Staged += p.Staged
			r.InFlight += p.InFlight
			r.Balanced = r.Balanced && p.Balanced
		}
	}
	all := make([]Row, 0, len(rows))
	for _, r := range rows {
		all = append(all, *r)
	}
	slices.SortFunc(all, compareRows)
	return all
}

// Stage moves in each row what waits of its book to be loaded from Delivered to Staged.
// It is as much of what is delivered at most: what is staged is counted a moment before
// its delivery is booked.
func Stage(rows []Row, waits map[Key]int64) {
	for i := range rows {
		r := &rows[i]
		n := min(waits[Key{r.Workspace, r.Source, r.Destination}], r.Delivered)
		r.Staged, r.Delivered = r.Staged+n, r.Delivered-n
		r.Balanced = r.Balanced && Check(*r)
	}
}

// Sum returns deltas with those of one account added up, without zeros, in the
// order of Totals: two lists that book the same have equal sums.
func Sum(deltas []Delta) []Delta {
	var b Book
	b.Apply(deltas)
	return b.Totals()
}

func compare(a, b Delta) int {
	return cmp.Or(cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.Source, b.Source),
		cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Code, b.Code))
}

func compareRows(a, b Row) int {
	return cmp.Or(cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Destination, b.Destination))
}

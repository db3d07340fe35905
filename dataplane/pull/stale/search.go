package stale

import (
	"context"
	"slices"
	"time"

	"weir/dataplane/ledger"
)

// Search is how far the search is for rows that a copy did not bring; it is a part of a
// stream's cursor.
type Search struct {
	Since time.Time `json:"since"`           // when the copy began
	Ended time.Time `json:"ended,omitzero"`  // zero: it has not ended
	Marks []string  `json:"marks,omitempty"` // keys of its last rows
	Place string    `json:"place,omitempty"`
}

// Bounds of searches.
const (
	mostMarks = 12
	page      = 1000
	// Again is how long a search waits for what was pulled before.
	Again = 10 * time.Second
)

// Mark notes rows that the copy brought, of which the last ones are the marks.
func (s *Search) Mark(keys ...string) {
	s.Marks = append(s.Marks, keys[max(0, len(keys)-mostMarks):]...)
	s.Marks = slices.Clone(s.Marks[max(0, len(s.Marks)-mostMarks):])
}

// Do goes on with the search until a time. gone is told of keys behind which the search
// is at once; those that are at the source after all it leaves out. Waits: it is to go on
// after Again. What is asked for with patience past is looked through without regard to
// what may still come; 0: that is never so.
func (s *Search) Do(ctx context.Context, stream string, now func() time.Time, until time.Time, patience time.Duration, find func(context.Context, Query) (Rows, error), gone func(keys []string) error) (done, waits bool, err error) {
	for !now().After(until) {
		q := Query{Stream: stream, Since: s.Since, Marks: s.Marks, Place: s.Place, Most: page}
		rows, err := find(ctx, q)
		if err != nil {
			return false, false, err
		}
		switch {
		case rows.Done:
			return true, false, nil
		case rows.Waits && (patience == 0 || now().Sub(s.Ended) < patience):
			return false, true, nil
		case rows.Waits: // it is looked through
			s.Place = rows.Place + "/"
			continue
		}
		s.Place = rows.Place
		if err := gone(rows.Keys); err != nil {
			return false, false, err
		}
	}
	return false, false, nil
}

// Quiet reports whether all that was accepted of a source is in a destination, or will never
// be: nothing waits in the books, and nothing came to be staged while they were read. Each
// of its sources says whether it is whole.
func Quiet(of ledger.Key, books func() ([]ledger.Row, bool), staged func() (map[ledger.Key]int64, bool)) bool {
	rows, whole := books()
	for _, r := range rows {
		if r.Workspace == of.Workspace && r.Source == of.Source && (r.Destination == "" && r.Waiting > 0 || r.Destination == of.Destination && r.InFlight+r.Parked+r.Staged > 0) {
			return false
		}
	}
	waiting, sure := staged()
	return whole && sure && waiting[of] == 0
}

// Package sift finds the rows that a table refuses: it merges the rows in halves of halves,
// in order, until each row that is refused is alone.
package sift

import (
	"slices"

	"weir/dataplane/warehouse/refusal"
)

const (
	// mostMerges is in how many parts a table is merged whose rows it refuses.
	mostMerges = 2000
	// mostAlone is how many rows are tried one by one when none is taken.
	mostAlone = 30
)

// Table is a table of which rows are merged, by their numbers. All fields are required.
type Table struct {
	// Merge merges rows that are next to each other, of which none has the number end or a
	// greater one; errors have the scope of package refusal.
	Merge  func(part []int64, end int64) error
	Refuse func(row []int64, why error) error
	Plan   func(end int64) error // keeps that the rows before end may be merged
	Note   func(end int64) error // keeps that the rows before end are merged or refused
	Again  func() bool           // a table that refuses all rows meanwhile is tried again first
}

// Sift merges the rows, which are in order, and refuses those that the table does not take.
// planned is what Plan kept last in an attempt before, else 0. whole is false when the rest of
// the rows counts as refused: past mostMerges, and when the first mostAlone rows are.
func (t *Table) Sift(rows []int64, planned int64) (whole bool, err error) {
	parts := halves(nil, rows)
	if n, _ := slices.BinarySearch(rows, planned); n > 0 && n < len(rows) {
		parts = [][]int64{rows[n:], rows[:n]}
	}
	taken, alone := false, 0
	for merges := 0; len(parts) > 0; merges++ {
		if merges >= mostMerges || !taken && alone >= mostAlone {
			return false, nil
		}
		part := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		end := part[len(part)-1] + 1
		if len(part) > 1 {
			if err := t.Plan(end); err != nil {
				return false, err
			}
		}
		err := t.Merge(part, end)
		switch scope := refusal.Of(err); {
		case err != nil && scope != refusal.Rows && (scope != refusal.Table || t.Again()):
			return false, err
		case err != nil && len(part) > 1:
			parts = halves(parts, part)
			continue
		case err != nil:
			alone++
			if err := t.Refuse(part, err); err != nil {
				return false, err
			}
		}
		taken = taken || err == nil
		if err := t.Note(end); err != nil {
			return false, err
		}
	}
	return true, nil
}

// halves puts the halves of part on parts, the first one last, as the next to be
// taken.
func halves(parts [][]int64, part []int64) [][]int64 {
	if len(part) < 2 {
		return append(parts, part)
	}
	half := len(part) / 2
	return append(parts, part[half:], part[:half])
}

package api

import (
	"errors"
	"slices"

	"weir/dataplane/pull"
	"weir/shared/catalog/streams/word"
)

// maxPages is how many pages one row's list has at most.
const maxPages = 10_000

// children reads the stream for each row of a page of the one that it is for, and goes on
// behind the page when that is done.
func (r *run) children(parents page, keys []string, behind position) error {
	for i, row := range parents.rows {
		if slices.Contains(r.p.Done, sum(keys[i])) {
			continue
		}
		if i > 0 && r.deps.Now().After(r.budget.Until) {
			return nil
		}
		records, err := r.of(row)
		if err != nil {
			return err
		}
		r.p.Done = append(slices.Clip(r.p.Done), sum(keys[i]))
		if len(records) == 0 && i < len(parents.rows)-1 {
			continue
		}
		if err := r.emit(records, r.p.cursor()); err != nil {
			return err
		}
	}
	r.p = behind
	return r.emit(nil, r.p.cursor())
}

// of reads the rows of one parent. A parent that is gone has none.
func (r *run) of(parent []byte) ([]pull.Record, error) {
	version := string(at(parent, []string{"updated_at"}))
	if c := r.listed.Cursor; c != nil {
		version = at(parent, c.Field).Text()
	}
	var all []pull.Record
	at := ""
	for range maxPages {
		got, err := r.fetch(&r.stream.Request, asking{parent: parent, page: at})
		var failure *pull.Failure
		if errors.As(err, &failure) && failure.Code == pull.CodeNoStream {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		keys := make([]string, len(got.rows))
		for i, row := range got.rows {
			key := keyOf(split(r.stream.Key), row)
			if key == "" {
				return nil, &pull.Failure{Code: pull.CodeAnswer, Text: "A row has no key."}
			}
			keys[i] = key
			all = append(all, pull.Record{Key: key, Version: version, Row: row, Deleted: holds(r.stream.Deletes.When, row)})
		}
		by := r.stream.Pages
		if got.last {
			return all, nil
		}
		if by.By == word.Offset {
			by.By, by.First = word.Offset, 0
		}
		if at = following(&by, at, got, keys); at == "" {
			return all, nil
		}
	}
	return nil, &pull.Failure{Code: pull.CodeAnswer, Text: "The pages of a row do not end."}
}

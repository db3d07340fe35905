package api

import (
	"errors"
	"slices"

	"weir/dataplane/pull"
	"weir/shared/catalog/streams/word"
)

// maxPages is how many pages one row's list has at most.
const maxPages = 10_000

// parent is a row of the stream that another is for.
type parent struct {
	key string
	row []byte
}

// children reads the stream for each of some rows of the one that it is for, and goes on
// behind them when that is done.
func (r *run) children(parents []parent, behind position) error {
	read := false // one at least, however long it took to ask for them
	for i, x := range parents {
		if slices.Contains(r.p.Done, sum(x.key)) {
			continue
		}
		if read && r.deps.Now().After(r.budget.Until) {
			return nil
		}
		records, err := r.of(x.row)
		if err != nil {
			return err
		}
		read = true
		r.p.Done = append(slices.Clip(r.p.Done), sum(x.key))
		if len(records) == 0 && i < len(parents)-1 {
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
	version := at(parent, []string{"updated_at"}).Text()
	if c := r.listed.Cursor; c != nil {
		version = at(parent, c.Field).Text()
	}
	if version == "" {
		version = r.p.To
	}
	var all []pull.Record
	at := ""
	for range maxPages {
		got, err := r.fetch(r.stream, asking{parent: parent, page: at})
		var failure *pull.Failure
		switch {
		case errors.As(err, &failure) && failure.Code == pull.CodeNoStream, errors.Is(err, errExpired) && at == "":
			return all, nil
		case errors.Is(err, errExpired):
			all, at = nil, ""
			continue
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

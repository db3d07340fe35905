package api

import (
	"errors"
	"fmt"
	"slices"

	"weir/dataplane/pull"
	"weir/dataplane/pull/api/answers"
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
	for _, x := range parents {
		if slices.Contains(r.p.Done, answers.Sum(x.key)) {
			continue
		}
		if read && r.deps.Now().After(r.budget.Until) {
			return nil
		}
		read = true
		var err error
		if r.inner() {
			err = r.inside(x)
		} else {
			err = r.of(x)
		}
		if err != nil || r.p.Inner != nil {
			return err
		}
	}
	behind.Known, behind.Done = r.p.Known, r.p.Done
	if len(behind.Done) > keepDone && behind.Open {
		behind.Done = slices.Clone(behind.Done[len(behind.Done)-keepDone:])
	}
	if !behind.Open {
		behind.Done = nil
	}
	r.p = behind
	return r.emit(nil, r.p.cursor())
}

// keepDone is how many parents are kept of pages before, which may come again.
const keepDone = 250

// done emits the last rows of a parent.
func (r *run) done(x parent, records []pull.Record) error {
	r.p.Done = append(slices.Clip(r.p.Done), answers.Sum(x.key))
	r.p.Inside, r.p.Inner = "", nil
	return r.emit(records, r.p.cursor())
}

// inside reads the list of one parent for the window, or a part of it: then there is an
// Inner. Of one that was not read before, the list is read from its beginning.
func (r *run) inside(x parent) error {
	c, known := r.stream.Cursor, answers.Sum(x.key)[:shortSum]
	if r.p.Inner == nil || r.p.Inside != answers.Sum(x.key) {
		from := parse(c, r.p.At)
		if !slices.Contains(r.p.Known, known) {
			from = r.oldest(c)
		}
		r.p.Inside, r.p.Inner = answers.Sum(x.key), &position{Open: true, At: write(c, floor(c, from)), To: r.p.To}
	}
	for {
		in := *r.p.Inner
		a := asking{parent: x.row, from: parse(c, in.At), to: parse(c, in.To), page: in.Page}
		if in.Back != nil {
			a.page = in.Former
		}
		got, err := r.fetch(r.stream, a)
		var failure *pull.Failure
		switch {
		case errors.As(err, &failure) && failure.Code == pull.CodeNoStream:
			return r.done(x, nil)
		case errors.Is(err, errExpired) && (in.Begun || in.Page != "") && in.Restarts < maxRestarts:
			in.Restarts++
			in.list()
			r.p.Inner = &in
			continue
		case err != nil:
			return err
		}
		keys, err := keysOf(r.stream, got.rows)
		if err != nil {
			return err
		}
		rows, their := got.rows, keys
		if c.Unfiltered {
			rows, their = since(c, parse(c, in.At), rows, keys)
		}
		records := r.records(r.stream, rows, their, in.To)
		if advance(&in, r.stream, c, got, keys) {
			if !slices.Contains(r.p.Known, known) {
				if len(r.p.Known) >= maxKnown {
					return &pull.Failure{Code: pull.CodeAnswer, Text: fmt.Sprintf("There are more than %d rows to read this stream for.", maxKnown)}
				}
				r.p.Known = append(slices.Clip(r.p.Known), known)
			}
			return r.done(x, records)
		}
		r.p.Inner = &in
		if err := r.emit(records, r.p.cursor()); err != nil {
			return err
		}
		if r.deps.Now().After(r.budget.Until) {
			return nil
		}
	}
}

// Bounds of what is known of parents, which a cursor holds.
const (
	maxKnown = 4000
	shortSum = 8
)

// of reads the rows of one parent. A parent that is gone has none.
func (r *run) of(x parent) error {
	parent := x.row
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
			return r.done(x, all)
		case errors.Is(err, errExpired):
			all, at = nil, ""
			continue
		}
		if err != nil {
			return err
		}
		keys, err := keysOf(r.stream, got.rows)
		if err != nil {
			return err
		}
		all = append(all, r.records(r.stream, got.rows, keys, version)...)
		by := r.stream.Pages
		if got.last {
			return r.done(x, all)
		}
		if by.By == word.Offset {
			by.By, by.First = word.Offset, 0
		}
		if at = following(&by, at, got, keys); at == "" {
			return r.done(x, all)
		}
	}
	return &pull.Failure{Code: pull.CodeAnswer, Text: "The pages of a row do not end."}
}

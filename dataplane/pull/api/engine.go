package api

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/api/answers"
	"weir/shared/catalog/document"
	"weir/shared/catalog/streams"
	"weir/shared/catalog/streams/word"
)

// How pages overlap, and how often a list begins again where nothing is met again.
const (
	overlap     = 10
	maxRestarts = 20
)

// Pull reads a stream.
func (s *source) Pull(ctx context.Context, name string, from pull.Cursor, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	stream := s.spec.Stream(name)
	if stream == nil {
		return pull.Next{}, &pull.Failure{Code: pull.CodeNoStream, Text: "The kind has no such stream any more."}
	}
	p, err := read(from)
	if err != nil {
		return pull.Next{}, &pull.Failure{Code: pull.CodeAnswer, Text: "The state of the stream is unreadable: reset it."}
	}
	r := &run{source: s, ctx: ctx, stream: stream, listed: stream, p: p, budget: b, emit: emit}
	if stream.For != "" {
		r.listed = s.spec.Stream(stream.For)
	}
	more, err := r.do()
	var wait waits
	if errors.As(err, &wait) {
		return pull.Next{Wait: max(wait.Duration, time.Millisecond)}, nil
	}
	return pull.Next{More: more}, err
}

// run is one step of one stream.
type run struct {
	*source
	ctx    context.Context
	stream *streams.Stream
	listed *streams.Stream // whose list is read: the stream, or the one for whose rows it is
	p      position
	budget pull.Budget
	emit   func([]pull.Record, pull.Cursor) error
}

// whole is the cursor of lists that are read whole: its value is when that began.
var whole = streams.Cursor{Type: word.RFC3339}

// cursor is that of windows: the list's, or of a stream for each row of another its own,
// which the list of those rows has nothing to do with.
func (r *run) cursor() *streams.Cursor {
	switch {
	case r.stream.Cursor != nil:
		return r.stream.Cursor
	case r.listed.Cursor != nil:
		return r.listed.Cursor
	}
	return &whole
}

// inner reports whether each row of another stream has a list with a cursor.
func (r *run) inner() bool { return r.stream.For != "" && r.stream.Cursor != nil }

// fed reports whether changes are told apart from the list, and read with it.
func (r *run) fed() *streams.Changes {
	if r.inner() {
		return nil
	}
	return r.listed.Changes
}

// do reads pages until the window ends or the budget does.
func (r *run) do() (more bool, err error) {
	for {
		switch {
		case !r.p.Open:
			if !r.begin() {
				return false, nil
			}
		case r.deps.Now().After(r.budget.Until):
			return true, nil
		}
		if r.fed() != nil && r.p.Listed {
			err = r.changes()
		} else {
			err = r.page()
		}
		if errors.Is(err, errExpired) {
			if !r.p.Begun && r.p.Page == "" && r.p.Job == "" || r.p.Restarts >= maxRestarts {
				return false, &pull.Failure{Code: pull.CodeRefused, Text: "The vendor refuses the position, and the beginning of the list."}
			}
			r.p.Restarts++
			r.p.list()
			err = r.emit(nil, r.p.cursor())
		}
		if err != nil || !r.p.Open {
			return err == nil && r.behind(), err
		}
	}
}

// behind reports whether the next window is due now: the one that ended was not up to now.
func (r *run) behind() bool {
	c := r.cursor()
	if ch := r.fed(); ch != nil {
		c = &ch.Cursor
	} else if c == &whole || c.Type == word.Integer {
		return false
	}
	if c.Restate > 0 || c.Span > 0 { // what may have changed is read again once in a run
		return parse(c, r.p.From) < parse(c, r.p.Pass)
	}
	return parse(c, r.p.From) < r.now()-c.Lag.Milliseconds()-time.Minute.Milliseconds()
}

// begin opens a window; false: there is none yet.
func (r *run) begin() bool {
	p, now := &r.p, r.now()
	if c := r.fed(); c != nil {
		return r.beginChanges(c, now)
	}
	c := r.cursor()
	from := r.first(c)
	p.list()
	p.Restarts = 0
	if c == &whole || c.Type == word.Integer {
		p.To = write(&whole, now)
	} else {
		to := floor(c, now-c.Lag.Milliseconds())
		if from >= to && p.From != "" {
			return false
		}
		fresh := p.From == "" || from >= parse(c, p.Pass)
		if p.From != "" && fresh {
			from = min(from, max(0, to-c.Restate.Milliseconds()))
		}
		if span := c.Span.Milliseconds(); span > 0 {
			if fresh {
				p.Pass = write(c, to)
			}
			to = min(from+span, parse(c, p.Pass))
		}
		p.To = write(c, max(to, from))
	}
	p.Open, p.At = true, write(c, floor(c, from))
	return true
}

// first is where a window begins.
func (r *run) first(c *streams.Cursor) reading {
	if r.p.From == "" && c.Type != word.Integer {
		return r.oldest(c)
	}
	return parse(c, r.p.From)
}

// oldest is where the first window begins.
func (r *run) oldest(c *streams.Cursor) reading {
	from := parse(&whole, r.budget.From)
	if c.Oldest > 0 {
		from = max(from, r.now()-c.Oldest.Milliseconds())
	}
	return from
}

// close ends the window.
func (r *run) close() {
	p, c := &r.p, r.cursor()
	p.Open = false
	switch {
	case r.fed() != nil: // its list was read
		p.Listed, p.From = true, p.Changed
	case c == &whole:
		p.From = p.To
	case c.Type == word.Integer:
		p.From = p.At
	default:
		p.From = p.To
	}
	p.list()
	p.To, p.At = "", ""
}

// page reads one page and goes on behind it.
func (r *run) page() error {
	p, c := &r.p, r.cursor()
	a := asking{from: parse(c, p.At), to: parse(c, p.To), page: p.Page}
	if r.inner() { // its rows are all asked for, whenever they changed
		c, a.from = &whole, 0
	}
	if p.Back != nil {
		a.page = p.Former
	}
	if r.stream.Job != nil && !p.Made {
		return r.job(a)
	}
	a.job = p.Job
	got, err := r.fetch(r.listed, a)
	if err != nil {
		return err
	}
	next := *p
	keys, err := keysOf(r.listed, got.rows)
	if err != nil {
		return err
	}
	closes := advance(&next, r.listed, c, got, keys)
	former := r.p
	if r.p = next; closes {
		r.close()
	}
	if r.stream.For != "" {
		behind := r.p
		r.p = former
		parents := make([]parent, len(keys))
		for i, key := range keys {
			parents[i] = parent{key, got.rows[i]}
		}
		return r.children(parents, behind)
	}
	if c != &whole && c.Unfiltered {
		got.rows, keys = since(c, parse(c, former.At), got.rows, keys)
	}
	all := r.records(r.listed, got.rows, keys, former.To)
	if n := r.stream.Compare; n > 0 {
		all, r.p.Sums = answers.Changed(all, n, r.p.Sums)
	}
	return r.emit(all, r.p.cursor())
}

// keysOf are what names rows.
func keysOf(s *streams.Stream, rows [][]byte) ([]string, error) {
	paths := split(s.Key)
	keys := make([]string, len(rows))
	for i, row := range rows {
		if keys[i] = answers.KeyOf(paths, row); keys[i] == "" {
			return nil, &pull.Failure{Code: pull.CodeAnswer, Text: "A row has no key."}
		}
	}
	return keys, nil
}

// since leaves out the rows that changed before a window, of a list that does not.
func since(c *streams.Cursor, from reading, rows [][]byte, keys []string) ([][]byte, []string) {
	var some [][]byte
	var their []string
	for i, row := range rows {
		if v, ok := valueOf(c, row); !ok || v >= from {
			some, their = append(some, row), append(their, keys[i])
		}
	}
	return some, their
}

// fetch asks for one page of a stream.
func (r *run) fetch(s *streams.Stream, a asking) (page, error) {
	q := &s.Request
	request, err := r.request(q, a)
	if err != nil {
		return page{}, err
	}
	res, err := r.send(request)
	if err != nil {
		return page{}, err
	}
	got, err := pageOf(q, res)
	if len(s.Add) > 0 {
		for i, row := range got.rows {
			got.rows[i] = r.added(s.Add, row, a)
		}
	}
	return got, err
}

// added is a row with more members. One that is a single reference is that value as it
// stands.
func (r *run) added(more []streams.Member, row []byte, a asking) []byte {
	rest := bytes.TrimLeft(row, " \t\r\n")
	if len(rest) < 2 || rest[0] != '{' {
		return row // it has no key either
	}
	out := []byte("{")
	for _, m := range more {
		var value []byte
		if path, whole := strings.CutPrefix(m.Value, "{parent."); whole && strings.Count(m.Value, "{") == 1 && strings.HasSuffix(path, "}") {
			value = at(a.parent, strings.Split(strings.TrimSuffix(path, "}"), "."))
		} else if text, ok := streams.Expand(m.Value, r.value(a)); ok {
			value = document.Quoted(text)
		}
		if value != nil {
			out = append(append(append(append(out, document.Quoted(m.Name)...), ':'), value...), ',')
		}
	}
	rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	if rest[0] == '}' && len(out) > 1 {
		out = out[:len(out)-1]
	}
	return append(out, rest...)
}

func split(keys []string) [][]string {
	paths := make([][]string, len(keys))
	for i, k := range keys {
		paths[i] = strings.Split(k, ".")
	}
	return paths
}

// records makes records of the rows of a list. began is when the list was begun, the
// version of rows without a cursor.
func (r *run) records(s *streams.Stream, rows [][]byte, keys []string, began string) []pull.Record {
	all := make([]pull.Record, 0, len(rows))
	for i, row := range rows {
		rec := pull.Record{Stream: s.Into, Key: keys[i], Version: began, Row: row, Deleted: answers.Holds(s.Deletes.When, row)}
		if c := s.Cursor; c != nil {
			rec.Version = at(row, c.Field).Text()
			if v, ok := valueOf(c, row); ok && c.Type != word.Integer {
				rec.At = time.UnixMilli(v).UTC()
			}
		}
		all = append(all, rec)
	}
	return all
}

package api

import (
	"slices"
	"strconv"

	"weir/dataplane/pull/api/answers"
	"weir/shared/catalog/streams"
	"weir/shared/catalog/streams/word"
)

// advance moves p behind a page that was read at it, and reports whether the window ends.
func advance(p *position, s *streams.Stream, c *streams.Cursor, got page, keys []string) (closes bool) {
	by := &s.Pages
	if c != &whole && c.Desc && passed(c, got.rows, parse(c, p.At)) {
		got.last = true
	}
	on := behind{Page: following(by, p.Page, got, keys), Tail: tail(keys), Last: got.last}
	if by.Moving && c != &whole && !c.Desc && !c.Unfiltered && !got.last {
		if v, ok := ascends(c, got.rows); ok && floor(c, v) > parse(c, p.At) {
			on = behind{At: write(c, floor(c, v))}
		}
	}
	switch {
	case p.Back != nil:
		return p.lookedBack(c, keys)
	case by.By == word.Offset && p.Begun && !p.meets(keys) && p.Restarts < maxRestarts*overlap:
		p.Restarts++
		p.stepBack(by.Size)
		return false
	case by.Moving && by.By != word.Offset && p.Begun:
		p.Back = &on
		return false
	}
	if c.Type == word.Integer && c != &whole && got.last {
		if v, ok := ascends(c, got.rows); ok {
			p.At = write(c, max(v, parse(c, p.At)))
		}
	}
	return p.goOn(c, on)
}

// goOn moves p behind a page, and reports whether the window ends.
func (p *position) goOn(c *streams.Cursor, on behind) (closes bool) {
	former := p.Page
	switch {
	case on.Last:
		return true
	case on.At != "":
		p.list()
		p.At, p.Restarts = on.At, 0
		return c.Type != word.Integer && parse(c, p.At) >= parse(c, p.To)
	}
	p.Page, p.Tail, p.Former, p.Begun, p.Back = on.Page, on.Tail, former, true, nil
	return false
}

// lookedBack goes on where a page was read again that rows may have moved to. Where none
// of its last rows is met, more has moved than a page: the list begins again.
func (p *position) lookedBack(c *streams.Cursor, keys []string) (closes bool) {
	if !p.meets(keys) && p.Restarts < maxRestarts {
		p.Restarts++
		p.list()
		return false
	}
	return p.goOn(c, *p.Back)
}

// stepBack goes back by so many rows.
func (p *position) stepBack(rows int) {
	n, _ := strconv.Atoi(p.Page) // our own
	if n -= rows; n > 0 {
		p.Page = strconv.Itoa(n)
		return
	}
	p.list()
}

// following is the page behind one.
func following(by *streams.Pages, page string, got page, keys []string) string {
	n, _ := strconv.Atoi(page) // of ways that count
	switch by.By {
	case word.Offset:
		return strconv.Itoa(n + len(keys) - shared(keys))
	case word.Page:
		return strconv.Itoa(max(n, by.First) + 1)
	case word.AfterID:
		if len(keys) > 0 {
			return keys[len(keys)-1]
		}
	}
	return got.next
}

// shared is how many rows of a page are read with the next one again.
func shared(keys []string) int { return min(overlap, len(keys)/2) }

// tail is what of a page has to be met again.
func tail(keys []string) []string {
	n := shared(keys)
	if n == 0 {
		n = len(keys)
	}
	var sums []string
	for _, key := range keys[len(keys)-n:] {
		sums = append(sums, answers.Sum(key))
	}
	return sums
}

// meets reports whether a page has one of the rows that have to be met again.
func (p *position) meets(keys []string) bool {
	return len(p.Tail) == 0 || slices.ContainsFunc(keys, func(key string) bool { return slices.Contains(p.Tail, answers.Sum(key)) })
}

// ascends returns the value of the last row, where the values of rows do not fall.
func ascends(c *streams.Cursor, rows [][]byte) (last reading, ok bool) {
	for i, row := range rows {
		v, ok := valueOf(c, row)
		if !ok || i > 0 && v < last {
			return 0, false
		}
		last = v
	}
	return last, len(rows) > 0
}

// passed reports whether the last row of a list that begins with the newest is older than
// the window.
func passed(c *streams.Cursor, rows [][]byte, from reading) bool {
	if len(rows) == 0 {
		return true
	}
	v, ok := valueOf(c, rows[len(rows)-1])
	return ok && v < from
}

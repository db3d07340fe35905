package api

import (
	"bytes"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/event"
	"weir/dataplane/pull"
	"weir/dataplane/pull/api/answers"
	"weir/shared/catalog/streams"
	"weir/shared/catalog/streams/word"
)

// at returns what stands at a path of a JSON value; see answers.At.
func at(v []byte, path []string) fields.Value { return answers.At(v, path) }

// page is one answer.
type page struct {
	rows [][]byte
	next string // the position behind it, of ways that the answer says; "" when there is none
	last bool
}

// pageOf reads an answer.
func pageOf(r *streams.Request, res destination.Response) (page, error) {
	var p page
	bad := func(text string) (page, error) { return p, &pull.Failure{Code: pull.CodeAnswer, Text: text} }
	if event.Check(res.Body, 200) != "" {
		return bad("The answer is not JSON.")
	}
	body := fields.Value(bytes.TrimSpace(res.Body))
	list := at(body, r.Rows)
	if list != nil && !list.IsList() || list == nil && at(body, r.Rows[:len(r.Rows)-1]) == nil {
		return bad("What should be the rows is no list.")
	}
	for e := range list.Elements() {
		if e = at(e, r.Row); e != nil {
			p.rows = append(p.rows, e)
		}
	}
	g := &r.Pages
	switch g.By {
	case word.Token, word.NextURL:
		p.next = at(body, g.Path).Text()
	case word.Link:
		p.next = answers.NextLink(res.Header)
	}
	is := func(path []string, word string) bool { return path != nil && string(at(body, path)) == word }
	switch {
	case g.By == word.One, is(g.Done, "true"), is(g.More, "false"):
		p.last = true
	case g.By == word.AfterID:
		p.last = len(p.rows) == 0 || g.More == nil && len(p.rows) < g.Size
	case g.By == word.Offset, g.By == word.Page:
		p.last = len(p.rows) == 0 || g.More == nil && g.Done == nil && len(p.rows) < g.Size
	default:
		p.last = p.next == "" || g.While != nil && at(body, g.While) == nil
	}
	if r.Columns != nil {
		p.rows = answers.Objects(r.Columns, body, p.rows)
	}
	return p, nil
}

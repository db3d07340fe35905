package api

import (
	"slices"
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/api/answers"
	"weir/shared/catalog/streams"
)

// Bounds of a window of changes, which is held in memory so that it can be put in order.
const (
	maxChanges     = 20_000
	maxChangeBytes = 32 << 20
	maxParents     = 1000 // of a window, of streams that are for each of its rows
	leastWindow    = 1000 // milliseconds
)

// beginChanges opens a window of a stream with changes; false: there is none yet. The
// first reads its list whole.
func (r *run) beginChanges(c *streams.Changes, now int64) bool {
	p := &r.p
	to := now - c.Cursor.Lag.Milliseconds()
	from := parse(&c.Cursor, p.From)
	if p.Listed && c.Keep > 0 && now-from > c.Keep.Milliseconds() {
		p.Listed = false // what happened meanwhile is not told any more
	}
	p.list()
	p.Restarts = 0
	if !p.Listed {
		p.Changed = write(&c.Cursor, to)
		p.Open, p.At, p.To = true, r.budget.From, write(&whole, now)
		return true
	}
	if from >= to {
		return false
	}
	p.Open, p.At, p.To = true, write(&c.Cursor, from), write(&c.Cursor, to)
	return true
}

// change is the newest change of a row.
type change struct {
	pull.Record
	at reading
	n  int
}

// changes reads the changes of a window, and emits the newest of each row in the order in
// which they happened. A window with more than may be held is made shorter.
func (r *run) changes() error {
	c := r.listed.Changes
	most := maxChanges
	if r.stream.For != "" {
		most = maxParents
	}
	from, to := parse(&c.Cursor, r.p.From), parse(&c.Cursor, r.p.To)
	newest := map[string]change{}
	size, n, page := 0, 0, ""
	for {
		got, err := r.fetchChanges(c, asking{from: from, to: to, page: page}, func(key string, x change) {
			x.n = n
			if n++; !newer(x, newest[key], c.Cursor.Desc) {
				return
			}
			newest[key] = x
			size += len(x.Row)
		})
		if err != nil {
			return err
		}
		if len(newest) > most || size > maxChangeBytes {
			if to-from <= leastWindow {
				return &pull.Failure{Code: pull.CodeAnswer, Text: "More rows change in a second than a window may hold."}
			}
			r.p.To = write(&c.Cursor, from+(to-from)/2)
			return r.emit(nil, r.p.cursor())
		}
		if page = got.next; got.last {
			break
		}
		if r.deps.Now().After(r.budget.Until.Add(time.Minute)) { // a shorter window fits into a step
			r.p.To = write(&c.Cursor, from+max((to-from)/2, leastWindow))
			return r.emit(nil, r.p.cursor())
		}
	}
	all := make([]change, 0, len(newest))
	for _, x := range newest {
		all = append(all, x)
	}
	slices.SortFunc(all, func(x, y change) int {
		if x.at != y.at {
			return int(min(max(x.at-y.at, -1), 1))
		}
		if c.Cursor.Desc {
			return y.n - x.n
		}
		return x.n - y.n
	})
	records := make([]pull.Record, len(all))
	for i, x := range all {
		records[i] = x.Record
	}
	behind := r.p
	behind.list()
	behind.Open, behind.From, behind.To, behind.At = false, r.p.To, "", ""
	if r.stream.For != "" {
		var parents []parent
		for _, rec := range records {
			if !rec.Deleted {
				parents = append(parents, parent{rec.Key, rec.Row})
			}
		}
		return r.children(parents, behind)
	}
	r.p = behind
	return r.emit(records, r.p.cursor())
}

// newer reports whether x happened after y, which the list named before it.
func newer(x, y change, desc bool) bool {
	if y.Key == "" || x.at != y.at {
		return y.Key == "" || x.at > y.at
	}
	return !desc
}

// fetchChanges reads a page of changes.
func (r *run) fetchChanges(c *streams.Changes, a asking, each func(key string, x change)) (page, error) {
	plain := c.Request
	plain.Row = nil
	request, err := r.request(&plain, a)
	if err != nil {
		return page{}, err
	}
	res, err := r.send(request)
	if err != nil {
		return page{}, err
	}
	got, err := pageOf(&plain, res)
	if err != nil {
		return got, err
	}
	ids := make([]string, len(got.rows))
	for i, told := range got.rows {
		ids[i] = at(told, []string{"id"}).Text()
		row := at(told, c.Row)
		key := answers.KeyOf(split(r.listed.Key), row)
		v, ok := valueOf(&c.Cursor, told)
		if key == "" || !ok {
			continue // it is about something else
		}
		x := change{at: v, Record: pull.Record{
			Stream: r.stream.Into, Key: key, Version: at(told, c.Cursor.Field).Text() + " " + ids[i], At: time.UnixMilli(v).UTC(), Row: row, Deleted: answers.Holds(c.Deletes, told),
		}}
		each(key, x)
	}
	got.next = following(&c.Pages, a.page, got, ids)
	return got, nil
}

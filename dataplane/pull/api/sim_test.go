package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/outbound/rate"
	"weir/dataplane/pull"
	"weir/dataplane/pull/api"
)

var seeds = flag.Int("seeds", 2, "how many runs of each kind of pages")

// tool is a vendor's list in memory: rows get times of whole seconds, appear late, and
// many get one time at once. Its clock goes on with each request.
type tool struct {
	r       *rand.Rand
	now     time.Time
	rows    map[int]*toolRow
	pages   string // how it divides lists
	size    int
	expires bool // tokens end at times
	often   int  // one of so many
	calm    int  // the higher, the less changes
	limits  bool // and so does the account's rate
	quiet   bool // nothing changes any more
	feed    bool // it tells of changes, and rows are deleted
	told    []told
}

// told is one change as the tool tells of it.
type told struct {
	id, row, n int
	deleted    bool
	at, seen   time.Time
}

type toolRow struct {
	id, n   int
	updated time.Time
	seen    time.Time // from when on it is in lists
	was     time.Time // its time before
	wasN    int
	gone    bool
}

// late is how long after its time a row may appear.
const late = 3 * time.Second

func newTool(seed uint64, pages string) *tool {
	t := &tool{often: 60, calm: 20, feed: pages == "feed", r: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), rows: map[int]*toolRow{}, pages: pages, size: 20}
	for range 60 {
		t.change(len(t.rows) + 1)
	}
	t.now = t.now.Add(time.Minute)
	return t
}

// change makes or changes a row.
func (t *tool) change(id int) {
	x := t.rows[id]
	if x == nil {
		x = &toolRow{id: id}
		t.rows[id] = x
	}
	if t.now.Before(x.seen) || x.gone {
		return // one change is under way
	}
	x.was, x.wasN = x.updated, x.n
	x.n++
	x.updated = t.now.Truncate(time.Second)
	x.seen = t.now.Add(time.Duration(t.r.Int64N(int64(late))))
	t.tell(x, false)
}

func (t *tool) tell(x *toolRow, deleted bool) {
	if t.feed {
		t.told = append(t.told, told{len(t.told) + 1, x.id, x.n, deleted, t.now.Truncate(time.Second), x.seen})
	}
}

// remove deletes a row that is in lists.
func (t *tool) remove(id int) {
	if x := t.rows[id]; x != nil && !x.gone && !t.now.Before(x.seen) {
		x.gone = true
		x.seen = t.now.Add(time.Duration(t.r.Int64N(int64(late))))
		t.tell(x, true)
	}
}

// live lets some time pass.
func (t *tool) live() {
	t.now = t.now.Add(time.Duration(t.r.Int64N(int64(400 * time.Millisecond))))
	switch n := t.r.IntN(t.calm); {
	case t.quiet:
	case n < 6:
		t.change(1 + t.r.IntN(len(t.rows)))
	case n < 9:
		t.change(len(t.rows) + 1)
	case n == 10 && t.feed:
		t.remove(1 + t.r.IntN(len(t.rows)))
	case n == 9: // many at once
		for range 30 + t.r.IntN(30) {
			t.change(1 + t.r.IntN(len(t.rows)+3))
		}
	}
}

// as returns a row as lists show it, false when they do not.
func (t *tool) as(x *toolRow) (n int, at time.Time, ok bool) {
	if x.gone {
		return 0, x.was, false
	}
	if t.now.Before(x.seen) {
		return x.wasN, x.was, x.wasN > 0
	}
	return x.n, x.updated, true
}

// answer answers a request.
func (t *tool) answer(raw string) destination.Response {
	t.live()
	u, _ := url.Parse(raw)
	q := u.Query()
	if t.limits && t.r.IntN(12) == 0 {
		return destination.Response{Status: 429, Header: http.Header{"Retry-After": {"7"}}}
	}
	group := -1
	if g, of := strings.CutPrefix(u.Path, "/groups/"); of {
		group, _ = strconv.Atoi(strings.TrimSuffix(g, "/rows"))
	}
	switch id, part := strings.CutPrefix(u.Path, "/rows/"); {
	case u.Path == "/groups":
		return t.groups()
	case part:
		return t.parts(strings.TrimSuffix(id, "/parts"), q)
	case u.Path == "/changes":
		return t.changes(q)
	}
	type shown struct {
		ID      int    `json:"id"`
		N       int    `json:"n"`
		Updated string `json:"updated"`
	}
	var all []shown
	for _, id := range slices.Sorted(maps.Keys(t.rows)) {
		if n, at, ok := t.as(t.rows[id]); ok && (group < 0 || id%groups == group) {
			all = append(all, shown{id, n, at.Format(time.RFC3339)})
		}
	}
	from, to := q.Get("since"), q.Get("until")
	all = slices.DeleteFunc(all, func(x shown) bool { return x.Updated < from || to != "" && x.Updated >= to })
	slices.SortStableFunc(all, func(x, y shown) int {
		if strings.HasPrefix(t.pages, "desc") {
			return strings.Compare(y.Updated+fmt.Sprintf("%06d", y.ID), x.Updated+fmt.Sprintf("%06d", x.ID))
		}
		return strings.Compare(x.Updated, y.Updated)
	})
	out := map[string]any{}
	start, h := 0, http.Header{"Date": {t.now.Format(http.TimeFormat)}}
	switch t.pages {
	case "offset":
		start, _ = strconv.Atoi(q.Get("offset"))
	case "page", "link", "moving token", "desc page":
		n, _ := strconv.Atoi(q.Get("page"))
		start = max(n-1, 0) * t.size
	case "token", "next_url": // stable: by time and id of the last row
		if token := q.Get("page"); token != "" {
			if t.expires && t.r.IntN(t.often) == 0 {
				return destination.Response{Status: 410, Header: h}
			}
			for start < len(all) && fmt.Sprintf("%s %06d", all[start].Updated, all[start].ID) <= token {
				start++
			}
		}
	case "desc": // stable: behind what was before
		for token := q.Get("page"); token != "" && start < len(all) && fmt.Sprintf("%s %06d", all[start].Updated, all[start].ID) >= token; {
			start++
		}
	case "feed": // the newest first by what does not change
		slices.SortFunc(all, func(x, y shown) int { return y.ID - x.ID })
		if id, _ := strconv.Atoi(q.Get("after")); id > 0 {
			if t.rows[id].gone && t.r.IntN(2) == 0 {
				return destination.Response{Status: 410, Header: http.Header{"Date": {t.now.Format(http.TimeFormat)}}}
			}
			for start < len(all) && all[start].ID >= id {
				start++
			}
		}
	case "after_id":
		if id, _ := strconv.Atoi(q.Get("after")); id > 0 {
			slices.SortFunc(all, func(x, y shown) int { return x.ID - y.ID })
			for start < len(all) && all[start].ID <= id {
				start++
			}
		} else {
			slices.SortFunc(all, func(x, y shown) int { return x.ID - y.ID })
		}
	}
	start = min(start, len(all))
	some := all[start:min(start+t.size, len(all))]
	more := start+t.size < len(all)
	next := ""
	if more {
		last := some[len(some)-1]
		switch t.pages {
		case "token", "desc":
			next = fmt.Sprintf("%s %06d", last.Updated, last.ID)
		case "moving token":
			n, _ := strconv.Atoi(q.Get("page"))
			next = strconv.Itoa(max(n, 1) + 1)
		case "link", "next_url":
			n, _ := strconv.Atoi(q.Get("page"))
			v := url.Values{"since": {from}, "page": {strconv.Itoa(max(n, 1) + 1)}}
			if t.pages == "next_url" {
				v.Set("page", fmt.Sprintf("%s %06d", last.Updated, last.ID))
			}
			if next = u.Path + "?" + v.Encode(); t.r.IntN(2) == 0 {
				next = "https://tool.example" + next
			}
		}
	}
	out["rows"], out["next"], out["more"] = some, next, more
	if t.pages == "link" && more {
		h.Set("Link", `<https://tool.example/first>; rel="first", <`+next+`>; rel="next"`)
	}
	body, _ := json.Marshal(out)
	return destination.Response{Status: 200, Header: h, Body: body}
}

// groups is how many there are; some appear late, with rows that have been for long.
const groups = 4

func (t *tool) groups() destination.Response {
	n := groups
	if t.now.Before(time.Date(2026, 3, 1, 0, 2, 0, 0, time.UTC)) {
		n = 2
	}
	var all []map[string]any
	for id := range n {
		all = append(all, map[string]any{"id": id})
	}
	body, _ := json.Marshal(map[string]any{"groups": all})
	return destination.Response{Status: 200, Header: http.Header{"Date": {t.now.Format(http.TimeFormat)}}, Body: body}
}

// parts answers with those of a row: as many as its number says, which change with it.
func (t *tool) parts(id string, q url.Values) destination.Response {
	h := http.Header{"Date": {t.now.Format(http.TimeFormat)}}
	i, _ := strconv.Atoi(id)
	x := t.rows[i]
	n, _, ok := 0, time.Time{}, false
	if x != nil {
		n, _, ok = t.as(x)
	}
	if !ok {
		return destination.Response{Status: 404, Header: h}
	}
	var all []map[string]any
	for part := range i % 5 {
		all = append(all, map[string]any{"id": part, "n": n})
	}
	start, _ := strconv.Atoi(q.Get("offset"))
	all = all[min(start, len(all)):min(start+2, len(all))]
	body, _ := json.Marshal(map[string]any{"parts": all})
	return destination.Response{Status: 200, Header: h, Body: body}
}

// changes answers with what the tool tells, the newest first.
func (t *tool) changes(q url.Values) destination.Response {
	var all []map[string]any
	from, to := q.Get("since"), q.Get("until")
	more := false
	for _, x := range slices.Backward(t.told) {
		at := x.at.Format(time.RFC3339)
		if id, _ := strconv.Atoi(q.Get("after")); t.now.Before(x.seen) || at < from || at >= to || id > 0 && x.id >= id {
			continue
		}
		if more = len(all) == t.size; more {
			break
		}
		kind := map[bool]string{false: "changed", true: "deleted"}[x.deleted]
		all = append(all, map[string]any{"id": x.id, "type": kind, "at": at, "data": map[string]any{"row": map[string]any{"id": x.row, "n": x.n}}})
	}
	body, _ := json.Marshal(map[string]any{"changes": all, "more": more})
	return destination.Response{Status: 200, Header: http.Header{"Date": {t.now.Format(http.TimeFormat)}}, Body: body}
}

// errDied is that the plane died at an emit.
var errDied = errors.New("died")

// simulate pulls a tool through changes and deaths, and returns what was lost or stale at
// its end, and how many rows were read for each that there is.
func simulate(t *testing.T, seed uint64, pages, spec string) (wrong []string, perRow float64) {
	t.Helper()
	tl := newTool(seed, pages)
	tl.expires, tl.limits = seed%2 == 0, seed%3 == 0
	stream := "rows"
	if strings.Contains(spec, "for: groups") {
		stream, tl.calm = "items", 60
	}
	if strings.Contains(spec, "for: rows") {
		stream, tl.often, tl.calm = "parts", 600, 600 // a request for each row: more changes than it can read otherwise
	}
	kind := api.Define([]byte("family: source\nname: tool\ntitle: Tool\ndoc: A test.\nbase: { any: \"https://tool.example\" }\nerrors: { 404: skip, 410: expired }\nstreams:\n  rows:\n    doc: Rows.\n    rows: rows\n    key: id\n" + spec))()
	opened, err := kind.Open(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	do := func(_ context.Context, r destination.Request, _ time.Duration, _ int) (destination.Response, error) {
		return tl.answer(r.URL), nil
	}
	deps := func() pull.Deps { // a restart knows nothing of before
		return pull.Deps{Do: do, Keys: auth.New(nil), Rates: &rate.Rates{}, Now: func() time.Time { return tl.now }, Log: slog.New(slog.DiscardHandler)}
	}
	puller := opened(deps())
	have, had := map[string]int{}, 0
	var cursor pull.Cursor
	step := func() (pull.Next, error) {
		return puller.Pull(t.Context(), stream, cursor, pull.Budget{Until: tl.now.Add(3 * time.Second)}, func(all []pull.Record, c pull.Cursor) error {
			if tl.r.IntN(25) == 0 {
				return errDied // before the rows are durable
			}
			for _, rec := range all {
				var x struct{ N int }
				if err := json.Unmarshal(rec.Row, &x); err != nil {
					t.Fatal(err)
				}
				if have[rec.Key] = x.N; rec.Deleted {
					delete(have, rec.Key)
				}
				had++
			}
			if tl.r.IntN(25) == 0 {
				return errDied // after they are, and before the cursor is
			}
			cursor = slices.Clone(c)
			return nil
		})
	}
	for calm, n := 0, 0; calm < 3; n++ {
		if n > 3000 {
			t.Fatalf("seed %d: it does not end", seed)
		}
		next, err := step()
		switch {
		case errors.Is(err, errDied):
			puller = opened(deps())
			continue
		case err != nil:
			t.Fatalf("seed %d: %v", seed, err)
		case next.Wait > 0:
			tl.now = tl.now.Add(next.Wait)
			continue
		case next.More:
			continue
		}
		tl.now = tl.now.Add(10 * time.Second) // until the next run
		if tl.quiet {
			calm++
		}
		tl.quiet = n > 60
		for range 40 {
			tl.live()
		}
	}
	for id, x := range tl.rows {
		want := x.n
		if x.gone {
			want = 0
		}
		if got := have[strconv.Itoa(id)]; stream != "parts" && got != want {
			wrong = append(wrong, fmt.Sprintf("row %d: %d, want %d", id, got, want))
		}
		for part := range id % 5 { // what was deleted with its row nobody tells
			if got := have[fmt.Sprintf("%d:%d", id, part)]; stream == "parts" && !x.gone && got != want {
				wrong = append(wrong, fmt.Sprintf("part %d of row %d: %d, want %d", part, id, got, want))
			}
		}
	}
	return wrong, float64(had) / float64(max(len(tl.rows), 1))
}

func TestNoRowIsLostOrStaleWhateverThePages(t *testing.T) {
	t.Parallel()
	const filtered = "    get: /rows\n    query: { since: \"{window.from}\", until: \"{window.to}\" }\n    cursor: { field: updated, lag: 5s }\n"
	const open = "    get: /rows\n    query: { since: \"{window.from}\" }\n    cursor: { field: updated, lag: 5s }\n"
	const parts = "  parts:\n    doc: Parts.\n    for: rows\n    get: \"/rows/{parent.id}/parts\"\n    rows: parts\n    key: [row, id]\n    add: { row: \"{parent.id}\" }\n    pages: { offset: offset, size: 2 }\n"
	const feed = "    get: /rows\n    pages: { after_id: after, more: more }\n    changes:\n      get: /changes\n      query: { since: \"{window.from}\", until: \"{window.to}\" }\n      pages: { after_id: after, more: more }\n      rows: changes\n      row: data.row\n      cursor: { field: at, lag: 5s, desc: true }\n      deletes: { when: { type: deleted } }\n"
	kinds := map[string]string{
		"desc, unfiltered":  "    get: /rows\n    pages: { token: next, param: page }\n    cursor: { field: updated, lag: 5s }\n",
		"desc":              "    get: /rows\n    pages: { token: next, param: page }\n    cursor: { field: updated, lag: 5s, desc: true }\n",
		"desc page":         "    get: /rows\n    pages: { page: page, size: 20 }\n    cursor: { field: updated, lag: 5s, desc: true }\n",
		"feed":              feed,
		"feed, its parts":   feed + parts,
		"token, its parts":  open + "    pages: { token: next, param: page }\n" + parts,
		"offset, its parts": filtered + "    pages: { offset: offset, size: 20 }\n" + parts,
		"token":             open + "    pages: { token: next, param: page }\n",
		"moving token":      filtered + "    pages: { token: next, param: page, moving: true }\n",
		"next_url":          open + "    pages: { next_url: next }\n",
		"link":              open + "    pages: { link: true }\n",
		"offset":            filtered + "    pages: { offset: offset, size: 20 }\n",
		"page":              filtered + "    pages: { page: page, size: 20 }\n",
		"after_id":          filtered + "    pages: { after_id: after, more: more }\n",
	}
	for kind, spec := range maps.Clone(kinds) { // of each group of rows a list
		if !strings.Contains(kind, ",") && kind != "feed" {
			kinds[kind+", by group"] = "    get: /rows\n  groups:\n    doc: Groups.\n    get: /groups\n    rows: groups\n    key: id\n  items:\n    doc: Rows of a group.\n    for: groups\n    rows: rows\n    key: id\n" +
				strings.Replace(spec, "get: /rows", "get: \"/groups/{parent.id}/rows\"", 1)
		}
	}
	for kind, spec := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			pages, _, _ := strings.Cut(kind, ",")
			total := 0.0
			for seed := range *seeds {
				wrong, perRow := simulate(t, uint64(seed), pages, spec)
				if total += perRow; len(wrong) > 0 {
					t.Fatalf("seed %d: %d rows are lost or stale: %v", seed, len(wrong), wrong[:min(len(wrong), 5)])
				}
			}
			t.Logf("%.2f rows read for each that there is", total/float64(*seeds))
		})
	}
}

package backfill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/load/columns"
	"weir/dataplane/load/stage"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/quoting"
	"weir/dataplane/warehouse/removal"
	"weir/shared/id"
)

// Sizes of a page: what is read of a window before it goes into the target.
const (
	pageRows  = 20_000
	pageBytes = 16 << 20
	idsAtOnce = 1000 // that the target is asked for
)

// Lengths of windows of time.
const (
	firstWindow = time.Hour
	leastWindow = time.Millisecond
	mostWindow  = 400 * 24 * time.Hour
)

// page is what became of a page, and where the next one begins.
type page struct {
	copied, there, without int64

	at     time.Time
	last   string
	window time.Duration
	done   bool
}

var errFull = errors.New("the page is full")

func prefix(into id.Destination) blob.Ref { return blob.Ref("backfill/" + string(into)) }

// page copies the next rows of a table: of the window from t.At on those after the id t.Last.
func (b *Board) page(ctx context.Context, blobs blob.Store, from, into Warehouse, x Backfill, t Table) (page, error) {
	p := page{at: t.At, last: t.Last, window: time.Duration(t.Window) * time.Millisecond}
	rows, err := b.window(ctx, from, x, t.Name, &p)
	if err != nil || len(rows) == 0 {
		return p, err
	}
	if err := b.reach("read"); err != nil {
		return p, err
	}
	w, err := into.Open(ctx)
	if err != nil {
		return p, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	for i := range rows {
		fit(&rows[i], from, into)
	}
	err = b.bring(ctx, blobs, w, into, x, rows, &p)
	return p, errors.Join(err, warehouse.Fail(warehouse.CodeFailed, w.Close()))
}

// window reads the rows of a page, and lets p say where the next one begins.
func (b *Board) window(ctx context.Context, from Warehouse, x Backfill, table string, p *page) (rows []layout.Row, err error) {
	w, err := from.Open(ctx)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	defer func() { err = errors.Join(err, warehouse.Fail(warehouse.CodeFailed, w.Close())) }()
	schema, err := w.Schema(ctx, []string{table})
	if err != nil {
		return nil, err
	}
	have := schema[table]
	if have.Columns == nil {
		p.done = true // somebody dropped it
		return nil, nil
	}
	received, name := quoting.Name(w, "received_at"), quoting.Name(w, table)
	if p.window == 0 || p.last == "" { // a new window begins where there are rows
		if p.window == 0 {
			p.window = firstWindow
		}
		since := x.Since
		if p.at.After(since) {
			since = p.at
		}
		where := received + " < " + moment(w, x.Until)
		if !since.IsZero() {
			where += " and " + received + " >= " + moment(w, since)
		}
		first, err := earliest(ctx, w, "select min("+received+") as at from "+name+" where "+where)
		if err != nil {
			return nil, err
		}
		if first.IsZero() {
			p.done = true
			return nil, nil
		}
		p.at = first.Truncate(time.Millisecond).Add(-time.Millisecond) // however the engine rounded it
	}
	end := p.at.Add(p.window)
	if end.After(x.Until) {
		end = x.Until
	}
	key := quoting.Name(w, "id")
	where := received + " >= " + moment(w, p.at) + " and " + received + " < " + moment(w, end)
	if p.last != "" {
		where += " and " + key + " > " + idText(w, have, p.last)
	}
	last, size, full := "", 0, false
	err = w.Query(ctx, "select * from "+name+" where "+where+" order by "+key, func(text []byte) error {
		r, id, err := rowOf(table, have, text)
		if err != nil {
			return err
		}
		if id == "" {
			p.without++
			return nil
		}
		if len(rows) >= pageRows || size >= pageBytes {
			full = true
			return errFull
		}
		rows, last, size = append(rows, r), id, size+len(text)
		return nil
	})
	switch {
	case full:
		p.last = last // the rest of the window is the next page's
		return rows, nil
	case err != nil:
		return nil, err
	}
	switch n := len(rows); {
	case p.last == "" && n < pageRows/4 && p.window < mostWindow:
		p.window *= 2
	case p.last != "" && p.window > leastWindow:
		p.window = max(leastWindow, (p.window / 2).Truncate(time.Millisecond))
	}
	p.at, p.last = end, ""
	p.done = !end.Before(x.Until)
	return rows, nil
}

// moment is a time's literal.
func moment(w warehouse.Warehouse, t time.Time) string {
	if m, ok := w.(interface{ Moment(time.Time) string }); ok {
		return m.Moment(t)
	}
	return removal.Moment(t)
}

// idText is an id as the column id of a table compares with it; empty where it never can.
func idText(w warehouse.Warehouse, have warehouse.TableSchema, id string) string {
	if have.Columns["id"].Type != layout.Int {
		return quoting.Text(w, id)
	}
	if n, err := strconv.ParseInt(id, 10, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// earliest asks for one time; zero: there is none.
func earliest(ctx context.Context, w warehouse.Warehouse, query string) (at time.Time, err error) {
	err = w.Query(ctx, query, func(row []byte) error {
		var values map[string]*string
		if err := json.Unmarshal(row, &values); err != nil {
			return fmt.Errorf("read a time: %w", err)
		}
		for _, v := range values {
			if v == nil {
				continue
			}
			if at, err = time.Parse(time.RFC3339Nano, *v); err != nil {
				return fmt.Errorf("read a time: %w", err)
			}
		}
		return nil
	})
	return at, err
}

// rowOf reads a row of a table. Columns without a value are left out.
func rowOf(table string, have warehouse.TableSchema, text []byte) (r layout.Row, id string, err error) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return r, "", fmt.Errorf("read a row: %w", err)
	}
	r.Table = table
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := bytes.TrimSpace(values[name])
		if _, ok := have.Columns[name]; !ok {
			name = strings.ToLower(name) // of kinds that fold names to upper case
		}
		c, ok := valueOf(name, have.Columns[name].Type, v)
		if !ok {
			continue
		}
		if name == "id" {
			id = c.Raw
		}
		r.Columns = append(r.Columns, c)
	}
	return r, id, nil
}

// valueOf is a value of a column; false for none.
func valueOf(name string, typ layout.Type, v []byte) (c layout.Column, ok bool) {
	if len(v) == 0 || v[0] == 'n' {
		return c, false
	}
	c = layout.Column{Name: name, Type: typ, Raw: string(v)}
	if v[0] == '"' && json.Unmarshal(v, &c.Raw) != nil {
		return c, false
	}
	switch {
	case typ == layout.Boolean && (c.Raw == "0" || c.Raw == "1"): // of kinds whose booleans are numbers
		c.Raw = strconv.FormatBool(c.Raw == "1")
	case typ != "":
	case v[0] == 't' || v[0] == 'f':
		c.Type = layout.Boolean
	case v[0] == '"' || v[0] == '{' || v[0] == '[':
		c.Type = layout.String
	case bytes.ContainsAny(v, ".eE"):
		c.Type = layout.Float
	default:
		c.Type = layout.Int
	}
	return c, true
}

// ofRudderStack are columns that RudderStack's layout makes and Segment's does not.
var ofRudderStack = []string{"channel", "context_request_ip", "context_passed_ip", "context_source_id", "context_source_type", "context_destination_id", "context_destination_type"}

// fit gives a row the names that the target takes. Between two layouts it leaves out what
// one of them makes and the other has from events.
func fit(r *layout.Row, from, into Warehouse) {
	limit := into.Layout.MaxName
	segment := into.Options.Layout == layout.Segment
	mixed := segment != (from.Options.Layout == layout.Segment)
	r.Columns = slices.DeleteFunc(r.Columns, func(c layout.Column) bool {
		return mixed && (slices.Contains(ofRudderStack, c.Name) || segment && (c.Name == "_user_id" && r.Table == "identifies" || c.Name == "record_id" && r.Table == "tracks"))
	})
	for i := range r.Columns {
		c := &r.Columns[i]
		if slices.Contains(into.Layout.SystemColumns, c.Name) {
			c.Name = "_" + c.Name
		}
		c.Name = short(c.Name, limit)
		if segment && r.Table == "users" && c.Name == "id" {
			c.Type = layout.String
		}
	}
	r.Table = short(r.Table, limit)
}

// short is a name of at most limit bytes, 0 for any: a cut one ends in its sum.
func short(name string, limit int) string {
	if limit == 0 || len(name) <= limit {
		return name
	}
	sum := fmt.Sprintf("_%08x", crc32.ChecksumIEEE([]byte(name)))
	return strings.ToValidUTF8(name[:limit-len(sum)], "") + sum
}

// bring merges those rows that the target does not have.
func (b *Board) bring(ctx context.Context, blobs blob.Store, w warehouse.Warehouse, into Warehouse, x Backfill, rows []layout.Row, p *page) error {
	table := rows[0].Table
	schema, err := w.Schema(ctx, []string{table})
	if err != nil {
		return err
	}
	all := len(rows)
	if rows, err = missing(ctx, w, table, schema[table], rows); err != nil {
		return err
	}
	p.there = int64(all - len(rows))
	if len(rows) == 0 {
		return nil
	}
	if err := blobs.Delete(ctx, prefix(into.ID)); err != nil { // of a page before
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	files := stage.New(blobs, blob.Ref(fmt.Sprintf("%s/%d", prefix(into.ID), x.Pages)))
	for i := range rows {
		if err = files.Add(ctx, int64(i+1), rows[i:i+1]); err != nil {
			break
		}
	}
	staged, ended := files.Finish(ctx)
	if err = errors.Join(err, ended); err != nil {
		return warehouse.Fail(warehouse.CodeStage, err)
	}
	for _, t := range staged {
		to, err := columns.Evolve(ctx, w, t, into.Layout.MaxName, nil)
		if err != nil {
			return err
		}
		if err := b.reach("altered"); err != nil {
			return err
		}
		// A repetition of the page has the same name, and a later page a greater one.
		to.Load = x.Created.Add(time.Duration(x.Pages)).Format("20060102T150405.000000000") + "-" + string(into.ID)
		var given []warehouse.Staged
		for _, f := range t.Files {
			given = append(given, warehouse.Staged{Ref: f.Ref, Columns: f.Columns})
		}
		if _, err := w.Merge(ctx, to, given); err != nil {
			return fmt.Errorf("merge rows of a backfill: %w", err)
		}
		p.copied += t.Rows
	}
	return warehouse.Fail(warehouse.CodeStage, blobs.Delete(ctx, prefix(into.ID)))
}

// missing returns the rows whose ids a table does not have. Of a warehouse that cannot be
// asked it returns all.
func missing(ctx context.Context, w warehouse.Warehouse, table string, have warehouse.TableSchema, rows []layout.Row) ([]layout.Row, error) {
	if have.Columns == nil {
		return rows, nil
	}
	there := map[string]bool{}
	for some := range slices.Chunk(rows, idsAtOnce) {
		var ids []string
		for i := range some {
			if text := idText(w, have, idOf(&some[i])); text != "" {
				ids = append(ids, text)
			}
		}
		if len(ids) == 0 {
			continue
		}
		key := quoting.Name(w, "id")
		err := w.Query(ctx, "select "+key+" from "+quoting.Name(w, table)+" where "+key+" in ("+strings.Join(ids, ", ")+")", func(text []byte) error {
			_, id, err := rowOf(table, have, text)
			there[id] = true
			return err
		})
		if warehouse.CodeOf(err) == warehouse.CodeUnsupported {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(rows, func(r layout.Row) bool { return there[idOf(&r)] }), nil
}

func idOf(r *layout.Row) string {
	for _, c := range r.Columns {
		if c.Name == "id" {
			return c.Raw
		}
	}
	return ""
}

package tables

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/pull"
	"weir/shared/catalog/document"
)

// Bounds of batches and statements.
const (
	batchBytes = 4 << 20
	// maxFormer is how many ends of windows a position keeps.
	maxFormer = 16
	// beforeInteger is how far before its end the next window of whole numbers begins where
	// no former window says how far is needed.
	beforeInteger = 1_000_000
)

// run is one step of one stream.
type run struct {
	Session
	cfg    *Config
	now    func() time.Time
	table  *Table
	budget pull.Budget

	batchRows, queryRows int // of a batch, and of a statement
	emit                 func([]pull.Record, pull.Cursor) error
	position

	by      []Column // the cursor column, where there is one, and those of the key
	cursor  int      // the column's index; -1: none
	key     []int
	deleted int
	names   [][]byte // of columns, as JSON with the colon

	batch []pull.Record
	size  int
}

// do reads on until the window ends or the budget does.
func (r *run) do(ctx context.Context) (more bool, err error) {
	if !r.Open {
		if err := r.begin(ctx); err != nil {
			return false, err
		}
	}
	for {
		if r.now().After(r.budget.Until) {
			return true, nil
		}
		ended, err := r.statement(ctx)
		if err != nil {
			return false, err
		}
		switch {
		case !ended:
		case r.Nulls: // the others now
			r.Nulls, r.At, r.Key = false, "", nil
			if r.To == "" {
				return false, r.close()
			}
		default:
			return false, r.close()
		}
	}
}

// begin opens a window.
func (r *run) begin(ctx context.Context) error {
	now, err := r.Now(ctx) // before the values: what is not there yet was written after it
	if err != nil {
		return err
	}
	r.Open, r.Rose, r.At, r.Key, r.Nulls, r.To = true, now.UTC().Format(time.RFC3339Nano), "", nil, false, ""
	if r.cursor < 0 {
		r.From = ""
		return nil
	}
	c := r.by[0]
	r.Nulls = c.Null
	if r.From == "" && r.budget.From != "" && c.Time {
		if from, err := time.Parse(time.RFC3339, r.budget.From); err == nil {
			r.From = r.Position(c, from)
		}
	}
	r.To, err = r.Greatest(ctx, r.table, c)
	return err
}

// statement reads so many rows behind the position; ended: there are no more.
func (r *run) statement(ctx context.Context) (ended bool, err error) {
	if r.cursor >= 0 && !r.Nulls && r.To == "" {
		return true, nil // no row has a value
	}
	q := Query{Table: r.table, By: r.by, Limit: r.queryRows}
	if r.cursor >= 0 {
		c := r.by[0]
		switch {
		case r.Nulls:
			q.By = r.by[1:]
			q.Where = append(q.Where, Bound{Column: c, Is: "is null"})
		default:
			if r.From != "" {
				q.Where = append(q.Where, Bound{c, ">=", r.From})
			}
			q.Where = append(q.Where, Bound{c, "<=", r.To})
			if len(r.Key) > 0 {
				q.After = []string{r.At}
			}
		}
	}
	if len(r.Key) > 0 {
		q.After = append(q.After, r.Key...)
	}
	rows := 0
	err = r.Rows(ctx, q, func(row [][]byte) error {
		rows++
		if err := r.take(row); err != nil {
			return err
		}
		if r.size >= batchBytes || len(r.batch) >= r.batchRows {
			if err := r.flush(); err != nil {
				return err
			}
			if r.now().After(r.budget.Until) {
				return errEnough
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return false, nil
	case err != nil:
		r.batch = nil
		return false, err
	}
	return rows < r.queryRows, r.flush()
}

// errEnough ends a statement in the middle.
var errEnough = errors.New("the time of the step is over")

// take makes a record of a row.
func (r *run) take(row [][]byte) error {
	key := make([]string, len(r.key))
	for i, n := range r.key {
		if row[n] == nil {
			return &pull.Failure{Code: pull.CodeAnswer, Text: "A row has no value in a column of its key: correct the setting keys."}
		}
		key[i] = positionOf(r.table.Columns[n], row[n])
	}
	rec := pull.Record{Key: strings.Join(key, ":"), Version: r.Rose}
	r.Key = key
	if r.cursor >= 0 {
		c := r.table.Columns[r.cursor]
		rec.Version, r.At = "", ""
		if v := row[r.cursor]; v != nil {
			r.At = positionOf(c, v)
			rec.Version = r.At
			if at, ok := r.Moment(c, r.At); ok && c.Time {
				rec.At = at
			}
		}
	}
	if r.deleted >= 0 {
		v := row[r.deleted]
		rec.Deleted = v != nil && !slices.Contains([]string{"0", "f", "false", "\x00"}, string(v))
	}
	size := 2
	for i, v := range row {
		size += len(r.names[i]) + len(v) + 4
	}
	b := append(make([]byte, 0, size+size/8), '{')
	for i, v := range row {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r.names[i]...)
		if v == nil {
			b = append(b, "null"...)
		} else {
			b = r.Append(b, r.table.Columns[i], v)
		}
	}
	rec.Row = append(b, '}')
	r.batch, r.size = append(r.batch, rec), r.size+len(rec.Row)
	return nil
}

// flush emits the batch with the position behind it.
func (r *run) flush() error {
	batch := r.batch
	if r.batch, r.size = nil, 0; len(batch) == 0 {
		return nil
	}
	return r.emit(batch, r.encoded())
}

func (r *run) encoded() pull.Cursor {
	b, err := json.Marshal(r.position)
	if err != nil {
		panic("a position that cannot be JSON: " + err.Error()) // texts and times
	}
	return b
}

// close ends the window and keeps where the next one begins.
func (r *run) close() error {
	r.Open, r.Nulls, r.At, r.Key = false, false, "", nil
	if r.cursor >= 0 && r.To != "" {
		r.From = r.next()
	}
	r.To, r.Rose = "", ""
	return r.emit(nil, r.encoded())
}

// next is where the window behind this one begins: no row that was not visible when this
// one was opened has a value before it.
func (r *run) next() string {
	c := r.by[0]
	rose, err := time.Parse(time.RFC3339Nano, r.Rose)
	if err != nil {
		return r.From
	}
	if c.Time {
		at, ok := r.Moment(c, r.To)
		if !ok || at.After(rose) { // such as infinity
			at = rose
		}
		return r.Position(c, at.Add(-r.cfg.Overlap))
	}
	if r.cfg.Overlap == 0 {
		return r.To
	}
	// What is not visible got its value after rose - overlap, and with it one that is not
	// before the greatest of that time.
	from := r.From
	limit := rose.Add(-r.cfg.Overlap)
	enough := -1
	for i, m := range r.Former {
		if !m.Rose.After(limit) {
			enough, from = i, m.To
		}
	}
	if enough > 0 {
		r.Former = r.Former[enough:]
	}
	if enough < 0 && c.Integer {
		from = before(r.To, from)
	}
	if n := len(r.Former); n == 0 || n < maxFormer && rose.Sub(r.Former[n-1].Rose) >= r.cfg.Overlap/(maxFormer/2) {
		r.Former = append(r.Former, mark{rose, r.To})
	}
	return from
}

// before is a whole number so far before to, or from where that is greater.
func before(to, from string) string {
	n, ok := new(big.Int).SetString(to, 10)
	if !ok {
		return from
	}
	n.Sub(n, big.NewInt(beforeInteger))
	if least, ok := new(big.Int).SetString(from, 10); ok && least.Cmp(n) > 0 {
		return from
	}
	return n.String()
}

// positionOf is a value as positions have it.
func positionOf(c Column, value []byte) string {
	if c.Binary {
		return hex.EncodeToString(value)
	}
	return string(bytes.ToValidUTF8(value, []byte("\uFFFD")))
}

func quotedName(name string) []byte { return append(document.Quoted(name), ':') }

// AppendText appends a text as JSON; what is not UTF-8 in it becomes U+FFFD.
func AppendText(dst, text []byte) []byte {
	dst, _ = jsontext.AppendQuote(dst, bytes.ToValidUTF8(text, []byte("\uFFFD")))
	return dst
}

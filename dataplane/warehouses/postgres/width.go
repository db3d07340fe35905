package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/warehouse"
)

// Sizes of a row. It has to fit a page of 8 KiB; a value that is longer than a pointer
// to it may lie elsewhere.
// Source: https://www.postgresql.org/docs/current/limits.html and
// https://www.postgresql.org/docs/current/storage-page-layout.html
const (
	// rowBytes is what the values of a row may take: 8,160 bytes without the header and
	// the bitmap of up to 1,600 columns.
	rowBytes     = 8160 - 24 - 200
	pointerBytes = 24 // of a value that lies elsewhere; shorter ones lie in the row
)

// mostBytes is the most that a value of a type of this length takes in a row; what has
// no fixed length is negative.
func mostBytes(length int16) int {
	if length < 0 || length > pointerBytes {
		return pointerBytes
	}
	return int(length+7) / 8 * 8
}

// column is how a column of a table lies in a row. at is its index in lines, -1 for one
// that is not among them and is null.
type column struct {
	at     int
	length int // -1: it varies
	align  int
}

// measure lets l keep rows within what the table takes, if they could be larger.
func (l *lines) measure(ctx context.Context, tx pgx.Tx, table string) error {
	if l.More < 0 || len(l.Columns)*pointerBytes <= rowBytes {
		return nil
	}
	rows, err := tx.Query(ctx, `select attname, attlen, case attalign when 'c' then 1 when 's' then 2 when 'i' then 4 else 8 end
		from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by attnum`, table)
	if err != nil {
		return failure(warehouse.CodeFailed, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var length int16
		var align int32
		if err := rows.Scan(&name, &length, &align); err != nil {
			return failure(warehouse.CodeFailed, err)
		}
		l.physical = append(l.physical, column{slices.Index(l.Columns, name), int(length), int(align)})
	}
	l.Narrow = l.fit
	return failure(warehouse.CodeFailed, rows.Err())
}

// bytes is what the values of a row take, at most.
func (l *lines) bytes(values [][]byte) (n int) {
	for _, c := range l.physical {
		if c.at < 0 || values[c.at] == nil {
			continue
		}
		size, align := c.length, c.align
		if size < 0 { // a short one has no alignment; a long one may lie elsewhere
			size, align = min(len(values[c.at])+4, pointerBytes), 1
			if size > 4+3 {
				size += 3 // what may come before it
			}
		}
		n = (n+align-1)/align*align + size
	}
	return n
}

// fit moves values of a row that does not fit into more, the last columns first, and
// returns more.
func (l *lines) fit(values [][]byte, more map[string]string) map[string]string {
	excess := l.bytes(values) - (rowBytes - pointerBytes)
	for i := len(l.Columns) - 1; i > 0 && excess > 0; i-- {
		if values[i] == nil || i == l.More || slices.Contains(firstColumns, l.Columns[i]) {
			continue
		}
		if more == nil {
			more = map[string]string{}
		}
		more[l.Columns[i]] = strings.ReplaceAll(string(values[i]), "\x00", "\uFFFD")
		values[i] = nil
		excess-- // a value takes a byte at least
		if excess == 0 || i%16 == 0 {
			excess = l.bytes(values) - (rowBytes - pointerBytes)
		}
	}
	return more
}

// firstColumns stay in the row.
var firstColumns = []string{"id", "received_at", "uuid_ts"}

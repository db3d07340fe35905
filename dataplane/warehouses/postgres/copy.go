package postgres

import (
	"bufio"
	"context"
	"strconv"
	"strings"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/texts"
)

// lines is the shape of COPY's lines for one table.
type lines struct {
	*texts.Shape
	// physical is the table's columns as they lie in a row; empty when every row fits.
	physical []column
}

func shape(t warehouse.Table) *lines { return &lines{Shape: texts.Of(t, "text", fitOf)} }

// write turns staged files into COPY's text format; with numbered, the order of
// rows comes first. Rows that keep refuses are left out.
func (l *lines) write(ctx context.Context, blobs blob.Store, out *bufio.Writer, files []warehouse.Staged, numbered bool, keep func(seq int64) bool) error {
	err := l.Each(ctx, blobs, files, keep, func(seq int64, values [][]byte) error {
		if numbered {
			_, _ = out.Write(strconv.AppendInt(out.AvailableBuffer(), seq, 10)) // a failed write shows at Flush
			_ = out.WriteByte('\t')
		}
		return texts.Line(out, values)
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

func joined(names []string, format string) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = strings.ReplaceAll(format, "?", quote(n))
	}
	return strings.Join(parts, ",")
}

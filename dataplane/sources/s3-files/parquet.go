package s3files

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"weir/shared/catalog/document"
)

// Bounds of files of Parquet: rows that are decoded at once, and how much is asked for at
// once.
const (
	parquetRows = 100
	parquetRead = 1 << 20
)

// ranged reads parts of an object. Its errors are failures.
type ranged struct {
	ctx  context.Context // of the step that reads it
	r    *run
	o    object
	last error
}

// ReadAt implements io.ReaderAt.
func (f *ranged) ReadAt(p []byte, at int64) (n int, err error) {
	defer func() {
		if err != nil && !errors.Is(err, io.EOF) {
			f.last = err
		}
	}()
	if at < 0 || at >= f.o.Size { // what the file says of itself is wrong
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), f.o.Size-at)]
	if len(p) == 0 {
		return 0, io.EOF
	}
	res, err := f.r.store.Part(f.ctx, f.o.Key, at, int64(len(p)))
	if err != nil {
		return 0, unreachable()
	}
	switch {
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusPartialContent && strings.Trim(res.Header.Get("ETag"), `"`) != strings.Trim(f.o.ETag, `"`):
		_ = res.Body.Close() // it went, or is another
		return 0, errChanged
	case res.StatusCode != http.StatusPartialContent:
		return 0, f.r.refused(res, "s3:GetObject", "/*")
	}
	defer func() { _ = res.Body.Close() }()
	if n, err = io.ReadFull(res.Body, p); err != nil {
		return n, unreachable()
	}
	return n, nil
}

// errChanged ends an object that is not the one of the list any more.
var errChanged = errors.New("the object was replaced")

// parquet calls each with rows of a Parquet file from behind the first skip, which it counts.
func (r *run) parquet(ctx context.Context, o object, skip int64, each func(row []byte, key string) error) (err error) {
	body := &ranged{ctx: ctx, r: r, o: o}
	defer func() {
		odd := recover() // the library panics over files that it does not expect
		switch {
		case body.last != nil:
			err = body.last
		case odd != nil:
			err = r.broken("is no Parquet that can be read")
		}
	}()
	if o.Size < 12 {
		return r.broken("is no Parquet")
	}
	file, err := parquet.OpenFile(body, o.Size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.OptimisticRead(true), parquet.ReadBufferSize(parquetRead))
	if err != nil {
		return r.broken("is no Parquet")
	}
	fields := file.Schema().Fields()
	names := make([][]byte, len(fields))
	for i, f := range fields {
		names[i] = append(document.Quoted(strings.ToValidUTF8(f.Name(), "\uFFFD")), ':')
	}
	in := parquet.NewGenericReader[any](file, exactly(file.Schema()))
	defer func() { _ = in.Close() }()
	if skip > 0 {
		if err := in.SeekToRow(min(skip, file.NumRows())); err != nil {
			return r.broken("is no Parquet that can be read")
		}
	}
	rows := make([]any, parquetRows)
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := in.Read(rows)
		for _, row := range rows[:n] {
			members, _ := row.(map[string]any)
			b := []byte{'{'}
			for i, f := range fields {
				if i > 0 {
					b = append(b, ',')
				}
				value, err := json.Marshal(plain(f, members[f.Name()]))
				if err != nil { // such as NaN
					value = []byte("null")
				}
				b = append(append(b, names[i]...), value...)
			}
			var parts []string
			for _, name := range r.keys {
				text := ""
				for _, f := range fields {
					if value := plain(f, members[f.Name()]); f.Name() == name && value != nil {
						text = fmt.Sprint(value)
					}
				}
				if text == "" {
					return r.broken("has a row without a value of " + name + ", which the setting keys names")
				}
				parts = append(parts, text)
			}
			if err := each(append(b, '}'), strings.Join(parts, ":")); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return r.broken("is no Parquet that can be read")
		}
	}
}

// plain is a value of a node as JSON has it: times as texts, bytes as base64, numbers as
// they are.
// Source: https://github.com/apache/parquet-format/blob/master/LogicalTypes.md
func plain(node parquet.Node, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		if !node.Leaf() && len(node.Fields()) == 1 && !node.Fields()[0].Leaf() && !node.Fields()[0].Optional() && node.Fields()[0].Repeated() { // a list, with its group between
			if between := node.Fields()[0]; len(between.Fields()) == 1 {
				node = between.Fields()[0]
			}
		}
		for i := range v {
			v[i] = plain(node, v[i])
		}
		return v
	case map[string]any:
		for name, x := range v {
			for _, f := range node.Fields() {
				if f.Name() == name {
					v[name] = plain(f, x)
				}
			}
		}
		return v
	}
	if !node.Leaf() {
		return v
	}
	var logical format.LogicalTypeValue
	if t := node.Type().LogicalType(); t != nil {
		logical = t.Value
	}
	switch x := v.(type) {
	case int32:
		if _, ok := logical.(*format.DateType); ok {
			return time.Unix(int64(x)*86400, 0).UTC().Format(time.DateOnly)
		}
	case int64:
		if t, ok := logical.(*format.TimestampType); ok && t.Unit.Value != nil {
			at := time.Unix(0, x)
			switch t.Unit.Value.Duration() {
			case time.Millisecond:
				at = time.UnixMilli(x)
			case time.Microsecond:
				at = time.UnixMicro(x)
			}
			return at.UTC().Format(time.RFC3339Nano)
		}
	case string:
		if logical == nil && node.Type().ConvertedType() == nil {
			return base64.StdEncoding.EncodeToString([]byte(x))
		}
		return strings.ToValidUTF8(x, "\uFFFD")
	case []byte:
		if _, ok := logical.(*format.UUIDType); ok && len(x) == 16 {
			return fmt.Sprintf("%x-%x-%x-%x-%x", x[:4], x[4:6], x[6:8], x[8:10], x[10:])
		}
	}
	return v
}

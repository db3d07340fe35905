package s3files

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/dataplane/event"
	"weir/dataplane/pull"
	"weir/shared/catalog/document"
)

// errEnough ends an object in the middle.
var errEnough = errors.New("the time of the step is over")

// read reads an object from where the position is in it; ended: to its end.
func (r *run) read(ctx context.Context, o object) (ended bool, err error) {
	if sum := o.sum(); !bytes.Equal(r.Sum, sum) {
		r.At, r.Sum, r.Row = o.Key, sum, 0
	}
	if name := strings.ToLower(o.Key); r.Format == "parquet" || r.Format == "auto" && strings.HasSuffix(name, ".parquet") {
		n := r.Row
		err := r.parquet(ctx, o, n, r.rows(o, &n))
		switch {
		case errors.Is(err, errEnough):
			return false, nil
		case errors.Is(err, errChanged): // which the next list has
			r.batch, r.size = nil, 0
			return true, nil
		}
		return err == nil, err
	}
	res, err := r.store.Get(ctx, o.Key, nil)
	if err != nil {
		return false, unreachable()
	}
	switch {
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusOK && strings.Trim(res.Header.Get("ETag"), `"`) != strings.Trim(o.ETag, `"`):
		_ = res.Body.Close() // it went, or is another, which the next list has
		return true, nil
	case res.StatusCode != http.StatusOK:
		return false, r.refused(res, "s3:GetObject", "/*")
	}
	defer func() { _ = res.Body.Close() }()
	body := bufio.NewReaderSize(res.Body, 256<<10)
	if magic, _ := body.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(body)
		if err != nil {
			return false, r.broken("is not gzip")
		}
		body = bufio.NewReaderSize(z, 256<<10)
	}
	if mark, _ := body.Peek(3); string(mark) == "\uFEFF" {
		_, _ = body.Discard(3)
	}
	n := int64(0)
	each := r.rows(o, &n)
	switch name := strings.TrimSuffix(strings.ToLower(o.Key), ".gz"); {
	case r.Format == "csv" || r.Format == "auto" && (strings.HasSuffix(name, ".csv") || strings.HasSuffix(name, ".tsv")):
		comma, _ := utf8.DecodeRuneInString(r.Delimiter)
		if strings.HasSuffix(name, ".tsv") {
			comma = '\t'
		}
		err = r.csv(ctx, body, comma, each)
	case r.Format == "json" || r.Format == "auto" && (strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".ndjson")):
		err = r.lines(ctx, body, each)
	default:
		err = &pull.Failure{Code: pull.CodeAnswer, Text: "The end of an object's key says no format: correct the setting files, or say format."}
	}
	if errors.Is(err, errEnough) {
		return false, nil
	}
	return err == nil, err
}

// rows returns what takes the rows of an object, one after the other; n counts them.
func (r *run) rows(o object, n *int64) func(row []byte, key string) error {
	file := append(append([]byte(`{"__file":`), document.Quoted(o.Key)...), ',')
	return func(row []byte, key string) error {
		if *n++; *n <= r.Row {
			return nil
		}
		if key == "" {
			key = o.Key + "#" + strconv.FormatInt(*n, 10)
		}
		if len(row) > 1 && row[0] == '{' {
			rest := bytes.TrimLeft(row[1:], " \t")
			row = append(append(make([]byte, 0, len(file)+len(rest)), file...), rest...)
			if rest[0] == '}' {
				row = append(row[:len(file)-1], rest...)
			}
		}
		r.batch = append(r.batch, pull.Record{Key: key, Version: o.LastModified.Format("2006-01-02T15:04:05.000Z"), At: o.LastModified, Row: row})
		if r.size += len(row); r.size < batchBytes && len(r.batch) < batchRows {
			return nil
		}
		r.Row = *n
		if err := r.flush(); err != nil {
			return err
		}
		if r.deps.Now().After(r.budget.Until) {
			return errEnough
		}
		return nil
	}
}

// broken is the failure of a file that cannot be read. Which one it is, the cursor says.
func (r *run) broken(how string) error {
	r.batch, r.size = nil, 0
	return &pull.Failure{Code: pull.CodeAnswer, Text: "The file that the cursor is at " + how + ": replace it or remove it."}
}

// flush emits the batch with the position behind it.
func (r *run) flush() error {
	batch := r.batch
	r.batch, r.size = nil, 0
	return r.emit(batch, r.encoded())
}

// csv calls each with rows of a CSV file, as objects of texts.
func (r *run) csv(ctx context.Context, body io.Reader, comma rune, each func(row []byte, key string) error) error {
	record := &bounded{body, maxRecord}
	in := csv.NewReader(record)
	in.Comma, in.ReuseRecord, in.FieldsPerRecord = comma, true, 0
	var names [][]byte
	var key []int
	for {
		cells, err := in.Read()
		var odd *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &odd):
			return r.broken(fmt.Sprintf("is no CSV in line %d, or the line has not as many values as the first", odd.StartLine))
		case err != nil:
			return r.ended(err)
		}
		record.left = maxRecord
		if names == nil {
			if names, key, err = r.header(cells); err != nil {
				return err
			}
			continue
		}
		row := []byte{'{'}
		for i, cell := range cells {
			if i > 0 {
				row = append(row, ',')
			}
			if row = append(row, names[i]...); cell == "" {
				row = append(row, "null"...)
			} else {
				row = append(row, document.Quoted(strings.ToValidUTF8(cell, "\uFFFD"))...)
			}
		}
		var parts []string
		for _, i := range key {
			parts = append(parts, cells[i])
		}
		if err := each(append(row, '}'), strings.ToValidUTF8(strings.Join(parts, ":"), "\uFFFD")); err != nil {
			return err
		}
	}
}

// header returns the names of columns as JSON with the colon, and which make the key.
func (r *run) header(cells []string) (names [][]byte, key []int, err error) {
	for i, name := range cells {
		if cells[i] = strings.TrimSpace(name); cells[i] == "" {
			cells[i] = "column_" + strconv.Itoa(i+1)
		}
		if slices.Contains(cells[:i], cells[i]) {
			return nil, nil, r.broken(fmt.Sprintf("has a first line in which columns 1 to %d do not differ", i+1))
		}
		names = append(names, append(document.Quoted(strings.ToValidUTF8(cells[i], "\uFFFD")), ':'))
	}
	for _, name := range r.keys {
		i := slices.Index(cells, name)
		if i < 0 {
			return nil, nil, r.broken("has no column " + name + ", which the setting keys names")
		}
		key = append(key, i)
	}
	return names, key, nil
}

// lines calls each with the lines of a file of JSON objects.
func (r *run) lines(ctx context.Context, body io.Reader, each func(row []byte, key string) error) error {
	in := bufio.NewScanner(body)
	in.Buffer(make([]byte, 0, 64<<10), 2*event.MaxBytes)
	for n := 1; in.Scan(); n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		line := bytes.TrimSpace(in.Bytes())
		if len(line) == 0 {
			continue
		}
		var parts []string
		if len(r.keys) > 0 {
			var members map[string]json.RawMessage
			_ = json.Unmarshal(line, &members) // a line that is no object has no key
			for _, name := range r.keys {
				value, text := members[name], ""
				if json.Unmarshal(value, &text) != nil {
					text = string(value)
				}
				if text == "" || text == "null" {
					return r.broken(fmt.Sprintf("has no value of %s in line %d, which the setting keys names", name, n))
				}
				parts = append(parts, text)
			}
		}
		if err := each(bytes.Clone(line), strings.Join(parts, ":")); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return r.ended(err)
	}
	return nil
}

// maxRecord is how much is read for one record of a CSV file, about.
const maxRecord = 4 << 20

// bounded reads so much, until left is set anew: a quotation mark too many makes the rest
// of a file one value.
type bounded struct {
	io.Reader
	left int
}

var errTooLong = errors.New("the record is too long")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.Reader.Read(p)
	b.left -= n
	return n, err
}

// ended is the failure of a file whose reading ended with an error.
func (r *run) ended(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, bufio.ErrTooLong), errors.Is(err, errTooLong):
		return r.broken("has a line of more than 2 MiB, or a quotation mark that has no second one")
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, &corrupt):
		return r.broken("is not gzip")
	}
	return unreachable()
}

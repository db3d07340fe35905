package s3

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
)

// file is what of a batch goes into one file.
type file struct {
	key    string
	items  []int
	events []destination.Item
}

// mostFiles is in how many files a batch is divided; what would come into further ones is
// in the file that is named by the prefix before the first part that events fill in.
const mostFiles = 500

// divide puts each item into the file of its prefix, in order.
func (b *sink) divide(batch destination.Batch) []*file {
	var files []*file
	at := map[string]*file{}
	for i, item := range batch.Items {
		prefix := b.prefix(&item)
		if at[prefix] == nil && len(files) >= mostFiles {
			prefix, _, _ = strings.Cut(b.settings.Prefix, "{")
		}
		f := at[prefix]
		if f == nil {
			f = &file{key: prefix + batch.Name + b.end()}
			files, at[prefix] = append(files, f), f
		}
		f.items, f.events = append(f.items, i), append(f.events, item)
	}
	return files
}

// prefix is what the key of the item's file begins with.
func (b *sink) prefix(item *destination.Item) string {
	e, at := &item.Event, item.Event.ReceivedAt.UTC()
	var s strings.Builder
	rest := b.settings.Prefix
	for {
		before, after, found := strings.Cut(rest, "{")
		s.WriteString(before)
		if !found {
			return s.String()
		}
		var name string
		name, rest, _ = strings.Cut(after, "}") // the spec's pattern wants it
		switch name {
		case "type":
			s.WriteString(plain(e.Type))
		case "event":
			s.WriteString(plain(item.Fields().Name.Text()))
		case "source":
			s.WriteString(plain(string(e.Source)))
		case "workspace":
			s.WriteString(plain(string(e.Workspace)))
		case "yyyy":
			s.WriteString(at.Format("2006"))
		case "MM":
			s.WriteString(at.Format("01"))
		case "dd":
			s.WriteString(at.Format("02"))
		case "HH":
			s.WriteString(at.Format("15"))
		}
	}
}

// mostPlain is the most bytes of a key that come from one field of an event.
const mostPlain = 100

// plain writes a text of an event as a part of a key: letters, digits, "-", "_" and ".",
// with "_" for all else, and no part that leads elsewhere.
func plain(text string) string {
	p := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, text)
	if strings.Trim(p, ".") == "" {
		return "_"
	}
	return p[:min(len(p), mostPlain)]
}

// end is how the names of files end.
func (b *sink) end() string {
	if b.settings.Format == "parquet" {
		return ".parquet"
	}
	return map[string]string{"gzip": ".json.gz", "zstd": ".json.zst"}[b.settings.Compression] + map[bool]string{true: ".json"}[b.settings.Compression == "none"]
}

// encode writes a file. Equal events give equal bytes.
func (b *sink) encode(f *file) ([]byte, error) {
	var out bytes.Buffer
	var err error
	if b.settings.Format == "parquet" {
		err = b.parquet(&out, f)
	} else {
		err = b.lines(&out, f)
	}
	if err != nil {
		return nil, fmt.Errorf("write a file: %w", err)
	}
	return out.Bytes(), nil
}

// lines writes each event as a line.
func (b *sink) lines(out io.Writer, f *file) error {
	to := io.WriteCloser(unclosed{out})
	switch b.settings.Compression {
	case "gzip":
		to = gzip.NewWriter(out)
	case "zstd":
		w, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		to = w
	}
	var line bytes.Buffer
	for _, item := range f.events {
		text := item.Body()
		if bytes.ContainsAny(text, "\n\r") {
			line.Reset()
			if err := json.Compact(&line, text); err != nil {
				return err
			}
			text = line.Bytes()
		}
		if _, err := to.Write(text); err != nil {
			return err
		}
		if _, err := to.Write([]byte{'\n'}); err != nil {
			return err
		}
	}
	return to.Close()
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// row is an event in a Parquet file.
type row struct {
	MessageID   string    `parquet:"message_id"`
	Type        string    `parquet:"type"`
	Event       *string   `parquet:"event,optional"`
	UserID      *string   `parquet:"user_id,optional"`
	AnonymousID *string   `parquet:"anonymous_id,optional"`
	ReceivedAt  time.Time `parquet:"received_at,timestamp(millisecond)"`
	SourceID    string    `parquet:"source_id"`
	JSON        string    `parquet:"json,json"`
}

// mostRows is how many rows are made at once.
const mostRows = 512

func (b *sink) parquet(out io.Writer, f *file) error {
	codec := parquet.Compression(&parquet.Uncompressed)
	switch b.settings.Compression {
	case "gzip":
		codec = parquet.Compression(&parquet.Gzip)
	case "zstd":
		codec = parquet.Compression(&parquet.Zstd)
	}
	w := parquet.NewGenericWriter[row](out, codec)
	rows := make([]row, 0, mostRows)
	for i := range f.events {
		item := &f.events[i]
		e, given := &item.Event, item.Fields()
		rows = append(rows, row{
			MessageID: string(e.MessageID), Type: e.Type, Event: text(given.Name), UserID: text(given.UserID), AnonymousID: text(given.AnonymousID),
			ReceivedAt: e.ReceivedAt, SourceID: string(e.Source), JSON: string(item.Body()),
		})
		if len(rows) == mostRows || i == len(f.events)-1 {
			if _, err := w.Write(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	return w.Close()
}

// text is a value as text, nil for none.
func text(v fields.Value) *string {
	if len(v) == 0 || string(v) == "null" {
		return nil
	}
	s := v.Text()
	return &s
}

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// plane is a plane with objects in memory.
type plane struct {
	t       *testing.T
	mu      sync.Mutex
	objects map[string][]byte
	// before, when not nil, is called once, before an object is written where there is none.
	before func(key string)

	ask    io.Writer
	answer *json.Decoder
}

func newPlane(t *testing.T) *plane {
	p := &plane{t: t, objects: map[string][]byte{}}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: p}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	in, ask := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(context.Background(), newHost(socket), in, out) }()
	p.ask, p.answer = ask, json.NewDecoder(answers)
	t.Cleanup(func() {
		_ = ask.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	p.must(request{Op: "open", Root: "s3://files", Location: "s3://files/weir", Namespace: "events"})
	return p
}

func (p *plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	body, _ := io.ReadAll(r.Body)
	only := r.Header.Get("If-None-Match") == "*"
	p.mu.Lock()
	before := p.before
	if only {
		p.before = nil
	}
	p.mu.Unlock()
	if only && before != nil {
		before(key)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	content, there := p.objects[key]
	switch {
	case r.Method == http.MethodGet && there:
		_, _ = w.Write(content)
	case r.Method == http.MethodGet:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(p.objects, key)
	case only && there:
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		p.objects[key] = body
	}
}

func (p *plane) do(r request) (a answer) {
	p.t.Helper()
	if err := json.NewEncoder(p.ask).Encode(r); err != nil {
		p.t.Fatal(err)
	}
	if err := p.answer.Decode(&a); err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *plane) must(r request) answer {
	p.t.Helper()
	a := p.do(r)
	if a.Code != "" {
		p.t.Fatalf("%s: %s: %s", r.Op, a.Code, a.Error)
	}
	return a
}

// add writes a file of rows with one id each and commits it as a load.
func (p *plane) add(load string, day int64, ids ...string) answer {
	p.t.Helper()
	known := p.must(request{Op: "table", Table: "pages"}).Table
	if known.By != "day" {
		p.t.Fatalf("the table is divided by %q", known.By)
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.BinaryTypes.String, Nullable: true, Metadata: arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{fmt.Sprint(known.Columns[0].ID)})},
		{Name: "received_at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true, Metadata: arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{fmt.Sprint(known.Columns[1].ID)})},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	at := time.Unix(day*24*60*60, 0).Add(time.Hour).UnixMicro()
	for _, id := range ids {
		b.Field(0).(*array.StringBuilder).Append(id)
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(at))
	}
	var buf bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &buf, nil, pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(b.NewRecordBatch())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	key := fmt.Sprintf("%sdata/received_at_day=%d/%s.parquet", known.Folder, day, load)
	p.mu.Lock()
	p.objects[key] = buf.Bytes()
	p.mu.Unlock()
	moment := binary.LittleEndian.AppendUint64(nil, uint64(at))
	n := int64(len(ids))
	return p.do(request{Op: "commit", Table: "pages", Load: load, Files: []file{{Key: key, Size: int64(buf.Len()), Rows: n, Part: &day, Columns: []stat{
		{ID: known.Columns[0].ID, Values: n}, {ID: known.Columns[1].ID, Values: n, Least: moment, Most: moment},
	}}}})
}

// load reads the table as any reader of a catalogue of files.
func (p *plane) load() *table.Table {
	p.t.Helper()
	h := &host{root: "s3://files"}
	*h = *newHost("")
	h.root = "s3://files"
	h.client = &http.Client{Transport: direct{p}}
	t, err := (&files{h: h, location: "s3://files/weir"}).LoadTable(p.t.Context(), table.Identifier{"events", "pages"})
	if err != nil {
		p.t.Fatal(err)
	}
	return t
}

// direct answers requests without a socket.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &kept{header: http.Header{}, status: http.StatusOK}
	d.h.ServeHTTP(w, r)
	return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.Buffer), Request: r}, nil
}

type kept struct {
	bytes.Buffer
	header http.Header
	status int
}

func (k *kept) Header() http.Header { return k.header }
func (k *kept) WriteHeader(n int)   { k.status = n }

// ids reads the ids of rows back.
func (p *plane) ids(options ...table.ScanOption) (ids []string) {
	p.t.Helper()
	t, err := p.load().Scan(options...).ToArrowTable(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer t.Release()
	column := t.Column(t.Schema().FieldIndices("id")[0]).Data()
	for _, c := range column.Chunks() {
		for i := range c.Len() {
			ids = append(ids, c.ValueStr(i))
		}
	}
	slices.Sort(ids)
	return ids
}

func (p *plane) want(ids ...string) {
	p.t.Helper()
	if got := p.ids(); !slices.Equal(got, ids) {
		p.t.Errorf("the table has the rows %v, want %v", got, ids)
	}
}

var columns = []field{{Name: "id", Type: "string"}, {Name: "received_at", Type: "timestamptz"}}

// withTable is a plane that made the table pages.
func withTable(t *testing.T) *plane {
	p := newPlane(t)
	if a := p.must(request{Op: "table", Table: "pages"}); len(a.Table.Columns) != 0 {
		t.Fatalf("a table that is not there has %v", a.Table)
	}
	a := p.must(request{Op: "settle", Table: "pages", Load: "l0", Event: "Page Seen", Columns: columns})
	if a.Committed || a.Table.By != "day" || a.Table.Folder != "weir/events/pages/" || !slices.Equal(a.Table.Events, []string{"Page Seen"}) {
		t.Fatalf("the new table is %+v", a.Table)
	}
	return p
}

// TestLoadsCountOnce commits loads, again, and at the same time as others.
func TestLoadsCountOnce(t *testing.T) {
	p := withTable(t)
	for range 2 {
		if a := p.add("l1", 20000, "a", "b"); a.Code != "" {
			t.Fatal(a.Error)
		}
		p.want("a", "b")
	}
	if a := p.must(request{Op: "settle", Table: "pages", Load: "l1", Columns: columns}); !a.Committed {
		t.Error("a load that was committed is not known before its rows are written")
	}
	// Another plane is faster, first with another load and then with the same one.
	other := newPlane(t)
	other.objects = p.objects
	p.before = func(string) { other.add("l2", 20001, "c") }
	if a := p.add("l3", 20001, "d"); a.Code != "" {
		t.Fatal(a.Error)
	}
	p.want("a", "b", "c", "d")
	p.before = func(string) { other.add("l4", 20002, "e") }
	if a := p.add("l4", 20002, "e"); a.Code != "" || !a.Committed {
		t.Errorf("a load that somebody else committed meanwhile gives %+v", a)
	}
	p.want("a", "b", "c", "d", "e")
	day := iceberg.GreaterThanEqual(iceberg.Reference("received_at"), iceberg.Timestamp(time.Unix(20002*24*60*60, 0).UnixMicro()))
	if got := p.ids(table.WithRowFilter(day)); !slices.Equal(got, []string{"e"}) {
		t.Errorf("the rows of the last day are %v", got)
	}
	tasks, err := p.load().Scan(table.WithRowFilter(day)).PlanFiles(t.Context())
	if err != nil || len(tasks) != 1 {
		t.Errorf("readers of the last day read %d files (%v), want 1", len(tasks), err)
	}
}

// TestHintIsLate reads a table whose writer died before it wrote the hint.
func TestHintIsLate(t *testing.T) {
	p := withTable(t)
	p.add("l1", 20000, "a")
	hint := "weir/events/pages/metadata/version-hint.text"
	old := p.objects[hint]
	p.add("l2", 20000, "b")
	p.objects[hint] = old
	p.want("a", "b")
	p.add("l3", 20000, "c")
	p.want("a", "b", "c")
	delete(p.objects, hint)
	p.want("a", "b", "c")
}

// TestColumns gives a table columns and widens narrow ones.
func TestColumns(t *testing.T) {
	p := newPlane(t)
	p.must(request{Op: "settle", Table: "pages", Columns: append(slices.Clone(columns), field{Name: "n", Type: "int"}, field{Name: "f", Type: "float"})})
	p.add("l1", 20000, "a")
	a := p.must(request{Op: "settle", Table: "pages", Load: "l2", Event: "b", Columns: []field{{Name: "n", ID: 3, Type: "long"}, {Name: "f", ID: 4, Type: "double"}, {Name: "title", Type: "string"}}})
	var got []string
	for _, c := range a.Table.Columns {
		got = append(got, fmt.Sprint(c.ID, c.Name, " ", c.Type))
	}
	if text := strings.Join(got, ", "); text != "1id string, 2received_at timestamptz, 3n long, 4f double, 5title string" {
		t.Errorf("the columns are %s", text)
	}
	p.add("l2", 20000, "b")
	p.want("a", "b")
	if a := p.do(request{Op: "settle", Table: "pages", Columns: []field{{Name: "n", ID: 3, Type: "string"}}}); a.Code != codeSchema {
		t.Errorf("a whole number that becomes a text: %+v", a)
	}
	// Two planes that add a column at once: the first one's type counts.
	other := newPlane(t)
	other.objects = p.objects
	p.before = func(string) {
		other.must(request{Op: "settle", Table: "pages", Columns: []field{{Name: "price", Type: "double"}}})
	}
	a = p.must(request{Op: "settle", Table: "pages", Columns: []field{{Name: "price", Type: "string"}}})
	if c := a.Table.Columns[len(a.Table.Columns)-1]; c.Name != "price" || c.Type != "double" {
		t.Errorf("the column is %v", c)
	}
}

// TestCompact writes small files into one, and lets go of old snapshots with their files.
func TestCompact(t *testing.T) {
	p := withTable(t)
	var want []string
	for i := range 8 {
		id := fmt.Sprint("id-", i)
		want = append(want, id)
		p.add(fmt.Sprint("l", i), 20000+int64(i%2), id)
	}
	compact := request{Op: "compact", Table: "pages", Every: 9}
	if a := p.must(compact); a.Removed != 0 {
		t.Errorf("a compaction that is not due removed %d files", a.Removed)
	}
	compact.Every = 8
	if a := p.must(compact); a.Removed != 8 || a.Added != 2 {
		t.Errorf("8 files of 2 days: %d are gone and %d there in their place", a.Removed, a.Added)
	}
	p.want(want...)
	if keys := p.must(request{Op: "files", Table: "pages"}).Keys; len(keys) != 2 {
		t.Errorf("the files are %v", keys)
	}
	if s := p.load().CurrentSnapshot(); s.Summary.Operation != table.OpReplace {
		t.Errorf("the compaction is a snapshot of the kind %s", s.Summary.Operation)
	}
	if a := p.add("l0", 20000, "id-0"); !a.Committed {
		t.Error("a load of before the compaction is committed again")
	}
	if a := p.must(compact); a.Removed != 0 {
		t.Errorf("a compaction right after another removed %d files", a.Removed)
	}
	deadline := time.Now().Add(time.Minute)
	for len(p.load().Metadata().Snapshots()) > 1 { // they are old in a moment
		if p.must(request{Op: "compact", Table: "pages", KeepMS: 1}); time.Now().After(deadline) {
			t.Fatalf("%d snapshots are there", len(p.load().Metadata().Snapshots()))
		}
	}
	p.want(want...)
	files := 0
	for key := range p.objects {
		if strings.HasSuffix(key, ".parquet") {
			files++
		}
	}
	if files != 2 {
		t.Errorf("%d files of rows are left, want 2", files)
	}
}

// TestRefused wants tables that rows cannot be added to to be refused with what to mend.
func TestRefused(t *testing.T) {
	p := withTable(t)
	metadata := "weir/events/pages/metadata/v1.metadata.json"
	whole := string(p.objects[metadata])
	for name, c := range map[string]struct{ old, new, want string }{
		"a column that has to have a value": {`"required":false`, `"required":true`, "make it optional"},
		"another bucket":                    {`"location":"s3://files/weir`, `"location":"s3://other/weir`, "below s3://files alone"},
		"other partitions":                  {`"transform":"day"`, `"transform":"month"`, "days or hours of received_at"},
	} {
		if !strings.Contains(whole, c.old) {
			t.Fatalf("%s: the metadata has no %s: %s", name, c.old, whole)
		}
		p.objects[metadata] = []byte(strings.Replace(whole, c.old, c.new, 1))
		if a := p.do(request{Op: "table", Table: "pages"}); a.Code != codeSchema || !strings.Contains(a.Error, c.want) {
			t.Errorf("%s: %s: %s", name, a.Code, a.Error)
		}
	}
}

// Package iceberg makes the files of a lake tables of Apache Iceberg: a process of the program
// weir-iceberg, which is a module of its own, knows the format and its catalogues, and this
// package starts it, asks it, and has objects and connections for it. The process has neither
// keys of the store nor a network.
//
// A load is one snapshot, whose summary names it: a load that is committed already commits
// nothing. Small files of a day are written into larger ones every so many loads, and old
// snapshots go then.
package iceberg

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
	"weir/dataplane/warehouse/refusal"
)

// REST is a catalogue that is a server of Iceberg's REST interface. URL is required.
type REST struct {
	URL        string `json:"url"`
	Warehouse  string `json:"warehouse,omitempty"`
	Token      string `json:"token,omitempty"`      // a bearer token
	Credential string `json:"credential,omitempty"` // ID:SECRET, for which a token is asked
	Scope      string `json:"scope,omitempty"`
	AuthURL    string `json:"authUrl,omitempty"` // where tokens are asked for; empty: the catalogue
}

// Config says where tables are. Store, Root, Location and Namespace are required.
type Config struct {
	Store     lake.Store
	Root      string // what stands before a slash and an object's key in locations
	Location  string // of tables that are made
	Namespace string
	REST      *REST // nil: the catalogue is files beside the tables
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	// Every is how many loads of a table there are between two compactions; 0: none.
	Every int
	Keep  time.Duration // how old snapshots get
	Log   *slog.Logger  // optional
}

// New returns the tables. A process of weir-iceberg, which lies beside this program or in
// PATH, is started when it is needed; load_unsupported: there is no such program.
func New(c Config) (*Tables, error) {
	at, err := find()
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Tables{c: c, program: at}, nil
}

// Tables implements lake.Tables.
type Tables struct {
	c       Config
	program string   // where it is
	p       *process // nil: none runs
}

var _ lake.Tables = (*Tables)(nil)

// request and answer are those of weir-iceberg, of which each says what its fields are.
type request struct {
	Op        string  `json:"op"`
	Root      string  `json:"root,omitempty"`
	Location  string  `json:"location,omitempty"`
	Namespace string  `json:"namespace,omitempty"`
	REST      *REST   `json:"rest,omitempty"`
	Table     string  `json:"table,omitempty"`
	Load      string  `json:"load,omitempty"`
	Event     string  `json:"event,omitempty"`
	Columns   []field `json:"columns,omitempty"`
	Files     []file  `json:"files,omitempty"`
	Every     int     `json:"every,omitempty"`
	KeepMS    int64   `json:"keepMs,omitempty"`
}

type answer struct {
	Code  string `json:"code"`
	Error string `json:"error"`
	Table struct {
		Columns []field  `json:"columns"`
		Events  []string `json:"events"`
		Folder  string   `json:"folder"`
		By      string   `json:"by"`
	} `json:"table"`
	Committed bool     `json:"committed"`
	Keys      []string `json:"keys"`
	Removed   int      `json:"removed"`
	Added     int      `json:"added"`
}

type field struct {
	Name string `json:"name"`
	ID   int    `json:"id,omitempty"`
	Type string `json:"type"`
}

type file struct {
	Key     string `json:"key"`
	Size    int64  `json:"size"`
	Rows    int64  `json:"rows"`
	Part    *int64 `json:"part,omitempty"`
	Columns []stat `json:"columns"`
}

type stat struct {
	ID     int    `json:"id"`
	Values int64  `json:"values"`
	Nulls  int64  `json:"nulls"`
	Bytes  int64  `json:"bytes"`
	Least  []byte `json:"least,omitempty"`
	Most   []byte `json:"most,omitempty"`
}

// words are Iceberg's words for types.
var words = map[layout.Type]string{layout.Int: "long", layout.Float: "double", layout.Boolean: "boolean", layout.Datetime: "timestamptz", layout.String: "string"}

// narrow are types that may be widened to those of words.
var narrow = map[string]layout.Type{"int": layout.Int, "float": layout.Float}

// codes are the codes of failures by those of answers.
var codes = map[string]string{"schema": warehouse.CodeSchema, "auth": warehouse.CodeAuth, "unreachable": warehouse.CodeUnreachable}

// ask asks the process, which is started where none runs.
func (t *Tables) ask(ctx context.Context, r request) (a answer, err error) {
	if t.p == nil {
		p, err := start(t.program, &gates{store: t.c.Store, dial: t.c.Dial})
		if err != nil {
			return a, warehouse.Fail(warehouse.CodeFailed, err)
		}
		t.p = p
		if _, err := t.one(ctx, request{Op: "open", Root: t.c.Root, Location: t.c.Location, Namespace: t.c.Namespace, REST: t.c.REST}); err != nil {
			t.stop()
			return a, err
		}
	}
	return t.one(ctx, r)
}

// one asks a process that runs.
func (t *Tables) one(ctx context.Context, r request) (answer, error) {
	a, err := t.p.ask(ctx, r)
	if err != nil {
		t.stop()
		return a, warehouse.Fail(warehouse.CodeFailed, err)
	}
	if a.Code == "" {
		return a, nil
	}
	if err := t.p.gates.failure(); err != nil { // it says what to mend
		return a, err
	}
	err = errors.New(a.Error)
	if t.p.gates.unreachable() {
		return a, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	switch a.Code {
	case "conflict":
		return a, warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
	case "schema":
		return a, warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, err))
	}
	if code := codes[a.Code]; code != "" {
		return a, warehouse.Fail(code, err)
	}
	return a, warehouse.Fail(warehouse.CodeFailed, err)
}

func (t *Tables) stop() {
	if t.p != nil {
		t.p.end()
		t.p = nil
	}
}

// known is a table of an answer.
func known(a *answer) (k lake.Known) {
	k.Events, k.Folder, k.By = a.Table.Events, a.Table.Folder, a.Table.By
	for _, c := range a.Table.Columns {
		f := lake.Field{Name: c.Name, ID: c.ID, Native: c.Type}
		for typ, word := range words {
			if word == c.Type {
				f.Type, f.Native = typ, ""
			}
		}
		if typ, ok := narrow[c.Type]; ok {
			f.Type, f.Native, f.Narrow = typ, "", true
		}
		k.Columns = append(k.Columns, f)
	}
	return k
}

// Table implements lake.Tables.
func (t *Tables) Table(ctx context.Context, name string) (lake.Known, error) {
	a, err := t.ask(ctx, request{Op: "table", Table: name})
	return known(&a), err
}

// Settle implements lake.Tables.
func (t *Tables) Settle(ctx context.Context, name, load, event string, columns []lake.Field) (lake.Known, bool, error) {
	r := request{Op: "settle", Table: name, Load: load, Event: event}
	for _, c := range columns {
		r.Columns = append(r.Columns, field{Name: c.Name, ID: c.ID, Type: words[c.Type]})
	}
	a, err := t.ask(ctx, r)
	return known(&a), a.Committed, err
}

// Commit implements lake.Tables. A compaction that fails is tried again by a later load.
func (t *Tables) Commit(ctx context.Context, name, load string, files []lake.File) error {
	r := request{Op: "commit", Table: name, Load: load}
	for _, f := range files {
		out := file{Key: f.Key, Size: f.Size, Rows: f.Rows, Part: f.Part}
		for _, c := range f.Columns {
			out.Columns = append(out.Columns, stat(c))
		}
		r.Files = append(r.Files, out)
	}
	if _, err := t.ask(ctx, r); err != nil {
		return err
	}
	if t.c.Every > 0 {
		within, cancel := context.WithTimeout(ctx, compactTime)
		defer cancel()
		if _, _, err := t.Compact(within, name, t.c.Every); err != nil {
			t.c.Log.WarnContext(ctx, "table of Iceberg was not compacted", "table", name, "code", warehouse.CodeOf(err))
		}
	}
	return nil
}

// compactTime is how long a load may be held up by a compaction.
const compactTime = time.Minute

// Compact writes small files of a table into larger ones, when there were so many commits
// since that was done, and says how many files are gone and how many there are in their place.
func (t *Tables) Compact(ctx context.Context, name string, every int) (removed, added int, err error) {
	a, err := t.ask(ctx, request{Op: "compact", Table: name, Every: every, KeepMS: t.c.Keep.Milliseconds()})
	return a.Removed, a.Added, err
}

// Files are the keys of the files that a table has now.
func (t *Tables) Files(ctx context.Context, name string) ([]string, error) {
	a, err := t.ask(ctx, request{Op: "files", Table: name})
	return a.Keys, err
}

// Test implements lake.Tables: the program runs, and the catalogue takes tables.
func (t *Tables) Test(ctx context.Context) error {
	_, err := t.ask(ctx, request{Op: "test"})
	return err
}

// Close implements lake.Tables.
func (t *Tables) Close() error {
	t.stop()
	return nil
}

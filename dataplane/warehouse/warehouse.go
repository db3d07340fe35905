package warehouse

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/layout"
	"weir/dataplane/warehouse/removal"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// Column is a column that exists in a warehouse. Type is empty for one of a type
// that loads never make; it is left as it is.
type Column struct {
	Type   layout.Type
	Native string // the warehouse's word, as in a cast
}

// TableSchema is a table that exists.
type TableSchema struct {
	Columns map[string]Column
	Room    int // further columns that it can take
	// RowRoom is how many further columns a row could have a value of, whatever the
	// values are, if it had one in each column that there is; 0 and below when a row may
	// not fit. Kinds without such a limit say Room.
	RowRoom int
	Taken   bool // no table has the name, and none can: a view has it, or an index, or a type
}

// Schema is the tables that exist, by name.
type Schema map[string]TableSchema

// Change adds what is missing: a table (Column is empty), a column (From is
// empty), or a wider type.
type Change struct {
	Table, Column string
	From, To      layout.Type
}

// Target says where a staged column goes.
type Target struct {
	Name   string
	Native string // its column's type
	Type   layout.Type
	Guard  bool   // values may not fit: those go to Raw as they are
	Raw    string // name of the sibling; without Guard empty when there is none
	Over   bool   // the value goes into the JSON text Table.More
}

// Table is one table of a merge.
type Table struct {
	Name    string
	Columns []Target
	// More is the column that takes the targets with Over, and values of a row that has
	// no room for them; empty when neither can be.
	More string
	// Keep: a column without a new value keeps its old one, with its sibling, and
	// More keeps the keys that have no new value.
	Keep bool
	// From and To are the rows of the files that are merged, by SeqColumn: from From up
	// to To, without To. Both are 0 for all rows.
	From, To int64
	// Load names the load: a repetition of its merge has the same, and a later load of the
	// same plane a greater one. It has letters, digits, '-', '_' and '.'.
	Load string
	// Event is the name of an event of the rows, where other events may ask for a table of
	// this name; else empty.
	Event string
}

// Has reports whether a row of the files is merged.
func (t *Table) Has(seq int64) bool { return t.To == 0 || t.From <= seq && seq < t.To }

// Names of columns that loads make.
const (
	// MoreColumn has a number behind it where a column of this name is no text. A
	// property of this name goes into it.
	MoreColumn = "__more"
	// SeqColumn is the order of rows in staged files, a 64-bit integer. No layout keeps
	// a '#' in a name.
	SeqColumn = "#seq"
)

// Merged is what a merge did.
type Merged struct{ Rows int64 }

// Warehouse is an open connection for one load. Every method may be repeated
// after a crash. Errors are Failures; their text may quote values.
type Warehouse interface {
	// Schema returns those of tables that exist.
	Schema(ctx context.Context, tables []string) (Schema, error)
	// Alter makes changes to one table in one transaction. A widening may end in a
	// still wider type.
	Alter(ctx context.Context, changes []Change) error
	// Merge brings staged rows in, in one transaction. Its error has a
	// scope, see room refusal; nothing is merged of what is refused.
	Merge(ctx context.Context, t Table, files []Staged) (Merged, error)
	// Query runs one reading statement and gives each row as a JSON object. It
	// writes nothing and reaches no file, server or tenant outside of the warehouse;
	// what it refuses is fault.Invalid.
	Query(ctx context.Context, sql string, row func([]byte) error) error
	// Exec runs statements in one transaction and gives the rows that the last one
	// changed. Names without a schema are those of the destination's. After an
	// error, or a crash before it returned, all of them count or none. A statement
	// may not begin or end a transaction; one that would is fault.Invalid and none
	// of them counts.
	Exec(ctx context.Context, statements []string) (rows int64, err error)
	// Test says whether a load could work.
	Test(ctx context.Context) error
	Close() error
}

// Staged is one Parquet file in Deps.Blobs.
type Staged struct {
	Ref     blob.Ref
	Columns []StagedColumn // beside SeqColumn, by name
}

// StagedColumn is one column of a staged file. Type is Int (64 bits), Float,
// Boolean, Datetime (milliseconds in UTC) or String: exact texts.
type StagedColumn struct {
	Name string      `json:"name"`
	Type layout.Type `json:"type"`
	// Spelled: the file has the texts of values as the event spelled them, in the column
	// Spelling, where they are not those of Type: a whole number in digits, a plain
	// decimal number, a time in UTC with milliseconds.
	Spelled bool `json:"spelled,omitempty"`
}

// spellingEnd makes names that no layout makes.
const spellingEnd = "#sent"

// Spelling is the name of the column with spellings of values of this one.
func (c StagedColumn) Spelling() string { return c.Name + spellingEnd }

// Failure is an error with a code of shared/wire. Its text is local to the plane.
type Failure struct {
	Code string
	Err  error
}

// Codes of failures.
const (
	CodeFailed      = "load_failed"
	CodeAuth        = "load_auth"
	CodeUnreachable = "load_unreachable"
	CodeSchema      = "load_schema"
	CodeUnsupported = "load_unsupported"
	CodeStage       = "load_stage"     // STAGE cannot be read or the disk cannot be written
	CodeSlow        = "warehouse_slow" // a step did not end by its deadline; it is tried again with more time
)

func (f *Failure) Error() string { return f.Code + ": " + f.Err.Error() }

// Unwrap returns the driver's error.
func (f *Failure) Unwrap() error { return f.Err }

// Fail makes a Failure, nil for nil; one that has a code keeps it.
func Fail(code string, err error) error {
	var f *Failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return &Failure{Code: code, Err: err}
}

// Refuse makes a Failure of what a warehouse says against a customer's statement:
// it is fault.Invalid and has the text of err; nil for nil.
func Refuse(code string, err error) error {
	if err == nil {
		return nil
	}
	return &Failure{Code: code, Err: fault.New(fault.Invalid, "%v", err)}
}

// CodeOf returns the code of an error.
func CodeOf(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return CodeFailed
}

// Deps is what a warehouse may use of the world. Dial and File are the only ways
// to what lies outside of the process.
type Deps struct {
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error) // egress
	Blobs   blob.Store                                                        // with staged files
	DataDir string                                                            // of File
	Owners  *Owners                                                           // of File, one for a plane
	// Workspace is whose warehouse is opened; File needs it.
	Workspace id.Workspace
	// Machine returns keys of AWS for the machine's role; nil: there are none.
	Machine func(ctx context.Context) (accessKey, secretKey, sessionToken string, err error)
	// MachineToken returns an access token of the machine's service account at Google, for a
	// scope; nil: there is none.
	MachineToken func(ctx context.Context, scope string) (string, error)
	Now          func() time.Time
	Log          *slog.Logger
}

// Opened is a configured warehouse.
type Opened struct {
	Open      func(ctx context.Context, d Deps) (Warehouse, error)
	SyncEvery time.Duration
	WakeEvery time.Duration // between two loads at least, after a failure too; 0 for kinds that do not bill by time
	Layout    *layout.Dialect
	Options   layout.Options
	File      string // the path of its file in the settings, empty for kinds without one
	Retention removal.Retention
}

// Kind is one kind of warehouse.
type Kind struct {
	Spec   catalog.Spec
	Layout *layout.Dialect
	// Open checks settings and secrets. It makes no connection.
	Open func(settings []byte, secrets map[string]secret.String) (Opened, error)
}

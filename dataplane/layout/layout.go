// Package layout turns an event into the rows of a warehouse: names, types and
// order of columns. It is pure: no clock but Meta.Now, no files, no network.
//
// It refuses events that are no object, deeper than 128 levels or of more than
// 200 columns. Numbers keep their digits; text that holds NUL or a lone
// surrogate gets U+FFFD and a sibling column <name>__raw with its JSON text.
package layout

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Type is a column's type in the layout's words.
type Type string

// Types of columns.
const (
	Int      Type = "int"
	Float    Type = "float"
	Boolean  Type = "boolean"
	Datetime Type = "datetime"
	String   Type = "string"
	Text     Type = "text"
	JSON     Type = "json"
)

// Column is one value of a row. Raw is its exact text: a number's digits, true
// or false, a time in UTC with milliseconds, a string decoded, JSON text.
type Column struct {
	Name string
	Type Type
	Raw  string
}

// Row is one row of one table; names of columns are unique.
type Row struct {
	Table   string
	Columns []Column
}

// Options are a destination's settings of the layout.
type Options struct {
	SkipTracksTable, SkipUsersTable, AllowUsersContextTraits bool
	UnderscoreDivideNumbers, StoreFullEvent                  bool
	SkipReservedKeywordsEscaping                             bool
	JSONPaths                                                []string
}

// Meta is what is known of an event beside its text.
type Meta struct {
	SourceID, SourceName, SourceType string
	DestinationID, DestinationType   string
	Now                              time.Time
}

// Dialect is the layout of one kind of warehouse. It is immutable.
type Dialect struct {
	name      string
	max       int // bytes of a name, 0 for no limit
	cutBefore bool
	upper     bool
	lake      bool
	loadedAt  bool
	noUsers   bool
	longText  bool
	paths     bool
	pathType  Type
	full      Type
	reserved  map[string]bool
}

//go:embed reserved.json
var reservedText []byte

var dialects = build()

func build() map[string]*Dialect {
	var words map[string][]string
	if err := json.Unmarshal(reservedText, &words); err != nil {
		panic(err)
	}
	list := []*Dialect{
		{name: "postgres", max: 63, cutBefore: true, paths: true, pathType: JSON, full: JSON},
		{name: "duckdb", max: 63, cutBefore: true, paths: true, pathType: JSON, full: JSON},
		{name: "snowflake", max: 127, upper: true, paths: true, pathType: JSON, full: JSON},
		{name: "snowpipe_streaming", max: 127, upper: true, noUsers: true, paths: true, pathType: JSON, full: JSON},
		{name: "bq", max: 127, loadedAt: true, paths: true, pathType: String, full: String},
		{name: "rs", max: 127, longText: true, paths: true, pathType: JSON, full: Text},
		{name: "deltalake", max: 127, full: String},
		{name: "mssql", max: 127, full: JSON},
		{name: "azure_synapse", max: 127, full: JSON},
		{name: "clickhouse", max: 127, full: String},
		{name: "s3_datalake", lake: true, full: String},
		{name: "gcs_datalake", lake: true, full: String},
		{name: "azure_datalake", lake: true, full: String},
	}
	out := map[string]*Dialect{}
	for _, d := range list {
		key := d.name
		if key == "duckdb" {
			key = "postgres"
		}
		d.reserved = map[string]bool{}
		for _, w := range words[key] {
			d.reserved[strings.ToUpper(w)] = true
		}
		out[d.name] = d
	}
	return out
}

var aliases = map[string]string{"bigquery": "bq", "redshift": "rs", "databricks": "deltalake", "synapse": "azure_synapse"}

// ByName finds a dialect by the kind of warehouse, without regard to case.
func ByName(kind string) (*Dialect, bool) {
	kind = strings.ToLower(kind)
	if a, ok := aliases[kind]; ok {
		kind = a
	}
	d, ok := dialects[kind]
	return d, ok
}

// Names lists the dialects in order.
func Names() []string {
	var out []string
	for n := range dialects {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

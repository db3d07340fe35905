package layout

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"weir/shared/fault"
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
// or false, a time in UTC with milliseconds, a string decoded, JSON text. Type
// may also be array(T) of another type. List says that Raw is the JSON text of a
// list that the event had.
type Column struct {
	Name string
	Type Type
	Raw  string
	List bool
}

// Row is one row of one table; names of columns are unique.
type Row struct {
	Table   string
	Columns []Column
}

// Options are a destination's settings of the layout, by the names of settings.
type Options struct {
	SkipTracksTable              bool `json:"skipTracksTable"`
	SkipUsersTable               bool `json:"skipUsersTable"`
	AllowUsersContextTraits      bool `json:"allowUsersContextTraits"`
	UnderscoreDivideNumbers      bool `json:"underscoreDivideNumbers"`
	StoreFullEvent               bool `json:"storeFullEvent"`
	SkipReservedKeywordsEscaping bool `json:"skipReservedKeywordsEscaping"`
	// UseBlendoCasing gives columns the other casing, see the facts of names.
	UseBlendoCasing bool `json:"useBlendoCasing"`
	// EnableArraySupport makes lists of ClickHouse array(T) instead of string.
	EnableArraySupport bool `json:"enableArraySupport"`
	// IdentityResolution adds rudder_identity_merge_rules on Snowflake and BigQuery.
	IdentityResolution bool  `json:"identityResolution"`
	JSONPaths          Paths `json:"jsonPaths"`
}

// Paths are JSON paths; each may be several with commas between them.
type Paths []string

// UnmarshalJSON reads a string or a list of strings.
func (p *Paths) UnmarshalJSON(text []byte) error {
	var list []string
	if err := json.Unmarshal(text, &list); err == nil {
		*p = list
		return nil
	}
	var one string
	if err := json.Unmarshal(text, &one); err != nil {
		return fault.New(fault.Invalid, "jsonPaths is a list of paths, or one string with commas")
	}
	*p = Paths{one}
	return nil
}

// Meta is what is known of an event beside its text. Source types and
// categories that count are cloud and singer. The zero ReceivedAt is Now; an
// empty MessageID is a new one, for an event that has none.
type Meta struct {
	SourceID, SourceName, SourceType string
	SourceCategory, RecordID         string
	DestinationID, DestinationType   string
	MessageID                        string
	ReceivedAt, Now                  time.Time
}

// Dialect is the layout of one kind of warehouse. It is safe for many callers.
type Dialect struct {
	name       string
	max        int // bytes of a name, 0 for no limit
	cutBefore  bool
	upper      bool
	lake       bool
	loadedAt   bool
	noUsers    bool
	longText   bool
	paths      bool
	violations bool
	arrays     bool
	merges     bool
	pathType   Type
	full       Type
	reserved   map[string]bool
	std        [stdCount]string
	escaped    [stdCount]string // std where a reserved word has its underscore
	standard   map[string]uint8
	caches     [8]atomic.Pointer[names]
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
		{name: "postgres", max: 63, cutBefore: true, violations: true, paths: true, pathType: JSON, full: JSON},
		{name: "duckdb", max: 63, cutBefore: true, violations: true, paths: true, pathType: JSON, full: JSON},
		{name: "snowflake", max: 127, upper: true, merges: true, violations: true, paths: true, pathType: JSON, full: JSON},
		{name: "snowpipe_streaming", max: 127, upper: true, noUsers: true, violations: true, paths: true, pathType: JSON, full: JSON},
		{name: "bq", max: 127, loadedAt: true, merges: true, paths: true, pathType: String, full: String},
		{name: "rs", max: 127, longText: true, paths: true, pathType: JSON, full: Text},
		{name: "deltalake", max: 127, full: String},
		{name: "mssql", max: 127, full: JSON},
		{name: "azure_synapse", max: 127, full: JSON},
		{name: "clickhouse", max: 127, arrays: true, full: String},
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
		d.fillStandard()
		out[d.name] = d
	}
	return out
}

var aliases = map[string]string{"bigquery": "bq", "redshift": "rs", "databricks": "deltalake", "delta": "deltalake", "delta_lake": "deltalake",
	"synapse": "azure_synapse", "sqlserver": "mssql", "sql_server": "mssql", "postgresql": "postgres"}

// is says whether kind names this dialect, as integrations of events do.
func (d *Dialect) is(kind string) bool {
	found, ok := ByName(kind)
	return ok && found == d
}

// ByName finds a dialect by the kind of warehouse, or one of its other names
// such as bigquery and redshift, without regard to case.
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

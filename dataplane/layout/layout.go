package layout

import (
	"encoding/json"
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
// list that the event had. Sent is the spelling of a number or time in the event
// where that is not Raw.
type Column struct {
	Name string
	Type Type
	Raw  string
	List bool
	Sent string
}

// Row is one row of one table; names of columns are unique. Shared is the name that
// the table of an event has where no other event has it, empty when that is Table:
// see name.Table.
type Row struct {
	Table   string
	Columns []Column
	Shared  string
}

// Convention is whose tables a warehouse has: see the comment of the package. The empty
// one is RudderStack.
type Convention string

// Conventions of layouts.
const (
	RudderStack Convention = "rudderstack"
	Segment     Convention = "segment"
)

// UnmarshalText reads one of the Conventions. fault.Invalid: it is none.
func (c *Convention) UnmarshalText(text []byte) error {
	switch v := Convention(text); v {
	case "", RudderStack, Segment:
		*c = v
		return nil
	}
	return fault.New(fault.Invalid, "layout is %s or %s", RudderStack, Segment)
}

// Options are a destination's settings of the layout, by the names of settings.
type Options struct {
	Layout                       Convention `json:"layout"`
	SkipTracksTable              bool       `json:"skipTracksTable"`
	SkipUsersTable               bool       `json:"skipUsersTable"`
	AllowUsersContextTraits      bool       `json:"allowUsersContextTraits"`
	UnderscoreDivideNumbers      bool       `json:"underscoreDivideNumbers"`
	StoreFullEvent               bool       `json:"storeFullEvent"`
	SkipReservedKeywordsEscaping bool       `json:"skipReservedKeywordsEscaping"`
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

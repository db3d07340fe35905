// Package catalog describes every kind of source, destination and warehouse:
// its fields, secrets and limits, and checks settings against them. A
// `spec.yaml` per plug-in is the only source; gen/ turns them into typed
// settings, the family lists and catalog.gen.json, which this package embeds.
package catalog

import (
	"strings"

	"weir/shared/catalog/calls"
	"weir/shared/catalog/duration"
	"weir/shared/catalog/form"
	"weir/shared/catalog/objects"
	"weir/shared/catalog/requests"
	"weir/shared/catalog/streams"
)

// Duration is the value of a field of TypeDuration.
type Duration = duration.Duration

// Family says which contract a kind fulfils.
type Family string

// The families. Their plural is the folder under dataplane/.
const (
	Sources      Family = "source"
	Destinations Family = "destination"
	Warehouses   Family = "warehouse"
)

// Spec describes one kind.
type Spec struct {
	Family Family `json:"family" yaml:"family"`
	Name   string `json:"name" yaml:"name"`   // the folder's name and a configuration's `type`
	Title  string `json:"title" yaml:"title"` // what people call it
	Doc    string `json:"doc" yaml:"doc"`     // a sentence

	// Category is what people look for the kind under, one of those that checkSpec knows; ""
	// of a kind that fits none.
	Category string `json:"category,omitempty" yaml:"category"`

	Fields  []Field  `json:"fields,omitempty" yaml:"fields"`
	Secrets []Field  `json:"secrets,omitempty" yaml:"secrets"` // sealed fields; their values never stand in settings
	SentTo  []string `json:"sentTo,omitempty" yaml:"sentTo"`   // fields that say where the secrets are sent; see the function SentTo
	Codes   []Code   `json:"codes,omitempty" yaml:"codes"`     // that only this kind gives

	// Of destinations that speak HTTP, and of sources that are pulled.
	Base   map[string]string `json:"base,omitempty" yaml:"base"` // the vendor's address by the value of the field region, or under any; see BaseURL
	Auth   []requests.Auth   `json:"auth,omitempty" yaml:"auth"` // applied one after the other to each request
	Limits *requests.Limits  `json:"limits,omitempty" yaml:"limits"`

	Objects  []objects.Object `json:"objects,omitempty" yaml:"objects"`   // of destinations: what syncs keep in them
	Models   bool             `json:"models,omitempty" yaml:"models"`     // of warehouses: their tables and queries may be models
	Profiles bool             `json:"profiles,omitempty" yaml:"profiles"` // of warehouses with models: they can have profiles
	StandIn  string           `json:"standIn,omitempty" yaml:"standIn"`   // what stood in for the vendor's server in its proof, which pages say; "" for none
	Setup    []string         `json:"setup,omitempty" yaml:"setup"`       // what people do before, each a sentence or statements
	Form     *form.Form       `json:"form,omitempty" yaml:"form"`         // nil: settings stand as they say themselves

	// Overrides is where the setting overrides reaches, of destinations that Go code builds requests of; nil: in a body that is of one event, or each element of a list.
	Overrides *requests.Overrides `json:"overrides,omitempty" yaml:"overrides"`

	// Private is true of the spec of one destination, which stands in its workspace.
	Private bool `json:"private,omitempty" yaml:"-"`

	// Calls is what becomes of events, of a destination without code. It stands in the
	// file alone: no form or check of settings needs it.
	Calls *calls.Spec `json:"-" yaml:"-"`

	// Streams are what a source has whose rows are pulled; others take what is sent to
	// them. Pull is how they are read, which stands in the file alone.
	Streams []streams.Outline `json:"streams,omitempty" yaml:"-"`
	// StreamsOf is the setting, a map, each of whose entries is a stream, of a source whose
	// streams its settings name; see StreamsIn.
	StreamsOf string        `json:"streamsOf,omitempty" yaml:"streamsOf"`
	Feed      *streams.Feed `json:"feed,omitempty" yaml:"feed"` // the stream of their changes
	Pull      *streams.Spec `json:"-" yaml:"-"`
}

// CodePrefix is what the kind's own codes begin with: its name with "_" for "-", and "_".
func (s Spec) CodePrefix() string { return strings.ReplaceAll(s.Name, "-", "_") + "_" }

// Code is a reason that a kind gives for what became of an event, beside those
// that all kinds share. Only declared codes leave a data plane.
type Code struct {
	Name string `json:"name" yaml:"name"` // the kind's CodePrefix, and a-z, 0-9 and "_"
	Doc  string `json:"doc" yaml:"doc"`   // what it means to people, after "because": "the list is full"
}

// Type is the type of a field's value.
type Type string

// Types of fields and their JSON form. A duration is a string such as "5s".
const (
	TypeString   Type = "string"
	TypeURL      Type = "url" // absolute, http or https
	TypeInteger  Type = "integer"
	TypeBoolean  Type = "boolean"
	TypeDuration Type = "duration"
	TypeEnum     Type = "enum"
	TypeStrings  Type = "strings" // list of strings
	TypeMap      Type = "map"     // object of strings
	TypeObject   Type = "object"  // its own Fields
)

// Field is one setting.
type Field struct {
	Name     string   `json:"name" yaml:"name"` // lower camel case
	Type     Type     `json:"type" yaml:"type"`
	Title    string   `json:"title" yaml:"title"`
	Doc      string   `json:"doc,omitempty" yaml:"doc"`
	Required bool     `json:"required,omitempty" yaml:"required"`
	Default  any      `json:"default,omitempty" yaml:"default"`
	Enum     []string `json:"enum,omitempty" yaml:"enum"`
	Min      *int64   `json:"min,omitempty" yaml:"min"` // integer: value; string: length in bytes; duration: milliseconds
	Max      *int64   `json:"max,omitempty" yaml:"max"`
	Pattern  string   `json:"pattern,omitempty" yaml:"pattern"` // RE2, whole value
	Fields   []Field  `json:"fields,omitempty" yaml:"fields"`
	Lists    bool     `json:"lists,omitempty" yaml:"-"` // it holds lists of events, see Spec.Events
}

package workspace

import (
	"encoding/json"

	"weir/shared/filter"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
)

// Format is the version of the encoding of Config. A plane refuses a newer one.
const Format = 1

// Config is the whole configuration of one workspace at one moment. References
// between objects are by id; names are for people and unique per kind. A list is a
// kind of object; most is how many there may be. Of a kind or a field that planes of an
// older release do not know, added is the name by which planes say that they do.
type Config struct {
	Format            int                `json:"format"`
	Workspace         id.Workspace       `json:"workspace"`
	Name              string             `json:"name"`
	Region            string             `json:"region"`
	Sources           []Source           `json:"sources,omitempty" most:"1000"`
	Libraries         []Library          `json:"libraries,omitempty" most:"100"`
	Transformations   []Transformation   `json:"transformations,omitempty" most:"1000"`
	Destinations      []Destination      `json:"destinations,omitempty" most:"1000"`
	ConsentCategories []ConsentCategory  `json:"consentCategories,omitempty" most:"100" added:"consentcategories"`
	Models            []activation.Model `json:"models,omitempty" most:"200" added:"models"`
	Profiles          []Profile          `json:"profiles,omitempty" most:"10" added:"profiles"`
	Syncs             []activation.Sync  `json:"syncs,omitempty" most:"200" added:"syncs"`
	Connections       []Connection       `json:"connections,omitempty" most:"10000"`
}

// Object is one object of a configuration.
type Object interface {
	// Key is what the object is known by among those of its kind, in every revision.
	Key() string
}

// Key is the identifier.
func (s Source) Key() string { return string(s.ID) }

// Key is the name.
func (l Library) Key() string { return l.Name }

// Key is the identifier.
func (t Transformation) Key() string { return string(t.ID) }

// Key is the identifier.
func (d Destination) Key() string { return string(d.ID) }

// Key is made of the identifiers of both ends.
func (c Connection) Key() string { return string(c.Source) + " " + string(c.Destination) }

// Source is one origin of events.
type Source struct {
	ID       id.Source             `json:"id"`
	Name     string                `json:"name"`
	Type     string                `json:"type"`                               // a source kind of the catalog
	Spec     string                `json:"spec,omitempty" added:"sourcespecs"` // YAML, of the type private.Type alone: its own kind
	WriteKey string                `json:"writeKey"`
	Disabled bool                  `json:"disabled,omitempty"`
	Settings json.RawMessage       `json:"settings,omitempty"`
	Secrets  map[string]secret.Ref `json:"secrets,omitempty"` // by the Spec's secret field
	Pull     *Pull                 `json:"pull,omitempty" added:"pull"`
}

// Library is code that transformations import by its name, such as
// import { cut } from "text". Nothing else refers to it, so it has no id.
type Library struct {
	Name     string `json:"name" doc:"1 to 63 of A-Z, a-z, 0-9, '_', '-' and '.', a letter first"`
	Language string `json:"language" doc:"javascript"`
	Code     string `json:"code" doc:"A module"`
}

// Transformation is customers' code.
type Transformation struct {
	ID       id.Transformation `json:"id"`
	Name     string            `json:"name"`
	Language string            `json:"language"`
	Code     string            `json:"code"`
	// MaxOutputs is how many events it makes of one at most; 0: script.MaxOutputs.
	MaxOutputs int `json:"maxOutputs,omitempty" added:"maxoutputs"`
}

// Destination is one receiver of events.
type Destination struct {
	ID       id.Destination        `json:"id"`
	Name     string                `json:"name"`
	Type     string                `json:"type"`           // a destination or warehouse kind of the catalog
	Spec     string                `json:"spec,omitempty"` // YAML, of the type private.Type alone: its own kind
	Disabled bool                  `json:"disabled,omitempty"`
	Settings json.RawMessage       `json:"settings,omitempty"`
	Secrets  map[string]secret.Ref `json:"secrets,omitempty"` // by the Spec's secret field
}

// Connection joins one source to one destination. Events, Filter and Consent say which
// events it takes.
type Connection struct {
	Source          id.Source           `json:"source"`
	Destination     id.Destination      `json:"destination"`
	Transformations []id.Transformation `json:"transformations,omitempty"` // applied in this order
	Events          *filter.Events      `json:"events,omitempty" added:"connectionrules"`
	Filter          string              `json:"filter,omitempty" added:"connectionrules"`
	Consent         *filter.Consent     `json:"consent,omitempty" added:"connectionrules"`
}

// Rules are what events have to fulfil that the connection takes.
func (c Connection) Rules() filter.Rules {
	return filter.Rules{Events: c.Events, Filter: c.Filter, Consent: c.Consent}
}

// Digest is the SHA-256 of a canonical encoding, as 64 lower-case hex digits.
type Digest string

// Revision is an immutable, numbered state of a workspace's configuration.
// Numbers never go down; a rollback is a new number with an old digest.
type Revision struct {
	Workspace id.Workspace
	Number    uint64 // from 1
	Digest    Digest
	Config    Config
}

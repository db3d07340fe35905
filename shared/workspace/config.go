package workspace

import (
	"encoding/json"

	"weir/shared/id"
	"weir/shared/secret"
)

// Format is the version of the encoding of Config. A plane refuses a newer one.
const Format = 1

// Config is the whole configuration of one workspace at one moment. References
// between objects are by id; names are for people and unique per kind.
type Config struct {
	Format          int              `json:"format"`
	Workspace       id.Workspace     `json:"workspace"`
	Name            string           `json:"name"`
	Region          string           `json:"region"`
	Sources         []Source         `json:"sources,omitempty"`
	Libraries       []Library        `json:"libraries,omitempty"`
	Transformations []Transformation `json:"transformations,omitempty"`
	Destinations    []Destination    `json:"destinations,omitempty"`
	Connections     []Connection     `json:"connections,omitempty"`
}

// Source is one origin of events.
type Source struct {
	ID       id.Source             `json:"id"`
	Name     string                `json:"name"`
	Type     string                `json:"type"` // a source kind of the catalog
	WriteKey string                `json:"writeKey"`
	Disabled bool                  `json:"disabled,omitempty"`
	Settings json.RawMessage       `json:"settings,omitempty"`
	Secrets  map[string]secret.Ref `json:"secrets,omitempty"` // by the Spec's secret field
}

// Library is code that transformations import by its name, such as
// import { cut } from "text". Nothing else refers to it, so it has no id.
type Library struct {
	Name     string `json:"name"`
	Language string `json:"language"`
	Code     string `json:"code"`
}

// Transformation is customers' code.
type Transformation struct {
	ID       id.Transformation `json:"id"`
	Name     string            `json:"name"`
	Language string            `json:"language"`
	Code     string            `json:"code"`
	// MaxOutputs is how many events it makes of one at most; 0: script.MaxOutputs.
	MaxOutputs int `json:"maxOutputs,omitempty"`
}

// LimitsOutputs is the name that planes list among the languages of transformations
// when they know MaxOutputs.
const LimitsOutputs = "maxoutputs"

// Destination is one receiver of events.
type Destination struct {
	ID       id.Destination        `json:"id"`
	Name     string                `json:"name"`
	Type     string                `json:"type"` // a destination or warehouse kind of the catalog
	Disabled bool                  `json:"disabled,omitempty"`
	Settings json.RawMessage       `json:"settings,omitempty"`
	Secrets  map[string]secret.Ref `json:"secrets,omitempty"` // by the Spec's secret field
}

// Connection joins one source to one destination.
type Connection struct {
	Source          id.Source           `json:"source"`
	Destination     id.Destination      `json:"destination"`
	Transformations []id.Transformation `json:"transformations,omitempty"` // applied in this order
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

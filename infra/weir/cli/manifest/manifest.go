// Package manifest is the configuration of workspaces as people write it: YAML
// in, the control plane's Document out, and back.
//
// Parse refuses unknown and repeated keys, merge keys and values of the wrong
// type, and names the line of each; it collects all problems of a file before
// it answers. It judges form only: whether a kind exists or a connection leads
// anywhere is the control plane's to say. Format writes what Parse reads. No
// secret in clear ever stands in a Document: Parse gives back where each one
// is to be found.
package manifest

import (
	"encoding/json"

	"weir/shared/id"
	"weir/shared/secret"
)

// Document is one workspace's configuration, in the form of the control
// plane's API. Objects are known by name; an ID is set for new objects only.
type Document struct {
	ID              id.Workspace     `json:"id,omitempty"`
	Workspace       string           `json:"workspace"`
	Region          string           `json:"region"`
	Sources         []Source         `json:"sources,omitempty"`
	Libraries       []Library        `json:"libraries,omitempty"`
	Transformations []Transformation `json:"transformations,omitempty"`
	Destinations    []Destination    `json:"destinations,omitempty"`
	Connections     []Connection     `json:"connections,omitempty"`
}

// Source is one origin of events. Was is its former name while it is renamed.
type Source struct {
	ID       id.Source         `json:"id,omitempty"`
	Name     string            `json:"name"`
	Was      string            `json:"was,omitempty"`
	Type     string            `json:"type"`
	WriteKey string            `json:"writeKey,omitempty"`
	Disabled bool              `json:"disabled,omitempty"`
	Settings json.RawMessage   `json:"settings,omitempty"`
	Secrets  map[string]Secret `json:"secrets,omitempty"`
}

// Library is code that transformations import by its name.
type Library struct {
	Name     string `json:"name"`
	Language string `json:"language"`
	Code     string `json:"code"`
}

// Transformation is customers' code.
type Transformation struct {
	ID       id.Transformation `json:"id,omitempty"`
	Name     string            `json:"name"`
	Was      string            `json:"was,omitempty"`
	Language string            `json:"language"`
	Code     string            `json:"code"`
	// MaxOutputs is how many events it makes of one at most; 0: script.MaxOutputs.
	MaxOutputs uint64 `json:"maxOutputs,omitempty"`
}

// Destination is one receiver of events.
type Destination struct {
	ID       id.Destination    `json:"id,omitempty"`
	Name     string            `json:"name"`
	Was      string            `json:"was,omitempty"`
	Type     string            `json:"type"`
	Disabled bool              `json:"disabled,omitempty"`
	Settings json.RawMessage   `json:"settings,omitempty"`
	Secrets  map[string]Secret `json:"secrets,omitempty"`
}

// Connection joins a source to a destination, all by name.
type Connection struct {
	Source          string   `json:"source"`
	Destination     string   `json:"destination"`
	Transformations []string `json:"transformations,omitempty"`
}

// Secret is what the control plane may know of a secret. Sealed holds an
// envelope for each plane of the region when the secret is new or changed, and
// is empty when it is as it was.
type Secret struct {
	Version     uint64              `json:"version"`
	Fingerprint string              `json:"fingerprint"`
	Sealed      map[id.Plane][]byte `json:"sealed,omitempty"`
}

// Source returns the source of that name, or nil.
func (d *Document) Source(name string) *Source {
	for i := range d.Sources {
		if d.Sources[i].Name == name {
			return &d.Sources[i]
		}
	}
	return nil
}

// Destination returns the destination of that name, or nil.
func (d *Document) Destination(name string) *Destination {
	for i := range d.Destinations {
		if d.Destinations[i].Name == name {
			return &d.Destinations[i]
		}
	}
	return nil
}

// Origin says where the value of a secret comes from.
type Origin string

// The origins.
const (
	FromEnv  Origin = "env"    // an environment variable
	FromFile Origin = "file"   // a file, without its last line break
	Kept     Origin = "sealed" // the control plane has it already
)

// Wanted is a secret that a file asks for.
type Wanted struct {
	Family      secret.Family // of the object that holds the secret
	Index       int           // of the object in Document.Sources or Document.Destinations
	Field       string        // of the object's secrets
	From        Origin
	Name        string // the variable, or the path
	Version     uint64 // Kept only, with Fingerprint
	Fingerprint string
	Path        string // in the document, for At
}

// Test is an event and what a transformation has to make of it. Tests hold
// sample events, so they stay on this machine: they are in no Document.
type Test struct {
	Transformation int // index in Document.Transformations
	Event          json.RawMessage
	Expect         []json.RawMessage // the outputs; of each, the members that it has to have
	Error          string            // the code with which the event is refused instead
	Path           string            // in the document, for At
}

// File is one document of a file: the Document without its secrets, the secrets
// it wants, and the tests of its transformations.
type File struct {
	Document Document
	Secrets  []Wanted
	Tests    []Test
	name     string
	lines    map[string]int
}

// At returns path with the place it has in the file, "weir.yaml:12
// destinations[0].type"; an unknown path gets its nearest known parent's line.
func (f *File) At(path string) string { return place(f.name, f.lines, path) }

// Package manifest is the configuration of workspaces as people write it: YAML
// in, a document.Document out, and back. It knows the kinds of objects by their
// declaration in package document alone.
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

	"weir/shared/secret"
	"weir/shared/workspace/document"
)

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
	Index       int           // of the object in its list
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
	Document document.Document
	Secrets  []Wanted
	Tests    []Test
	name     string
	lines    map[string]int
}

// At returns path with the place it has in the file, "weir.yaml:12
// destinations[0].type"; an unknown path gets its nearest known parent's line.
func (f *File) At(path string) string { return place(f.name, f.lines, path) }

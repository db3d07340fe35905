package draft

import (
	stdjson "encoding/json"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/fault"
	"weir/shared/id"
)

// Document is the configuration of one workspace as code: what `weir apply`
// reads and `weir export` writes. Objects are known by name.
type Document struct {
	ID              id.Workspace     `json:"id,omitzero"` // chosen by the maker of a new workspace
	Workspace       string           `json:"workspace"`
	Region          string           `json:"region"`
	Sources         []Source         `json:"sources,omitempty"`
	Libraries       []Library        `json:"libraries,omitempty"`
	Transformations []Transformation `json:"transformations,omitempty"`
	Destinations    []Destination    `json:"destinations,omitempty"`
	Connections     []Connection     `json:"connections,omitempty"`
}

// Source is one origin of events. Without WriteKey the former one is kept, or
// one is made.
type Source struct {
	ID       id.Source          `json:"id,omitzero"`
	Name     string             `json:"name"`
	Was      string             `json:"was,omitzero"` // the former name; without effect once Name exists
	Type     string             `json:"type"`
	WriteKey string             `json:"writeKey,omitzero"`
	Disabled bool               `json:"disabled,omitzero"`
	Settings stdjson.RawMessage `json:"settings,omitzero"`
	Secrets  map[string]Secret  `json:"secrets,omitempty"`
}

// Library is code that transformations import by its name.
type Library struct {
	Name     string `json:"name"`
	Language string `json:"language"`
	Code     string `json:"code"`
}

// Transformation is customers' code.
type Transformation struct {
	ID       id.Transformation `json:"id,omitzero"`
	Name     string            `json:"name"`
	Was      string            `json:"was,omitzero"`
	Language string            `json:"language"`
	Code     string            `json:"code"`
	// MaxOutputs is how many events it makes of one at most; 0: 1,000.
	MaxOutputs int `json:"maxOutputs,omitzero"`
}

// Destination is one receiver of events.
type Destination struct {
	ID       id.Destination     `json:"id,omitzero"`
	Name     string             `json:"name"`
	Was      string             `json:"was,omitzero"`
	Type     string             `json:"type"`
	Disabled bool               `json:"disabled,omitzero"` // parks its deliveries
	Settings stdjson.RawMessage `json:"settings,omitzero"`
	Secrets  map[string]Secret  `json:"secrets,omitempty"`
}

// Secret is one version of one secret. Sealed holds the envelope for each plane
// of the region when the version is new; it is never given back.
type Secret struct {
	Version     uint64              `json:"version"`
	Fingerprint string              `json:"fingerprint"`
	Sealed      map[id.Plane][]byte `json:"sealed,omitempty"`
}

// Connection joins a source to a destination, both by name.
type Connection struct {
	Source          string   `json:"source"`
	Destination     string   `json:"destination"`
	Transformations []string `json:"transformations,omitempty"` // names, in the order of their application
}

// Decode reads a Document from JSON. Unknown and doubled members are refused.
//
// fault.Invalid with the path of the first thing that is wrong.
func Decode(data []byte) (Document, error) {
	var doc Document
	err := json.Unmarshal(data, &doc, json.RejectUnknownMembers(true))
	if err == nil {
		return doc, nil
	}
	problem := fault.Problem{Code: "malformed", Text: "This is not the JSON of a configuration."}
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		problem.Path = Path(string(semantic.JSONPointer))
		if errors.Is(err, json.ErrUnknownName) {
			problem.Code, problem.Text = "unknown_field", "This field is not known."
		} else {
			problem.Code, problem.Text = "wrong_type", "The value is not of the type that belongs here."
		}
	case errors.As(err, &syntactic):
		problem.Path = Path(string(syntactic.JSONPointer))
		if errors.Is(err, jsontext.ErrDuplicateName) {
			problem.Code, problem.Text = "duplicate_field", "This field stands here more than once."
		}
	}
	return Document{}, fault.Problems("the document cannot be read", []fault.Problem{problem})
}

// longestPath bounds the paths that are repeated to a caller, in bytes.
const longestPath = 256

// Path turns a JSON pointer (RFC 6901) into the form of problems:
// "/destinations/2/settings/url" is "destinations[2].settings.url".
func Path(pointer string) string {
	var b strings.Builder
	for token := range jsontext.Pointer(pointer).Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			b.WriteString("[" + token + "]")
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
		if b.Len() > longestPath {
			return strings.ToValidUTF8(b.String()[:longestPath], "")
		}
	}
	return b.String()
}

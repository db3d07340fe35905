package draft

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/fault"
	"weir/shared/workspace/document"
)

// Decode reads a document from JSON. Unknown and doubled members are refused.
//
// fault.Invalid with the path of the first thing that is wrong.
func Decode(data []byte) (document.Document, error) {
	var doc document.Document
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
	return document.Document{}, fault.Problems("the document cannot be read", []fault.Problem{problem})
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

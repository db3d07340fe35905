package endpoint

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// MaxBody is the longest body of most calls, in bytes.
const MaxBody = 1 << 20

// Call is one admitted request.
type Call struct {
	*http.Request
	Grant capability.Grant

	w http.ResponseWriter
}

// Decode reads the request's body, one JSON object of at most so many bytes, strictly
// into v. fault.Invalid: it is not such an object.
func (c *Call) Decode(v any, most int64) error {
	dec := json.NewDecoder(http.MaxBytesReader(c.w, c.Body, most))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fault.New(fault.Invalid, "The body is not the JSON object that this call takes.")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "Something follows the body's JSON object.")
	}
	return nil
}

// Workspaces returns what reports whether the grant is about a workspace.
func (c *Call) Workspaces() func(id.Workspace) bool {
	about := map[id.Workspace]bool{c.Grant.Workspace: c.Grant.Workspace != ""}
	for _, ws := range c.Grant.Workspaces {
		about[ws] = true
	}
	return func(ws id.Workspace) bool { return about[ws] }
}

// CoversSource reports whether the grant covers s.
func (c *Call) CoversSource(s id.Source) bool {
	return len(c.Grant.Sources) == 0 || slices.Contains(c.Grant.Sources, s)
}

// CoversDestination reports whether the grant covers d.
func (c *Call) CoversDestination(d id.Destination) bool {
	return len(c.Grant.Destinations) == 0 || slices.Contains(c.Grant.Destinations, d)
}

// Whole refuses a grant of some sources, for calls that are about all of them.
// fault.Denied.
func (c *Call) Whole() error {
	if len(c.Grant.Sources) > 0 {
		return fault.New(fault.Denied, "This capability covers some sources only; this needs all.")
	}
	return nil
}

package profiles

import (
	"encoding/json"
	"strings"
	"time"

	"weir/dataplane/profile"
	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
	"weir/shared/id"
)

// found is what is known of a person. One of the parts is there.
type found struct {
	Person      string          `json:"weirId"`
	AsOf        time.Time       `json:"asOf"`       // of the run that it is of
	Age         float64         `json:"ageSeconds"` // how long ago that was
	Traits      json.RawMessage `json:"traits,omitempty"`
	Identifiers json.RawMessage `json:"identifiers,omitempty"`
	Events      json.RawMessage `json:"events,omitempty"`
	Audiences   json.RawMessage `json:"audiences,omitempty"`
}

// workspace is whose workspace a key is.
func (v calls) workspace(token string) (id.Workspace, bool) {
	ws, _, ok := v.copies.Key(token)
	return ws, ok
}

// lookup answers from the plane's copy.
func (v calls) lookup(c *endpoint.Call) (any, error) {
	if err := c.Whole(); err != nil {
		return nil, err
	}
	q := c.URL.Query()
	name := q.Get("profiles")
	if _, of, ok := v.copies.Key(strings.TrimPrefix(c.Header.Get("Authorization"), "Bearer ")); ok {
		if name != "" && name != of {
			return nil, fault.New(fault.Denied, "This key is for other profiles of the workspace.")
		}
		name = of
	}
	part := c.PathValue("part")
	person, record, asOf, err := v.copies.Find(c.Grant.Workspace, name, q.Get("entity"), c.PathValue("identifier"), part)
	if err != nil {
		return nil, err
	}
	out := found{Person: person, AsOf: asOf, Age: max(0, v.now().Sub(asOf).Round(time.Millisecond).Seconds())}
	if len(record) == 0 { // there are none
		record = []byte("[]")
	}
	switch part {
	case profile.Traits:
		out.Traits = record
	case profile.Identifiers:
		out.Identifiers = record
	case profile.Events:
		out.Events = record
	default:
		out.Audiences = record
	}
	return out, nil
}

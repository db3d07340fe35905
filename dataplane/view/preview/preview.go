// Package preview tries transformations and destinations that were not committed on
// given events, as the view serves it.
package preview

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weir/dataplane/view/endpoint"
	"weir/shared/fault"
	"weir/shared/id"
)

// Limits of one preview.
const (
	maxPreview     = 4 << 20 // bytes of its body
	maxSamples     = 100     // events
	maxPreviewTime = 30 * time.Second
)

// Transformation is code that was not committed, and events to try it on.
type Transformation struct {
	Code      string            `json:"code"`
	Libraries []Library         `json:"libraries"`
	Events    []json.RawMessage `json:"events"`
}

// Library is a module that the code may import by its name.
type Library struct {
	Name string `json:"name"`
	Code string `json:"code"`
}

// Destination is settings that were not committed, and events to try them
// on. There are no secrets.
type Destination struct {
	Type     string            `json:"type"`
	Spec     string            `json:"spec"` // of the type custom
	Settings json.RawMessage   `json:"settings"`
	Events   []json.RawMessage `json:"events"`
}

// Previews try things on given events, without sending or keeping anything.
// Each returns a line for every event, which becomes JSON as `weir preview`
// prints it. fault.Invalid with problems: the draft itself is wrong. A nil one
// is not offered.
type Previews struct {
	OfTransformation func(ctx context.Context, ws id.Workspace, d Transformation) ([]any, error)
	OfDestination    func(ctx context.Context, d Destination) ([]any, error)
}

// Transformation answers the route of drafts of code; each preview takes a slot.
func (p Previews) Transformation(slots endpoint.Slots, c *endpoint.Call, l *endpoint.Lines) error {
	if err := endpoint.Offers(p.OfTransformation != nil, "preview of transformations"); err != nil {
		return err
	}
	var in Transformation
	if err := c.Decode(&in, maxPreview); err != nil {
		return err
	}
	return lines(slots, c, l, len(in.Events), func(ctx context.Context) ([]any, error) {
		return p.OfTransformation(ctx, c.Grant.Workspace, in)
	})
}

// Destination answers the route of drafts of settings; each preview takes a slot.
func (p Previews) Destination(slots endpoint.Slots, c *endpoint.Call, l *endpoint.Lines) error {
	if err := endpoint.Offers(p.OfDestination != nil, "preview of destinations"); err != nil {
		return err
	}
	var in Destination
	if err := c.Decode(&in, maxPreview); err != nil {
		return err
	}
	if len(in.Settings) == 0 {
		in.Settings = json.RawMessage("{}")
	}
	return lines(slots, c, l, len(in.Events), func(ctx context.Context) ([]any, error) { return p.OfDestination(ctx, in) })
}

// lines runs one preview and writes its lines.
func lines(slots endpoint.Slots, c *endpoint.Call, l *endpoint.Lines, events int, run func(context.Context) ([]any, error)) error {
	if events == 0 || events > maxSamples {
		return fault.New(fault.Invalid, "Give events to try it on, %d at most.", maxSamples)
	}
	free, err := slots.Take(c)
	if err != nil {
		return err
	}
	defer free()
	ctx, cancel := context.WithTimeout(c.Context(), maxPreviewTime)
	defer cancel()
	out, err := run(ctx)
	if err != nil && ctx.Err() != nil {
		return fault.New(fault.Unavailable, "The preview took longer than %s.", maxPreviewTime)
	}
	if err != nil {
		return fmt.Errorf("preview: %w", endpoint.Quoted(err))
	}
	for _, line := range out {
		if err := l.Line(line); err != nil {
			return err
		}
	}
	return nil
}

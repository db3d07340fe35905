package view

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

// TransformationDraft is code that was not committed, and events to try it on.
type TransformationDraft struct {
	Code      string            `json:"code"`
	Libraries []LibraryDraft    `json:"libraries"`
	Events    []json.RawMessage `json:"events"`
}

// LibraryDraft is a module that the code may import by its name.
type LibraryDraft struct {
	Name string `json:"name"`
	Code string `json:"code"`
}

// DestinationDraft is settings that were not committed, and events to try them
// on. There are no secrets.
type DestinationDraft struct {
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
	Transformation func(ctx context.Context, ws id.Workspace, d TransformationDraft) ([]any, error)
	Destination    func(ctx context.Context, d DestinationDraft) ([]any, error)
}

func (v *View) previewTransformation(c *endpoint.Call, l *endpoint.Lines) error {
	if err := offers(v.cfg.Previews.Transformation != nil, "preview of transformations"); err != nil {
		return err
	}
	var in TransformationDraft
	if err := c.Decode(&in, maxPreview); err != nil {
		return err
	}
	return v.preview(c, l, len(in.Events), func(ctx context.Context) ([]any, error) {
		return v.cfg.Previews.Transformation(ctx, c.Grant.Workspace, in)
	})
}

func (v *View) previewDestination(c *endpoint.Call, l *endpoint.Lines) error {
	if err := offers(v.cfg.Previews.Destination != nil, "preview of destinations"); err != nil {
		return err
	}
	var in DestinationDraft
	if err := c.Decode(&in, maxPreview); err != nil {
		return err
	}
	if len(in.Settings) == 0 {
		in.Settings = json.RawMessage("{}")
	}
	return v.preview(c, l, len(in.Events), func(ctx context.Context) ([]any, error) { return v.cfg.Previews.Destination(ctx, in) })
}

// preview runs one preview and writes its lines.
func (v *View) preview(c *endpoint.Call, l *endpoint.Lines, events int, run func(context.Context) ([]any, error)) error {
	if events == 0 || events > maxSamples {
		return fault.New(fault.Invalid, "Give events to try it on, %d at most.", maxSamples)
	}
	free, err := v.previews.Take(c)
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

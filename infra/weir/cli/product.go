package cli

import (
	"context"

	"weir/dataplane"
	"weir/dataplane/preview"
	"weir/shared/command"
)

// Product is the command line of the whole product.
func Product(version string) Config {
	return Config{Process: command.Process{Version: version}, Preview: previewDestination}
}

// previewDestination is `weir preview destination` by the code that delivers.
func previewDestination(_ context.Context, p Preview) (func(event []byte) PreviewLine, error) {
	open, err := preview.OpenDestination(dataplane.Kinds().Destinations, p.Type, p.Settings, p.Secrets, p.Now)
	if err != nil {
		return nil, err
	}
	return func(event []byte) PreviewLine {
		l := open(event)
		out := PreviewLine{MessageID: l.MessageID}
		for _, r := range l.Requests {
			out.Requests = append(out.Requests, PreviewRequest(r))
		}
		if l.Dropped != nil {
			out.Dropped = *l.Dropped
		}
		if l.Error != nil {
			out.Error = *l.Error
		}
		return out
	}, nil
}

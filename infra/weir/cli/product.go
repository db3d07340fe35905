package cli

import (
	"context"

	"weir/dataplane"
)

// Product is the command line of the whole product.
func Product(version string) Config {
	return Config{Version: version, Preview: previewDestination}
}

// previewDestination is `weir preview destination` by the code that delivers.
func previewDestination(_ context.Context, p Preview) (func(event []byte) PreviewLine, error) {
	open, err := dataplane.OpenPreview(p.Type, p.Settings, p.Secrets, p.Now)
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

// Package webhook is the source for systems that call when something happens.
// The gateway makes any body of /v1/webhook a track before it comes here, so the
// kind takes calls like every other. See ingest.Calls.
package webhook

import (
	_ "embed"

	"weir/dataplane/ingest"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind webhook.
var Kind = ingest.Define(spec, ingest.Calls())

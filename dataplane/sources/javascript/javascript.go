// Package javascript is the source for pages in browsers: what http takes, sent
// by SDKs that ask for their settings first. See ingest.Calls.
package javascript

import (
	_ "embed"

	"weir/dataplane/ingest"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind javascript.
var Kind = ingest.Define(spec, ingest.Calls())

// Package http is the source for servers and whoever else speaks HTTP: the calls
// of Segment's and RudderStack's SDKs. See ingest.Calls.
package http

import (
	_ "embed"

	"weir/dataplane/ingest"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind http.
var Kind = ingest.Define(spec, ingest.Calls())

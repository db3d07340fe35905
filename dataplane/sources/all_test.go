package sources_test

import (
	"testing"

	"weir/dataplane/ingest/ingesttest"
	"weir/dataplane/sources"
)

func TestAll(t *testing.T) {
	ingesttest.Run(t, sources.All(), ".")
}

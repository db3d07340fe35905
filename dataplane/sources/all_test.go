package sources_test

import (
	"testing"

	"weir/dataplane/ingest/ingesttest"
	"weir/dataplane/pull/api/apitest"
	"weir/dataplane/sources"
)

func TestAll(t *testing.T) {
	ingesttest.Run(t, sources.All(), ".")
}

func TestPulled(t *testing.T) {
	t.Parallel()
	apitest.Run(t, sources.Pulled(), ".")
}

package postgres

import (
	"time"

	"weir/dataplane/pull"
)

// Briefly has steps of a source by logical replication end within so long also in the midst
// of a transaction.
func Briefly(p pull.Puller, most time.Duration) { p.(*replica).most = most }

package tables

import "weir/dataplane/pull"

// Small makes batches and statements of a puller small.
func Small(p pull.Puller, batchRows, queryRows int) {
	p.(*puller).batchRows, p.(*puller).queryRows = batchRows, queryRows
}

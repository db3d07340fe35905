//go:build noduckdb

package duckdb

import (
	"context"
	"errors"

	"weir/dataplane/warehouse"
	"weir/shared/worker"
)

// Tasks is nothing here.
var Tasks worker.Tasks

// Supported says whether this build can open DuckDB files.
const Supported = false

func open(context.Context, Settings, warehouse.Deps) (warehouse.Warehouse, error) {
	return nil, warehouse.Fail(warehouse.CodeUnsupported, errors.New("this build of the data plane has no DuckDB (build tag noduckdb)"))
}

//go:build noduckdb

package duckdb

import (
	"context"
	"errors"

	"weir/dataplane/load"
)

// Supported says whether this build can open DuckDB files.
const Supported = false

func open(context.Context, Settings, load.Deps) (load.Warehouse, error) {
	return nil, load.Fail(load.CodeUnsupported, errors.New("this build of the data plane has no DuckDB (build tag noduckdb)"))
}

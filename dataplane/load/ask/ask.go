// Package ask asks a warehouse something beside its loads.
package ask

import (
	"context"
	"time"

	"weir/dataplane/warehouse"
	"weir/shared/fault"
)

// queryTime is how long a query or a connection test may take.
const queryTime = 30 * time.Second

// MostRows is how many rows a query gives at most.
const MostRows = 10_000

// Query runs a reading statement. Errors: fault.Limited past MostRows, Failures.
func Query(ctx context.Context, open func(context.Context) (warehouse.Warehouse, error), sql string, row func([]byte) error) error {
	n := 0
	return with(ctx, open, func(ctx context.Context, w warehouse.Warehouse) error {
		return w.Query(ctx, sql, func(b []byte) error {
			if n++; n > MostRows {
				return fault.New(fault.Limited, "The answer has more than %d rows; add a limit.", MostRows)
			}
			return row(b)
		})
	})
}

// Test says whether a warehouse could be loaded.
func Test(ctx context.Context, open func(context.Context) (warehouse.Warehouse, error)) error {
	return with(ctx, open, func(ctx context.Context, w warehouse.Warehouse) error { return w.Test(ctx) })
}

func with(ctx context.Context, open func(context.Context) (warehouse.Warehouse, error), do func(context.Context, warehouse.Warehouse) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	w, err := open(ctx)
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	defer func() { _ = w.Close() }() // it only read
	return do(ctx, w)
}

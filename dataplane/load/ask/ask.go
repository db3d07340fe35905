// Package ask asks a warehouse something beside its loads.
package ask

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// Columns returns the names and values of a row that is a JSON object, in its order.
func Columns(object []byte) (names []string, values []any, err error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, nil, fmt.Errorf("read a row: %w", err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("read a row: %w", err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, nil, fmt.Errorf("read a row: %w", err)
		}
		names, values = append(names, fmt.Sprint(name)), append(values, value)
	}
	return names, values, nil
}

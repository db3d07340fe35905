package clickhouse

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/clickhouse/building"
	"weir/shared/fault"
)

// statementTime is how long a statement of a session may take.
const statementTime = 10 * time.Minute

// Session implements tables.Modelled. Only the database of loads is there: others need
// rights of their own.
func (w *connection) Session(ctx context.Context, schema string) (tables.Session, error) {
	if schema != w.database {
		return nil, warehouse.Fail(warehouse.CodeFailed, fault.New(fault.Invalid, "A warehouse in ClickHouse has tables of its own in its database %s alone.", w.database))
	}
	if err := w.readZone(ctx); err != nil {
		return nil, err
	}
	limited := func() url.Values {
		s := large()
		s.Set("max_execution_time", fmt.Sprint(int(statementTime.Seconds())))
		return s
	}
	return &building.Session{
		Run: func(ctx context.Context, q string) error { return w.api.runWith(ctx, q, limited()) },
		Read: func(ctx context.Context, q string, row func([]string, []any) error) error {
			s := limited()
			s.Set("readonly", "1")
			return w.api.rows(ctx, q, s, func(fields []field, values []any) error {
				types := make([]string, len(fields))
				for i, f := range fields {
					types[i], values[i] = f.Type, w.value(f.Type, values[i])
				}
				return row(types, values)
			})
		},
		Refused: refused,
	}, nil
}

// Basics implements tables.Modelled.
func (w *connection) Basics() tables.Basics { return building.Basics{Name: quote, Literal: text} }

// Home implements tables.Modelled.
func (w *connection) Home() string { return w.database }

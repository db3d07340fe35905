package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"weir/dataplane/tables"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/postgres/building"
	"weir/dataplane/warehouses/postgres/session"
)

// Session implements tables.Warehouse.
func (w *connection) Session(ctx context.Context, schema string) (tables.Session, error) {
	there := &connection{conn: w.conn, schema: schema}
	if err := there.make(ctx, session.Transaction{Lock: "weir:" + schema}); err != nil {
		return nil, err
	}
	return &building.Session{
		Begin:   func(ctx context.Context) (pgx.Tx, error) { return w.begin(ctx, session.Transaction{Schema: schema}) },
		Failed:  func(err error) error { return failure(warehouse.CodeFailed, err) },
		Refused: refused,
	}, nil
}

// Basics implements tables.Modelled.
func (w *connection) Basics() tables.Basics { return building.Dialect{} }

// Dialect implements tables.Warehouse.
func (w *connection) Dialect() tables.Dialect { return building.Dialect{} }

// Home implements tables.Warehouse.
func (w *connection) Home() string { return w.schema }

// Package postgres loads into a schema of a Postgres database: COPY into a
// temporary table, then delete and insert by id in one transaction, under an
// advisory lock of the schema. A pooler may lie before the server: see room session.
//
// It dials through the plane's egress only and refuses to write in queries. A
// table takes the columns that Postgres lets it have; further ones go into __more.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/trust"
	"weir/dataplane/warehouses/postgres/session"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind postgres.
var Kind = warehouse.Define(folder, open)

func open(ctx context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	protected, err := s.tls().Config()
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	conn, err := session.Open(ctx, session.Config{
		Host: s.Host, Port: uint16(s.Port), Database: s.Database, User: s.User, Password: s.Secrets.Password.Reveal(),
		TLS: protected, Dial: d.Dial,
	})
	var p *pgconn.PgError
	if errors.As(err, &p) && p.Code == "08P01" && strings.Contains(p.Message, "authentication failed") {
		return nil, warehouse.Fail(warehouse.CodeAuth, err) // PgBouncer has one state for all that it refuses
	}
	if err != nil {
		return nil, failure(warehouse.CodeUnreachable, err)
	}
	return &connection{conn: conn, schema: s.Schema, blobs: d.Blobs}, nil
}

func (s *Settings) tls() trust.TLS {
	return trust.TLS{Mode: s.SSLMode, Host: s.Host, RootCert: s.SSLRootCert, Cert: s.SSLCert, Key: s.Secrets.SSLKey.Reveal()}
}

// Check lists what is wrong with the certificates.
func (s *Settings) Check() []fault.Problem { return s.tls().Problems() }

// refused gives an error of a customer's statement its code: all that the server
// says against one is the customer's, but for what the server or the connection
// lacks. A right that is missing is no fault of the sign-in.
func refused(err error) error {
	var p *pgconn.PgError
	if !errors.As(err, &p) || len(p.Code) < 2 {
		return failure(warehouse.CodeFailed, err)
	}
	switch p.Code[:2] {
	case "08", "28", "53", "57", "58", "XX":
		return failure(warehouse.CodeFailed, err)
	}
	code := warehouse.CodeFailed
	if p.Code != insufficientPrivilege {
		code = warehouse.CodeOf(failure(code, err))
	}
	return warehouse.Refuse(code, err)
}

// insufficientPrivilege is the state of an error for want of a right.
// Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
const insufficientPrivilege = "42501"

// failure gives an error of the driver its code and its scope; code is that of
// others.
func failure(code string, err error) error {
	if err == nil {
		return nil
	}
	scope := refusal.Warehouse
	var p *pgconn.PgError
	if errors.As(err, &p) && len(p.Code) == 5 {
		switch {
		case strings.HasPrefix(p.Code, "28") || p.Code == insufficientPrivilege:
			code = warehouse.CodeAuth
		case strings.HasPrefix(p.Code, "08") || strings.HasPrefix(p.Code, "57P") || p.Code == "53300" || p.Code == "3D000":
			code = warehouse.CodeUnreachable
		case strings.HasPrefix(p.Code, "42") || strings.HasPrefix(p.Code, "3F") || p.Code == "0A000" || p.Code == "2BP01":
			code = warehouse.CodeSchema
		case p.Code == "22001": // only an id can be: give the column a wider type
			code = warehouse.CodeSchema
		}
		scope = scopeOf(p.Code)
		if p.Detail != "" {
			err = fmt.Errorf("%w (%s)", err, p.Detail)
		}
	}
	return warehouse.Fail(code, refusal.Wrap(scope, err))
}

// scopeOf says what an error of a state holds up. A right that is missing is looked
// at apart, see connection.denied.
// Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
func scopeOf(state string) refusal.Scope {
	switch state {
	case "55P03", "55006": // a lock, or somebody uses it
		return refusal.Busy
	case insufficientPrivilege, "25006": // the latter: the server only reads, such as a standby
		return refusal.Warehouse
	}
	switch state[:2] {
	case "40": // deadlocks
		return refusal.Busy
	case "22", "23", "44", "54", "P0", "09", "27", "38", "39": // values, constraints, limits, and what triggers say
		return refusal.Rows
	case "0A", "21", "2B", "42", "55": // what the table is, or what depends on it
		return refusal.Table
	}
	switch state {
	case "XX001", "XX002": // the table, or an index of it, is damaged
		return refusal.Table
	}
	return refusal.Warehouse
}

// Package rs loads into a schema of an Amazon Redshift database: rows go as Parquet files
// into a bucket of the customer's, from there by COPY into a temporary table, and then by
// delete and insert by id, or update and insert, into their table, in one transaction that
// holds the table's lock.
//
// It dials through the plane's egress only, and queries run in transactions that only
// read. Texts have at most 65,535 bytes: a row with a longer one is refused.
//
// Sources: https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html,
// https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html,
// https://docs.aws.amazon.com/redshift/latest/dg/r_BEGIN.html,
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_COLUMNS.html,
// https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
package rs

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/dataplane/bucket"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/trust"
	"weir/dataplane/warehouse/upload"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind rs, Amazon Redshift.
var Kind = warehouse.Define(folder, open)

// Check wants keys for the bucket, or roles in their place.
func (s *Settings) Check() (all []fault.Problem) {
	all = bucket.CheckKeys(s.MachineRole, s.Secrets.AccessKey, s.Secrets.SecretKey)
	if s.MachineRole && s.IamRole == "" {
		all = append(all, fault.Problem{Path: "settings.iamRole", Code: "required", Text: "With machineRole the cluster needs a role of its own to read the bucket: give iamRole."})
	}
	return all
}

// connectTime is how long signing in may take.
const connectTime = 30 * time.Second

func open(ctx context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	c := bucket.Config{
		Base: s.Base, Bucket: s.Bucket, Region: s.Region, PathStyle: true,
		AccessKey: s.Secrets.AccessKey.Reveal(), SecretKey: s.Secrets.SecretKey.Reveal(), Dial: d.Dial, Now: d.Now,
	}
	if s.MachineRole {
		if c.Machine = d.Machine; c.Machine == nil {
			return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("there is no role of a machine here"))
		}
	}
	store, err := bucket.Open(c)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	// Only typed fields count: this text gives the form of a configuration, not its content.
	p, err := pgx.ParseConfig("host=localhost port=5439 user=none database=none sslmode=disable")
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	p.Host, p.Port, p.Database, p.User, p.Password = s.Host, uint16(s.Port), s.Database, s.User, s.Secrets.Password.Reveal()
	p.Fallbacks, p.ConnectTimeout = nil, connectTime
	if p.TLSConfig, err = (trust.TLS{Mode: s.SSLMode, Host: s.Host}).Config(); err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	p.DialFunc = d.Dial
	p.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer resolves
	p.RuntimeParams = map[string]string{"application_name": "weir", "client_encoding": "UTF8"}
	p.DefaultQueryExecMode = pgx.QueryExecModeExec
	p.StatementCacheCapacity, p.DescriptionCacheCapacity = 0, 0
	conn, err := pgx.ConnectConfig(ctx, p)
	if err != nil {
		return nil, failure(warehouse.CodeUnreachable, err)
	}
	w := &connection{conn: conn, settings: s, to: upload.To{Store: store, Bucket: s.Bucket, Prefix: s.Prefix, Now: d.Now}, blobs: d.Blobs}
	if err := w.run(ctx, "set timezone to 'UTC'; set datestyle to 'ISO'; set search_path to "+quote(s.Schema)); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// refused gives an error of a customer's statement its code: what the server says against
// one is the customer's, but for what the server or the connection lacks.
func refused(err error) error {
	var p *pgconn.PgError
	if !errors.As(err, &p) || len(p.Code) < 2 {
		return failure(warehouse.CodeFailed, err)
	}
	switch p.Code[:2] {
	case "08", "28", "53", "58":
		return failure(warehouse.CodeFailed, err)
	case "57":
		if p.Code != queryCanceled {
			return failure(warehouse.CodeFailed, err)
		}
	}
	code := warehouse.CodeFailed
	if p.Code != insufficientPrivilege {
		code = warehouse.CodeOf(failure(code, err))
	}
	return warehouse.Refuse(code, err)
}

// States of errors. Redshift has those of Postgres 8, and XX000 for its own.
// Source: https://www.postgresql.org/docs/8.0/errcodes-appendix.html
const (
	insufficientPrivilege = "42501"
	queryCanceled         = "57014" // by statement_timeout
)

// failure gives an error of the driver its code and its scope; code is that of others.
func failure(code string, err error) error {
	if err == nil {
		return nil
	}
	scope := refusal.Warehouse
	var p *pgconn.PgError
	if errors.As(err, &p) && len(p.Code) == 5 {
		said := p.Message + " " + p.Detail
		switch {
		case strings.Contains(said, "S3ServiceException") || strings.Contains(said, "S3 Query Exception"): // it has no state of its own
			return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the cluster cannot read the bucket: let its role, or the access key, have s3:GetObject and s3:ListBucket there, and let the bucket be in the cluster's region: %w", err))
		case strings.HasPrefix(p.Code, "28") || p.Code == insufficientPrivilege:
			code = warehouse.CodeAuth
		case strings.HasPrefix(p.Code, "08") || strings.HasPrefix(p.Code, "57P") || p.Code == "53300" || p.Code == "3D000":
			code = warehouse.CodeUnreachable
		case strings.HasPrefix(p.Code, "42") || strings.HasPrefix(p.Code, "3F") || p.Code == "0A000" || p.Code == "2BP01" || p.Code == "22001":
			code = warehouse.CodeSchema
		case strings.Contains(said, "Serializable isolation violation"): // error 1023
			return warehouse.Fail(code, refusal.Wrap(refusal.Busy, err))
		}
		scope = scopeOf(p.Code)
		if p.Detail != "" {
			err = fmt.Errorf("%w (%s)", err, p.Detail)
		}
	}
	return warehouse.Fail(code, refusal.Wrap(scope, err))
}

// scopeOf says what an error of a state holds up.
func scopeOf(state string) refusal.Scope {
	switch state[:2] {
	case "40":
		return refusal.Busy
	case "22", "23", "44", "54":
		return refusal.Rows
	case "0A", "21", "2B", "42":
		if state == insufficientPrivilege {
			return refusal.Warehouse
		}
		return refusal.Table
	case "55":
		return refusal.Busy
	}
	return refusal.Warehouse
}

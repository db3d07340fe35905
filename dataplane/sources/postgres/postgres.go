// Package postgres pulls rows of tables of Postgres databases: by a column that rises, or
// by logical replication. What servers say of errors stays here: a failure has a sentence
// of Weir's own, with the statement that grants a right which is missing.
//
// By a column, each step is one transaction that only reads, so a pooler may lie before the
// server.
//
// By logical replication, the server keeps its changes in a slot from a position on. Then
// each table is copied in ranges of its key, and the changes are read from that position
// on: the copy of a row is followed by all that happened to it meanwhile, in order, and
// ends as the last of them says. What is copied is never older than what was read of the
// changes before, because changes are emitted only when other transactions see them. The
// server may forget a change when its record is durable and the cursor has moved; not
// before. A change has its position as version, so one that is read again is a duplicate.
package postgres

import (
	"context"
	_ "embed"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/session"
	"weir/dataplane/sources/postgres/text"
	"weir/dataplane/warehouse/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind postgres.
var Kind = pull.Define(spec, open)

func open(s Settings, d pull.Deps) pull.Puller {
	if s.Replication == logical {
		return newReplica(s, d)
	}
	c := tables.Config{Tables: s.Tables, Keys: s.Keys, Deleted: s.Deleted, Overlap: s.Overlap.Std()}
	return tables.New(c, d, func(ctx context.Context) (tables.Session, error) { return session.Begin(ctx, s.server(d), false) })
}

// logical is the setting Replication of replicas.
const logical = "logical"

func (s *Settings) tls() trust.TLS {
	return trust.TLS{Mode: s.SSLMode, Host: s.Host, RootCert: s.SSLRootCert, Cert: s.SSLCert, Key: s.Secrets.SSLKey.Reveal()}
}

// Check lists what is wrong with the certificates.
func (s *Settings) Check() []fault.Problem { return s.tls().Problems() }

// server is where tables are.
func (s *Settings) server(d pull.Deps) session.Server {
	return session.Server{
		Host: s.Host, Port: uint16(s.Port), Database: s.Database, Schema: s.Schema, User: s.User, Password: s.Secrets.Password.Reveal(), TLS: s.tls(), Dial: d.Dial,
	}
}

func quote(name string) string { return text.Quote(name) }

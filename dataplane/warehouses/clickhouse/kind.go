// Package clickhouse loads into a database of a ClickHouse server, over its HTTP
// interface and through the plane's egress only. It loads with 18.16 and what came after.
//
// There are no transactions. Rows of a load go into a table of its own first. An id that
// the target lacks is inserted by one statement that looks for it too, under a query id
// that the server gives to one statement at a time. A row that is there is changed by
// inserting the new one and then deleting, by their content, the ones that were read
// before: in between the id is there twice, never not at all, and what a crash leaves the
// next attempt ends. A repetition that changes nothing writes nothing.
//
// Queries run with readonly=1, in which the server refuses to write, to change settings
// and to call what reaches outside, and are read by room reading before. There is no Exec.
// Values that are no JSON number keep their digits in texts, as the formats of texts of
// older servers read floats inexactly: rows are sent as RowBinary. Times are texts of 24
// characters, as no type of a server of 2018 holds milliseconds, nor the years 1 to 9999.
package clickhouse

import (
	"context"
	"embed"
	"errors"
	"net"
	"strconv"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind clickhouse.
var Kind = warehouse.Define(folder, open)

func open(_ context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	protected, err := s.tls().Config()
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	scheme := "https"
	if protected == nil {
		scheme = "http"
	}
	address := scheme + "://" + net.JoinHostPort(s.Host, strconv.FormatInt(s.Port, 10)) + "/"
	return &connection{api: newAPI(address, s.User, s.Secrets.Password.Reveal(), s.Database, d.Dial, protected), database: s.Database, user: s.User, blobs: d.Blobs, now: d.Now}, nil
}

func (s *Settings) tls() trust.TLS {
	return trust.TLS{Mode: s.SSLMode, Host: s.Host, RootCert: s.SSLRootCert, Cert: s.SSLCert, Key: s.Secrets.SSLKey.Reveal()}
}

// Check lists what is wrong with the certificates.
func (s *Settings) Check() []fault.Problem { return s.tls().Problems() }

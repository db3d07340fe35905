// Package mssql loads into a schema of a database of Microsoft SQL Server or Azure SQL: rows
// go by the bulk copy of the Tabular Data Stream protocol into a temporary table, and by one
// MERGE, under a lock of the schema and in a transaction, into their table.
//
// It dials through the plane's egress only. SQL Server has no transactions that only read: a
// query is one statement without a word that writes or reaches outside of the database, and
// what it did is taken back. A table takes the columns that fit into a row of 8,060 bytes;
// further ones, and texts that a row has no room for, go into __more. Columns of floats are
// not widened, as the server writes a float with other digits than it holds.
//
// Blanks at the end of texts do not count where SQL Server compares them, but in ids.
package mssql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	driver "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind mssql.
var Kind = warehouse.Define(folder, open)

// connectTime is how long signing in may take.
const connectTime = 15 * time.Second

// packetBytes is the most that the server takes of an encrypted connection at once.
const packetBytes = 16383

func open(ctx context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	protected, err := s.tls().Config()
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	c := msdsn.Config{
		Host: s.Host, Port: uint64(s.Port), Database: s.Database, User: s.User, Password: s.Secrets.Password.Reveal(), AppName: "Weir",
		Protocols: []string{"tcp"}, PacketSize: packetBytes, DialTimeout: connectTime, DisableRetry: true, NoTraceID: true, Encryption: msdsn.EncryptionRequired, TLSConfig: protected,
	}
	if protected == nil {
		c.Encryption = msdsn.EncryptionDisabled
	}
	way := &way{dial: d.Dial, host: s.Host}
	connector := driver.NewConnectorConfig(c)
	connector.Dialer = way
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	w := &connection{db: db, settings: s, way: way, blobs: d.Blobs}
	if err := w.connect(ctx); err != nil {
		_ = db.Close() // there is no connection
		return nil, err
	}
	return w, nil
}

func (s *Settings) tls() trust.TLS {
	return trust.TLS{Mode: s.SSLMode, Host: s.Host, RootCert: s.SSLRootCert}
}

// Check lists what is wrong with the certificates.
func (s *Settings) Check() []fault.Problem { return s.tls().Problems() }

// way is the way to the server: the driver asks it for connections, by names.
type way struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	host string

	mu   sync.Mutex
	conn net.Conn // the last
}

// DialContext implements the driver's Dialer. Signing in has a deadline, as the driver has
// none there.
func (w *way) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := w.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.conn = conn
	w.mu.Unlock()
	return conn, conn.SetDeadline(time.Now().Add(connectTime))
}

// HostName implements the driver's HostDialer: names are resolved where connections are made.
func (w *way) HostName() string { return w.host }

// until gives the connection a deadline, none when at is zero.
func (w *way) until(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.SetDeadline(at) // it fails on a closed connection only
	}
}

// Numbers of errors that are looked at beyond what they say.
const objectDenied = 229

// said is what a kind says of an error by its number.
type said struct {
	code   string
	scope  refusal.Scope
	remedy string
}

var errorsByNumber = sayings()

// Source: https://learn.microsoft.com/en-us/sql/relational-databases/errors-events/database-engine-events-and-errors and
// https://learn.microsoft.com/en-us/azure/azure-sql/database/troubleshoot-common-errors-issues
func sayings() map[int32]said {
	found := map[int32]said{}
	all := func(s said, numbers ...int32) {
		for _, n := range numbers {
			found[n] = s
		}
	}
	all(said{warehouse.CodeAuth, refusal.Warehouse, "check the user and the password, and that the server takes logins by password"}, 18450, 18452, 18456, 18470, 18486)
	all(said{warehouse.CodeAuth, refusal.Warehouse, "the password has expired: give the login a new one"}, 18463, 18464, 18465, 18466, 18467, 18468, 18487, 18488)
	all(said{warehouse.CodeAuth, refusal.Warehouse, "make the database, or a user for the login in it"}, 916, 4060, 4064)
	all(said{warehouse.CodeAuth, refusal.Warehouse, "grant the user what the set-up guide of this kind lists"}, objectDenied, 230, 262, 297, 300, 1088, 2760, 6004, 15247, 15151)
	all(said{warehouse.CodeUnreachable, refusal.Warehouse, "let the addresses of the data plane through the firewall of the server"}, 40615, 40532)
	all(said{warehouse.CodeUnreachable, refusal.Warehouse, "the server stops, starts, only reads, or has too much to do"}, 596, 701, 802, 913, 922, 923, 924, 927, 942, 945, 952, 976, 983, 3906, 6005, 8645, 8651, 10928, 10929, 17142, 17197, 18401, 40197, 40501, 40540, 40613, 49918, 49919, 49920)
	all(said{warehouse.CodeFailed, refusal.Warehouse, "the database or its log is full"}, 1101, 1105, 9002, 40544)
	all(said{warehouse.CodeFailed, refusal.Busy, ""}, 1204, 1205, 1222, 3960, 3961)
	// Values, constraints, limits of a row, and what triggers say.
	all(said{warehouse.CodeFailed, refusal.Rows, ""}, 220, 232, 241, 242, 244, 245, 248, 295, 296, 334, 511, 512, 513, 515, 544, 547, 550, 1946, 2601, 2627, 2628, 3609, 4815, 4819, 8114, 8115, 8134, 8152, 8169, 8170, 8672, 9420, 50000)
	// What the table is, or what depends on it.
	all(said{warehouse.CodeSchema, refusal.Table, ""}, 102, 105, 156, 170, 195, 206, 207, 208, 213, 257, 260, 264, 271, 402, 446, 447, 451, 457, 468, 529, 1701, 1702, 1750, 1911, 1913, 2705, 2714, 2715, 2749, 3701, 3728, 4406, 4421, 4901, 4902, 4909, 4922, 4924, 4925, 4928, 4929, 4934, 4936, 4981, 5074, 5075, 11501, 13535, 13536, 13537, 13538, 13539, 13540, 13542, 13543, 33557097, 40515)
	return found
}

// failure gives an error of the driver its code and its scope; code is that of others.
func failure(code string, err error) error {
	if err == nil {
		return nil
	}
	scope := refusal.Warehouse
	var e driver.Error
	var n net.Error
	switch {
	case errors.As(err, &e):
		s, ok := errorsByNumber[e.Number]
		switch {
		case ok:
			code, scope = s.code, s.scope
			if s.remedy != "" {
				err = fmt.Errorf("%w (%s)", err, s.remedy)
			}
		case e.Number > 50000: // a trigger or a procedure of somebody's
			scope = refusal.Rows
		}
	case errors.As(err, &n), errors.Is(err, sql.ErrConnDone), errors.As(err, new(driver.StreamError)):
		code = warehouse.CodeUnreachable
	}
	return warehouse.Fail(code, refusal.Wrap(scope, err))
}

// refused gives an error of a customer's statement its code: all that the server says against
// one is the customer's, but for what the server or the connection lacks.
func refused(err error) error {
	var e driver.Error
	if !errors.As(err, &e) {
		return failure(warehouse.CodeFailed, err)
	}
	s := errorsByNumber[e.Number]
	if s.code == warehouse.CodeUnreachable || e.Number == 1105 || e.Number == 9002 {
		return failure(warehouse.CodeFailed, err)
	}
	code := warehouse.CodeFailed
	if s.code == warehouse.CodeSchema {
		code = s.code
	}
	return warehouse.Refuse(code, err)
}

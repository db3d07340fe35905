// Package mysql loads into a database of a MySQL 8 or MariaDB server: LOAD DATA LOCAL
// from the connection, or inserts of many rows where the server refuses it, after the
// rows of the ids are deleted, in one transaction under a lock of the database.
//
// It dials through the plane's egress only and refuses to write in queries, which run
// in ANSI mode and UTC. DDL cannot be taken back in MySQL: Exec takes none, and a change
// of a table is one statement. A table takes the columns that InnoDB lets it have;
// further ones, and values that a row has no room for, go into __more.
package mysql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind mysql.
var Kind = warehouse.Define(folder, open)

// connectTime is how long signing in may take.
const connectTime = 10 * time.Second

func open(ctx context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	protected, err := s.tls().Config()
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	c := driver.NewConfig()
	c.User, c.Passwd, c.DBName = s.User, s.Secrets.Password.Reveal(), s.Database
	c.Net, c.Addr, c.Timeout = "tcp", net.JoinHostPort(s.Host, strconv.FormatInt(s.Port, 10)), connectTime
	c.TLS, c.Logger = protected, &driver.NopLogger{}
	c.DialFunc = d.Dial
	connector, err := driver.NewConnector(c)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(-1) // each connection has one user, and what a query sets ends with it
	w := &connection{db: db, database: s.Database, user: s.User, blobs: d.Blobs}
	if w.conn, err = w.connect(ctx, &w.server); err != nil {
		_ = db.Close() // there is no connection
		return nil, err
	}
	return w, nil
}

func (s *Settings) tls() trust.TLS {
	return trust.TLS{Mode: s.SSLMode, Host: s.Host, RootCert: s.SSLRootCert, Cert: s.SSLCert, Key: s.Secrets.SSLKey.Reveal()}
}

// Check lists what is wrong with the certificates.
func (s *Settings) Check() []fault.Problem { return s.tls().Problems() }

// Numbers of errors.
// Source: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html and
// https://mariadb.com/kb/en/mariadb-error-code-reference/
const (
	tableDenied  = 1142
	columnDenied = 1143
	noDatabase   = 1049
	rowTooLarge  = 1118
)

// said is what a kind says of an error by its number.
type said struct {
	code   string
	scope  refusal.Scope
	remedy string
}

var errorsByNumber = sayings()

func sayings() map[uint16]said {
	found := map[uint16]said{}
	all := func(s said, numbers ...uint16) {
		for _, n := range numbers {
			found[n] = s
		}
	}
	all(said{warehouse.CodeAuth, refusal.Warehouse, "check the user, the password, and from where the user may sign in"}, 1045, 1698, 1130, 1251, 3118, 3159, 2059, 1524)
	all(said{warehouse.CodeAuth, refusal.Warehouse, "the password has expired: give the user a new one"}, 1820, 1862)
	all(said{warehouse.CodeAuth, refusal.Warehouse, "grant the user what the set-up guide of this kind lists"}, 1044, tableDenied, columnDenied, 1227, 1370, 1410)
	all(said{warehouse.CodeUnreachable, refusal.Warehouse, "make the database, or correct the setting database"}, noDatabase)
	all(said{warehouse.CodeUnreachable, refusal.Warehouse, "the server takes no further connection of this user for now: raise its limits, or wait"}, 1040, 1203, 1226)
	all(said{warehouse.CodeUnreachable, refusal.Warehouse, "the server stops, starts or only reads"}, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1290, 1836, 1792, 3100)
	all(said{warehouse.CodeFailed, refusal.Warehouse, "the server's disk is full"}, 1021, 1114, 3675)
	all(said{warehouse.CodeFailed, refusal.Busy, ""}, 1205, 1213, 3572, 1020)
	// Values, constraints, limits of a row, and what triggers say.
	all(said{warehouse.CodeFailed, refusal.Rows, ""}, 1022, 1048, 1062, 1153, 1169, 1216, 1217, 1261, 1262, 1263, 1264, 1265, 1292, 1364, 1366, 1367, 1369, 1406, 1411, 1426, 1451, 1452, 1526, 1586, 1644, 1690, 3140, 3141, 3156, 3819, 4025, 4038, 1300, rowTooLarge)
	// What the table is, or what depends on it.
	all(said{warehouse.CodeSchema, refusal.Table, ""}, 1051, 1054, 1060, 1061, 1064, 1068, 1069, 1070, 1071, 1072, 1073, 1074, 1075, 1089, 1091, 1101, 1103, 1112, 1117, 1121, 1146, 1163, 1164, 1167, 1170, 1176, 1214, 1235, 1347, 1356, 1471, 1674, 1831, 1833, 1834, 1846, 1901, 1906, 1948, 3105, 3108, 3106, 4161, 1907)
	all(said{warehouse.CodeFailed, refusal.Table, "the table is damaged: repair it"}, 1034, 1194, 1195, 1712, 1030)
	return found
}

// failure gives an error of the driver its code and its scope; code is that of others.
func failure(code string, err error) error {
	if err == nil {
		return nil
	}
	scope := refusal.Warehouse
	var e *driver.MySQLError
	switch {
	case errors.As(err, &e):
		if s, ok := errorsByNumber[e.Number]; ok {
			code, scope = s.code, s.scope
			if s.remedy != "" {
				err = fmt.Errorf("%w (%s)", err, s.remedy)
			}
		}
	case errors.Is(err, driver.ErrInvalidConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, driver.ErrNoTLS):
		code = warehouse.CodeUnreachable
	}
	return warehouse.Fail(code, refusal.Wrap(scope, err))
}

// refused gives an error of a customer's statement its code: all that the server says
// against one is the customer's, but for what the server or the connection lacks.
func refused(err error) error {
	var e *driver.MySQLError
	if !errors.As(err, &e) {
		return failure(warehouse.CodeFailed, err)
	}
	s := errorsByNumber[e.Number]
	if s.code == warehouse.CodeUnreachable && e.Number != 1290 && e.Number != 1792 || strings.Contains(s.remedy, "disk") {
		return failure(warehouse.CodeFailed, err)
	}
	code := warehouse.CodeFailed
	if s.code == warehouse.CodeSchema {
		code = s.code
	}
	return warehouse.Refuse(code, err)
}

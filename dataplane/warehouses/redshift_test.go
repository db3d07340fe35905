package warehouses_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/parquet-go/parquet-go"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouses/rs"
	"weir/shared/secret"
)

// redshift is a Postgres server that speaks like Redshift: it refuses what Redshift does not
// have, and loads from a bucket what a COPY names.
type redshift struct {
	t      testing.TB
	bucket *httptest.Server
	keys   func(prefix string) []string // of objects
	object func(key string) ([]byte, error)
	role   string // that may read the bucket
}

// redshiftLacks is what Postgres takes and Redshift does not.
// Sources: https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html,
// https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-datatypes.html,
// https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-functions.html and
// https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
var redshiftLacks = regexp.MustCompile(`(?i)\bjsonb?\b|\barray_agg\b|\bfilter\s*\(|\bunnest\b|create index|create sequence|\bset local\b|\badvisory|\bon conflict\b|column if not exists|\bdo \$|::text\[\]|\breturning\b|\balter column\b|format_type|to_regclass|\bon commit\b`)

// redshiftViews are what Redshift has of its own, for the kind and its user.
const redshiftViews = `
create domain public.super as jsonb;
create function pg_catalog.json_parse(t text) returns public.super language sql immutable as 'select t::jsonb::public.super';
create view pg_catalog.svv_tables as
	select n.nspname::text as table_schema, c.relname::text as table_name, case when c.relkind in ('r', 'p') then 'BASE TABLE' else 'VIEW' end as table_type
	from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	union all select n.nspname::text, t.typname::text, 'TYPE' from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace where t.typrelid = 0 and t.typcategory <> 'A';
create view pg_catalog.svv_columns as
	select n.nspname::text as table_schema, c.relname::text as table_name, a.attname::text as column_name,
	case when t.typname = 'super' then 'super' when t.typname = 'text' then 'character varying' when t.typname = 'numeric' then 'numeric' else regexp_replace(format_type(a.atttypid, a.atttypmod), '\(.*?\)', '') end as data_type,
	case when t.typname = 'text' then 65535 when t.typname in ('varchar', 'bpchar') then case when a.atttypmod < 4 then 65535 else a.atttypmod - 4 end end as character_maximum_length,
	case when t.typname = 'numeric' and a.atttypmod >= 4 then ((a.atttypmod - 4) >> 16) & 65535 end as numeric_precision,
	case when t.typname = 'numeric' and a.atttypmod >= 4 then (a.atttypmod - 4) & 65535 end as numeric_scale
	from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace join pg_catalog.pg_type t on t.oid = a.atttypid
	where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v');
grant select on pg_catalog.svv_tables, pg_catalog.svv_columns to public;
`

const (
	redshiftRole   = "arn:aws:iam::123456789012:role/copy"
	redshiftBucket = "files"
)

func ofRedshift(t testing.TB) loadtest.Setup {
	s, _ := redshiftSetup(t)
	return s
}

func redshiftSetup(t testing.TB) (loadtest.Setup, *redshift) {
	backend := s3mem.New()
	if err := backend.CreateBucket(redshiftBucket); err != nil {
		t.Fatal(err)
	}
	r := &redshift{t: t, role: redshiftRole}
	r.bucket = httptest.NewServer(gofakes3.New(backend, gofakes3.WithoutVersioning(), gofakes3.WithTimeSkewLimit(0)).Server())
	t.Cleanup(r.bucket.Close)
	r.keys = func(prefix string) (keys []string) {
		list, err := backend.ListBucket(redshiftBucket, &gofakes3.Prefix{HasPrefix: true, Prefix: prefix}, gofakes3.ListBucketPage{})
		if err != nil {
			t.Error(err)
			return nil
		}
		for _, c := range list.Contents {
			keys = append(keys, c.Key)
		}
		return keys
	}
	r.object = func(key string) ([]byte, error) {
		o, err := backend.GetObject(redshiftBucket, key, nil)
		if err != nil {
			return nil, err
		}
		defer func() { _ = o.Contents.Close() }()
		return io.ReadAll(o.Contents)
	}
	s := postgresBehind(t, r.dial)
	name := regexp.MustCompile(`"database":"(\w+)"`).FindStringSubmatch(s.Settings)[1]
	user := regexp.MustCompile(`"user":"(\w+)"`).FindStringSubmatch(s.Settings)[1]
	execPostgres(t, name, "set allow_system_table_mods = on;"+redshiftViews)
	s.Settings = `{"host":"db","database":"` + name + `","user":"` + user + `","schema":"weir","sslMode":"disable","bucket":"` + redshiftBucket +
		`","region":"eu-central-1","iamRole":"` + redshiftRole + `","baseUrl":"http://s3.example.com"}`
	s.Secrets["accessKey"], s.Secrets["secretKey"] = secret.NewString("AKIA"), secret.NewString("hush")
	s.Outside = append(s.Outside, "unload ('select 1') to 's3://files/x' iam_role default", "copy order_done from 's3://files/x' iam_role default format as parquet", "call x()")
	s.MaxText = 65000
	s.Lacks = []string{"uuid", "timestamp(0)"}
	// Rows of Postgres have at most 8 KiB and its names 63 bytes, those of Redshift 4 MiB and
	// 127 bytes. What is mixed is one file after the other, as in every part.
	s.Without = []string{"backslash", "broad", "traits", "names", "former", "mixed", "wide"}
	return s, r
}

// dial leads to the bucket, or to the server by a proxy that knows Redshift's statements.
func (r *redshift) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if strings.HasPrefix(addr, "s3.example.com:") {
		return (&net.Dialer{}).DialContext(ctx, network, r.bucket.Listener.Addr().String())
	}
	pg, err := server.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	client, ours := net.Pipe()
	p := &redshiftProxy{r: r, client: ours, pg: pg}
	go p.fromClient()
	go p.fromServer()
	return client, nil
}

type redshiftProxy struct {
	r          *redshift
	client, pg net.Conn

	mu     sync.Mutex
	lines  []byte // of the COPY that the server waits for
	copies bool
	stage  map[string][]string // types of the columns of temporary tables
}

// frame reads one message; the first of a client has no type.
func frame(from io.Reader, first bool) (typ byte, all []byte, err error) {
	head := make([]byte, 5)
	if first {
		head = head[:4]
	}
	if _, err := io.ReadFull(from, head); err != nil {
		return 0, nil, err
	}
	all = make([]byte, int(binary.BigEndian.Uint32(head[len(head)-4:]))+len(head)-4)
	copy(all, head)
	_, err = io.ReadFull(from, all[len(head):])
	return head[0], all, err
}

func message(typ byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4))
	return append(b, body...)
}

func (p *redshiftProxy) end() { _, _ = p.client.Close(), p.pg.Close() }

func (p *redshiftProxy) fromClient() {
	defer p.end()
	for first := true; ; first = false {
		typ, all, err := frame(p.client, first)
		if err != nil {
			return
		}
		if !first && (typ == 'Q' || typ == 'P') {
			text := string(all[5:])
			if typ == 'P' { // a statement's name comes first
				_, text, _ = strings.Cut(text, "\x00")
			}
			text, _, _ = strings.Cut(text, "\x00")
			if sent, err := p.statement(text, typ == 'Q'); err != nil {
				say := "do $$ begin raise exception using errcode = '42601', message = " + "'" + strings.ReplaceAll(err.Error(), "'", "''") + "'; end $$"
				if strings.HasPrefix(err.Error(), "S3ServiceException") {
					say = strings.ReplaceAll(say, "42601", "XX000")
				}
				all = message('Q', append([]byte(say), 0))
				if typ == 'P' {
					all = message('P', append(append([]byte{0}, say...), 0, 0, 0))
				}
			} else if sent != text {
				all = message('Q', append([]byte(sent), 0))
			}
		}
		if _, err := p.pg.Write(all); err != nil {
			return
		}
	}
}

func (p *redshiftProxy) fromServer() {
	defer p.end()
	for {
		typ, all, err := frame(p.pg, false)
		if err != nil {
			return
		}
		p.mu.Lock()
		copies, lines := p.copies, p.lines
		if typ == 'G' && copies {
			p.copies, p.lines = false, nil
		}
		p.mu.Unlock()
		if typ == 'G' && copies { // the client does not see it
			for len(lines) > 0 && err == nil {
				n := min(len(lines), 1<<20)
				_, err = p.pg.Write(message('d', lines[:n]))
				lines = lines[n:]
			}
			if _, err2 := p.pg.Write(message('c', nil)); errors.Join(err, err2) != nil {
				return
			}
			continue
		}
		if _, err := p.client.Write(all); err != nil {
			return
		}
	}
}

var (
	redshiftCopy  = regexp.MustCompile(`^copy (\w+) from 's3://([a-z0-9.-]+)/([^']+)' (iam_role (?:default|'([^']*)')|credentials 'aws_access_key_id=([^;']+);aws_secret_access_key=([^']+)') format as parquet$`)
	redshiftStage = regexp.MustCompile(`^create temporary table (\w+) \((.*)\)$`)
)

// statement returns what the server is asked in place of a statement, or why Redshift
// refuses it.
func (p *redshiftProxy) statement(sql string, simple bool) (string, error) {
	if simple && redshiftLacks.MatchString(stringLiteral.ReplaceAllString(sql, "''")) {
		return "", fmt.Errorf("Redshift does not have this: %.200s", sql)
	}
	if simple && strings.Contains(sql, "weir_stage (") && !redshiftStage.MatchString(sql) {
		return "", fmt.Errorf("no temporary table: %.200s", sql)
	}
	if m := redshiftStage.FindStringSubmatch(sql); m != nil {
		if p.stage == nil {
			p.stage = map[string][]string{}
		}
		p.stage[m[1]] = nil
		for _, def := range strings.Split(m[2], ", ") {
			_, typ, _ := strings.Cut(def, " ")
			p.stage[m[1]] = append(p.stage[m[1]], typ)
		}
		return sql, nil
	}
	if !strings.HasPrefix(sql, "copy") {
		return sql, nil
	}
	m := redshiftCopy.FindStringSubmatch(sql)
	if m == nil {
		return "", fmt.Errorf("no COPY of a columnar file: %.200s", sql)
	}
	if m[2] != redshiftBucket || m[5] != "" && m[5] != p.r.role || m[6] != "" && m[6] != "AKIA" {
		return "", errors.New("S3ServiceException:Access Denied,Status 403,Error AccessDenied")
	}
	keys := p.r.keys(m[3])
	if len(keys) == 0 {
		return "", fmt.Errorf("The specified S3 prefix '%s' does not exist", m[3])
	}
	var lines bytes.Buffer
	for _, key := range keys {
		if err := p.lined(&lines, key, p.stage[m[1]]); err != nil {
			return "", fmt.Errorf("Spectrum Scan Error: %s: %w", key, err)
		}
	}
	p.mu.Lock()
	p.lines, p.copies = lines.Bytes(), true
	p.mu.Unlock()
	return "copy " + m[1] + " from stdin", nil
}

var stringLiteral = regexp.MustCompile(`'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"`)

// lined writes a Parquet file as COPY's text, when its columns are those of the table, by
// their order.
func (p *redshiftProxy) lined(out *bytes.Buffer, key string, types []string) error {
	b, err := p.r.object(key)
	if err != nil {
		return err
	}
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	columns := f.Root().Columns()
	if len(columns) != len(types) {
		return fmt.Errorf("the file has %d columns, the table %d", len(columns), len(types))
	}
	for i, c := range columns {
		kinds := map[string]parquet.Kind{"bigint": parquet.Int64, "double precision": parquet.Double, "boolean": parquet.Boolean, "character varying(65535)": parquet.ByteArray}
		if kind, ok := kinds[types[i]]; !ok || kind != c.Type().Kind() || strings.HasPrefix(c.Type().String(), "TIMESTAMP") {
			return fmt.Errorf("column %s has type %s, the table's %s", c.Name(), c.Type(), types[i])
		}
	}
	r := parquet.NewReader(f)
	rows := make([]parquet.Row, 16)
	for {
		n, err := r.ReadRows(rows)
		for _, row := range rows[:n] {
			for i, v := range row {
				if i > 0 {
					out.WriteByte('\t')
				}
				switch {
				case v.IsNull():
					out.WriteString(`\N`)
				case v.Kind() == parquet.Int64:
					out.WriteString(strconv.FormatInt(v.Int64(), 10))
				case v.Kind() == parquet.Double:
					out.WriteString(strconv.FormatFloat(v.Double(), 'g', -1, 64))
				case v.Kind() == parquet.Boolean:
					out.WriteString(strconv.FormatBool(v.Boolean()))
				case len(v.ByteArray()) > 65535:
					return errors.New("the string exceeds the DDL length")
				default:
					_, _ = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\r", "\\r", "\t", "\\t").WriteString(out, string(v.ByteArray()))
				}
			}
			out.WriteByte('\n')
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// TestRedshiftTells wants of a connection test which right is missing, and nothing left in
// the bucket after a load.
func TestRedshiftTells(t *testing.T) {
	t.Parallel()
	s, r := redshiftSetup(t)
	test := func() error {
		o, err := rs.Kind().Open([]byte(s.Settings), s.Secrets)
		if err != nil {
			t.Fatal(err)
		}
		w, err := o.Open(t.Context(), s.Deps)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Close() }()
		return w.Test(t.Context())
	}
	if err := test(); err != nil {
		t.Fatal(err)
	}
	r.role = "arn:aws:iam::123456789012:role/other"
	if err := test(); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), "s3:GetObject") {
		t.Errorf("without the cluster's right to the bucket the test says %v", err)
	}
	r.role = redshiftRole
	name := regexp.MustCompile(`"database":"(\w+)"`).FindStringSubmatch(s.Settings)[1]
	for _, c := range []struct{ revoke, want string }{
		{"create schema if not exists weir; grant usage on schema weir to owner_" + name, "grant create on schema"},
		{"revoke temp on database " + name + " from public", "grant temp on database"},
	} {
		execPostgres(t, name, c.revoke)
		if err := test(); warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), c.want) {
			t.Errorf("after %q the test says %v, want %q", c.revoke, err, c.want)
		}
	}
	if left := r.keys(""); len(left) > 0 {
		t.Errorf("the bucket still has %v", left)
	}
	s.Deps.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "s3.") {
			return nil, errors.New("no route")
		}
		return r.dial(ctx, network, addr)
	}
	execPostgres(t, name, "grant temp on database "+name+" to public; grant create on schema weir to owner_"+name)
	if err := test(); warehouse.CodeOf(err) != warehouse.CodeUnreachable {
		t.Errorf("without a way to the bucket the test says %v", err)
	}
}

func TestRedshiftSettings(t *testing.T) {
	t.Parallel()
	base := `{"host":"h","database":"d","user":"u","bucket":"files","region":"eu-central-1"`
	secrets := func(names ...string) map[string]secret.String {
		m := map[string]secret.String{}
		for _, n := range names {
			m[n] = secret.NewString("x")
		}
		return m
	}
	for what, c := range map[string]struct {
		settings string
		secrets  map[string]secret.String
		want     string
	}{
		"keys":                      {base + "}", secrets("password", "accessKey", "secretKey"), ""},
		"a role of the machine":     {base + `,"machineRole":true,"iamRole":"default"}`, secrets("password"), ""},
		"no keys":                   {base + "}", secrets("password"), "secretKey"},
		"a machine without iamRole": {base + `,"machineRole":true}`, secrets("password"), "iamRole"},
		"a role that is no ARN":     {base + `,"iamRole":"copy' x"}`, secrets("password", "accessKey", "secretKey"), "iamRole"},
		"keys and a machine":        {base + `,"machineRole":true,"iamRole":"default"}`, secrets("password", "accessKey"), "accessKey"},
		"no password":               {base + "}", secrets("accessKey", "secretKey"), "password"},
	} {
		_, err := rs.Kind().Open([]byte(c.settings), c.secrets)
		if got := fmt.Sprint(err); (c.want == "") != (err == nil) || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

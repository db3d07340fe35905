package e2e_test

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/shared/postgrestest"
	"weir/shared/servertest"
)

// authority signs certificates; no system trusts it.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	text string // its own certificate, PEM
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.text, _, a.key = a.sign(a.cert)
	return a
}

// sign returns a certificate and its key as PEM texts.
func (a *authority) sign(template *x509.Certificate) (cert, text string, key *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	by := a.key
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(cryptorand.Reader, template, a.cert, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	block := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", private), key
}

// issue returns a certificate of a name, for a server at 127.0.0.1 too, and its key.
func (a *authority) issue(name string) (cert, key string) {
	a.t.Helper()
	cert, key, _ = a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	})
	return cert, key
}

// indented is a text as a block of YAML.
func indented(text string) string {
	return "|\n          " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n          ")
}

// psql asks a server for the first row's first value.
func psql(t *testing.T, s *postgrestest.Server, statement string) (string, error) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.Address())
	out, err := exec.CommandContext(t.Context(), "psql", "-X", "-h", s.Dir(), "-p", port, "-U", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement, "postgres").Output()
	return strings.TrimSpace(string(out)), err
}

// churn is a procedure that changes rows of things at random, in short transactions.
const churn = `create table things (id bigint primary key, name text, n int, big text);
alter table things alter big set storage external;
insert into things select i, 'n' || i, i, case when i % 10 = 0 then repeat(md5(i::text), 100) end from generate_series(1, 3000) i;
create procedure churn(times int) language plpgsql as $$
declare r int; k int;
begin
  for i in 1..times loop
    r := floor(random() * 10); k := floor(random() * 4000);
    case
      when r = 0 then delete from things where id = k;
      when r < 4 then insert into things values (k, 'new' || i, i, case when r = 1 then repeat(md5(random()::text), 100) end) on conflict (id) do update set name = excluded.name;
      when r = 4 then update things set id = 5000 + k where id = k and not exists (select 1 from things where id = 5000 + k);
      else update things set n = n + 1 where id = k;
    end case;
    if i % 5 = 0 then if random() < 0.1 then rollback; else commit; end if; end if;
  end loop;
end $$;`

// TestKilledWhileTablesAreFollowed copies and follows a table by logical replication, over
// TLS with a private authority and a client's certificate, under writes, while the plane is
// killed and the server crashes: the warehouse ends equal to the table.
func TestKilledWhileTablesAreFollowed(t *testing.T) {
	t.Parallel()
	at := freePort(t)
	s, err := postgrestest.Start(t.Context(), at, "wal_level=logical")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	own := newAuthority(t)
	cert, key := own.issue("db")
	if err := s.Exec(t.Context(), "postgres", churn+"; create role weir login replication; grant select on things to weir; create publication weir for table things with (publish_via_partition_root = true)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Secure(t.Context(), cert, key, own.text, "weir"); err != nil {
		t.Fatal(err)
	}
	mine, myKey := own.issue("weir")
	dir, ports := t.TempDir(), addresses(t)
	secret := filepath.Join(dir, "key.pem")
	write(t, secret, myKey)
	host, port, _ := net.SplitHostPort(at)
	config := fmt.Sprintf(`workspace: acme
region: eu
sources:
  - name: pg
    type: postgres
    settings:
      host: %s
      port: %s
      database: postgres
      user: weir
      replication: logical
      tables: { things: "" }
      sslMode: verify-full
      sslRootCert: %s
      sslCert: %s
    secrets: { sslKey: { from: file, path: %q } }
destinations:
  - { name: lake, type: duckdb, settings: { path: "./acme.duckdb", syncEvery: 5s } }
connections:
  - { source: pg, destination: lake }
`, host, port, indented(own.text), indented(mine), secret)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 1))
	p, in := dev(t, dir, config, ports...)
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer writers.Wait()
	defer stop()
	for range 2 {
		writers.Go(func() {
			for ctx.Err() == nil {
				_ = s.Exec(ctx, "postgres", "call churn(200)") // a crash of the server ends it
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
			}
		})
	}
	for n := range max(3, (*kills-10)/2) {
		<-time.After(time.Duration(500+chance.IntN(3000)) * time.Millisecond)
		if n%4 == 1 {
			if err := s.Again(t.Context()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		p.kill()
		p, in = dev(t, dir, config, ports...)
	}
	until(t, "a copied table", func() bool {
		return strings.Contains(run(t, 0, "", "pull", "status", "pg", "--output", "json", "--data-dir", in.Dir), `"stream":"things","type":"postgres","state":"waiting"`)
	})
	stop()
	writers.Wait()
	want, err := psql(t, s, "select count(*) || ' ' || sum(n) || ' ' || md5(string_agg(id || name || n || coalesce(md5(big), '-'), ',' order by id)) from things")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	until(t, "the table in the warehouse", func() bool {
		if rowCount(t, in, "pg_things") == 0 {
			return false
		}
		got = query(t, in, "lake", "select count(*) || ' ' || sum(n) || ' ' || md5(string_agg(id || name || n || coalesce(md5(big), '-'), ',' order by id::bigint)) as d from pg_things where __deleted_at is null")[0]
		return got == `{"d":"`+want+`"}`
	})
	if out := p.output(); strings.Contains(out, "PRIVATE KEY") {
		t.Error("the logs hold a key")
	}
}

// forward lets connections to an address of this machine reach a server, and returns it.
func forward(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			to, err := dial(context.Background(), "", "")
			if err != nil {
				_ = conn.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, conn); _ = to.Close() }()
			go func() { _, _ = io.Copy(conn, to); _ = conn.Close() }()
		}
	}()
	return l.Addr().String()
}

// TestTablesAndFilesArePulledIntoAWarehouse pulls a table of MariaDB, over TLS with a
// private authority and a client's certificate, and files of a bucket.
func TestTablesAndFilesArePulledIntoAWarehouse(t *testing.T) {
	t.Parallel()
	own, dir := newAuthority(t), t.TempDir()
	cert, key := own.issue("db")
	write(t, filepath.Join(dir, "ca.pem"), own.text)
	s, err := servertest.StartMariaDB(t.Context(), cert, key, "--ssl-ca="+filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Exec(t.Context(), `create database shop; create table shop.orders (id int primary key, total decimal(10,2), changed datetime);
		insert into shop.orders values (1, 9.50, '2026-03-01 12:00:00'), (2, 1.25, '2026-03-01 12:00:01'); create user weir@localhost require x509; grant select on shop.* to weir@localhost`); err != nil {
		t.Fatal(err)
	}
	objects := map[string]string{"exports/a.csv": "id,plan\n1,free\n2,pro\n", "exports/b.jsonl.gz": ""}
	var zipped strings.Builder
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("{\"id\":3,\"plan\":\"team\"}\n"))
	_ = z.Close()
	objects["exports/b.jsonl.gz"] = zipped.String()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		if r.URL.Query().Get("list-type") == "2" {
			_, _ = io.WriteString(w, `<ListBucketResult>`)
			for name, text := range objects {
				_, _ = fmt.Fprintf(w, `<Contents><Key>%s</Key><ETag>"%d"</ETag><Size>%d</Size><LastModified>2026-03-01T12:00:00.000Z</LastModified></Contents>`, name, len(text), len(text))
			}
			_, _ = io.WriteString(w, `</ListBucketResult>`)
			return
		}
		text, there := objects[strings.TrimPrefix(r.URL.Path, "/files/")]
		if !there {
			http.Error(w, "", http.StatusNotFound)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, len(text)))
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(store.Close)
	mine, myKey := own.issue("weir")
	secret := filepath.Join(dir, "key.pem")
	write(t, secret, myKey)
	write(t, filepath.Join(dir, "access"), "AKIA")
	host, port, _ := net.SplitHostPort(forward(t, s.Dial))
	_, in := dev(t, dir, fmt.Sprintf(`workspace: acme
region: eu
sources:
  - name: shop
    type: mysql
    settings:
      host: %s
      port: %s
      database: shop
      user: weir
      tables: { orders: changed }
      sslMode: verify-full
      sslRootCert: %s
      sslCert: %s
    secrets: { sslKey: { from: file, path: %q } }
  - name: files
    type: s3-files
    settings: { bucket: files, baseUrl: %q, files: { plans: exports/ }, keys: { plans: id } }
    secrets: { accessKey: { from: file, path: %q }, secretKey: { from: file, path: %q } }
destinations:
  - { name: lake, type: duckdb, settings: { path: "./acme.duckdb", syncEvery: 5s } }
connections:
  - { source: shop, destination: lake }
  - { source: files, destination: lake }
`, host, port, indented(own.text), indented(mine), secret, store.URL, filepath.Join(dir, "access"), filepath.Join(dir, "access")), addresses(t)...)
	until(t, "the rows of the table and of the files", func() bool {
		return rowCount(t, in, "shop_orders") == 2 && rowCount(t, in, "files_plans") == 3
	})
	if got := query(t, in, "lake", "select string_agg(id || plan, ' ' order by id) as p from files_plans")[0]; got != `{"p":"1free 2pro 3team"}` {
		t.Error(got)
	}
	if got := query(t, in, "lake", "select sum(total)::text as t from shop_orders")[0]; got != `{"t":"10.75"}` {
		t.Error(got)
	}
}

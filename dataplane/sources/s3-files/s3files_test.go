package s3files_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/parquet-go/parquet-go"

	"weir/dataplane/outbound/auth"
	"weir/dataplane/pull"
	s3files "weir/dataplane/sources/s3-files"
	"weir/shared/secret"
)

// store is a bucket called files whose clock the test has.
type store struct {
	t       *testing.T
	now     time.Time
	backend *s3mem.Backend
	address string
	patient bool // steps go on to the end of the stream
}

// Now and Since implement gofakes3.TimeSource.
func (s *store) Now() time.Time                  { return s.now }
func (s *store) Since(t time.Time) time.Duration { return s.now.Sub(t) }
func (s *store) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

func newStore(t *testing.T) *store {
	s := &store{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s.backend = s3mem.New(s3mem.WithTimeSource(s))
	if err := s.backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(s.backend, gofakes3.WithoutVersioning(), gofakes3.WithTimeSkewLimit(0)).Server())
	t.Cleanup(server.Close)
	s.address = server.URL
	return s
}

// put puts an object; its time is a second after the former's.
func (s *store) put(key, text string) {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	if _, err := s.backend.PutObject("files", key, map[string]string{}, strings.NewReader(text), int64(len(text)), nil); err != nil {
		s.t.Fatal(err)
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

// open opens a source; more are settings.
func (s *store) open(address, more string) pull.Puller {
	s.t.Helper()
	open, err := s3files.Kind().Open([]byte(`{"bucket":"files","baseUrl":"`+address+`",`+more+`}`), map[string]secret.String{"accessKey": secret.NewString("a"), "secretKey": secret.NewString("b")})
	if err != nil {
		s.t.Fatal(err)
	}
	return open(pull.Deps{Dial: s.dial, Now: s.Now})
}

var errDied = errors.New("died")

// read pulls a stream to its end, in steps that end with each batch, and dies at every
// third emit, before or after its cursor is kept.
func (s *store) read(p pull.Puller, from pull.Cursor, die bool) (all []pull.Record, at pull.Cursor, err error) {
	s.t.Helper()
	emits, until := 0, s.now.Add(-time.Second)
	if s.patient {
		until = s.now.Add(time.Hour)
	}
	for {
		next, err := p.Pull(s.t.Context(), "orders", from, pull.Budget{Until: until}, func(some []pull.Record, c pull.Cursor) error {
			if emits++; die && emits%3 == 1 {
				return errDied
			}
			all, from = append(all, some...), append(pull.Cursor(nil), c...)
			if die && emits%3 == 2 {
				return errDied
			}
			return nil
		})
		switch {
		case errors.Is(err, errDied):
		case err != nil || !next.More:
			return all, from, err
		}
	}
}

func keys(all []pull.Record) string {
	var names []string
	for _, r := range all {
		names = append(names, r.Key)
	}
	return strings.Join(names, " ")
}

func TestFilesAreReadOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.put("in/b.csv", "\uFEFFid,name ,\n1,\"a \"\"b\"\"\n💧\",x\n2,,\n")
	s.put("in/deep/no.csv", "id\n9\n")
	s.put("in/a.jsonl.gz", zipped("{\"n\":1.50}\n\n{}\n[1]\n"))
	s.put("in/folder/", "")
	p := s.open(s.address, `"files":{"Orders":"in/*"}`)
	rows, from, err := s.read(p, nil, false)
	if err != nil || keys(rows) != "in/b.csv#1 in/b.csv#2 in/a.jsonl.gz#1 in/a.jsonl.gz#2 in/a.jsonl.gz#3" {
		t.Fatalf("%s, %v", keys(rows), err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, string(r.Row))
	}
	const want = `{"__file":"in/b.csv","id":"1","name":"a \"b\"\n💧","column_3":"x"}` + "\n" + `{"__file":"in/b.csv","id":"2","name":null,"column_3":null}` + "\n" +
		`{"__file":"in/a.jsonl.gz","n":1.50}` + "\n" + `{"__file":"in/a.jsonl.gz"}` + "\n" + `[1]`
	if text := strings.Join(got, "\n"); text != want || !rows[0].At.Equal(time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC)) {
		t.Errorf("%v\n%s\nwant\n%s", rows[0].At, text, want)
	}
	s.put("in/0.csv", "id\n3\n") // before others by its key
	s.put("in/b.csv", "id\n4\n") // again
	if rows, from, err = s.read(p, from, false); err != nil || keys(rows) != "in/0.csv#1 in/b.csv#1" {
		t.Fatalf("%s, %v", keys(rows), err)
	}
	s.now = s.now.Add(48 * time.Hour) // the floor rises
	for range 2 {
		if rows, from, err = s.read(p, from, false); err != nil || len(rows) != 0 || len(from) > 100 {
			t.Fatalf("%s, %s, %v", keys(rows), from, err)
		}
	}
	s.put("in/new.csv", "id\n5\n")
	if rows, _, err = s.read(p, from, false); err != nil || keys(rows) != "in/new.csv#1" {
		t.Fatalf("%s, %v", keys(rows), err)
	}
}

func TestStepsEndAnywhereInAFile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var text strings.Builder
	text.WriteString("id\n")
	for i := range 9000 {
		fmt.Fprintf(&text, "%d\n", i)
	}
	s.put("a.csv", text.String())
	s.put("b.csv.gz", zipped(text.String()))
	for i := range 30 {
		s.put(fmt.Sprintf("c%d.tsv", i), fmt.Sprintf("id\tn\nt%d\t1\n", i))
	}
	rows, from, err := s.read(s.open(s.address, `"files":{"orders":""},"keys":{"orders":"id"}`), nil, true)
	seen := map[string]int{}
	for _, r := range rows {
		seen[r.Key]++
	}
	if err != nil || len(seen) != 9030 || len(rows) != 18030 || len(from) > 2000 {
		t.Fatalf("%d rows, %d keys, %s, %v", len(rows), len(seen), from, err)
	}
}

// failed reports whether an error is a failure with a code and a part of its sentence.
func failed(err error, code, part string) bool {
	var f *pull.Failure
	return errors.As(err, &f) && f.Code == code && strings.Contains(f.Text, part)
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, text, more, part string }{
		"ragged":    {"a.csv", "a,b\n1\n", ``, "line 2"},
		"open":      {"a.csv", "a,b\n\"" + strings.Repeat("x\n", 3<<20), ``, "quotation mark"},
		"long":      {"a.json", `{"a":"` + strings.Repeat("x", 3<<20), ``, "2 MiB"},
		"twice":     {"a.csv", "a,a\n1,2\n", ``, "do not differ"},
		"no key":    {"a.csv", "a,b\n1,2\n", `,"keys":{"orders":"c"}`, "no column c"},
		"no value":  {"a.ndjson", "{\"c\":1}\n{\"b\":2}\n", `,"keys":{"orders":"c"}`, "no value of c in line 2"},
		"no format": {"a.exe", "x", ``, "say format"},
		"cut":       {"a.csv", "\x1f\x8b\x08xxxxxxxxxxxxxxxxxxxxxxxxxx", ``, "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			s.put(c.key, c.text)
			p := s.open(s.address, `"files":{"orders":"a"}`+c.more)
			rows, _, err := s.read(p, nil, false)
			if !failed(err, pull.CodeAnswer, c.part) || len(rows) > 1 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			s.put(c.key+".csv", "a,c\n1,2\n")
			if _, err := s.backend.DeleteObject("files", c.key); err != nil {
				t.Fatal(err)
			}
			if rows, _, err := s.read(p, nil, false); err != nil || len(rows) != 1 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
		})
	}
}

func TestAnswersOfTheStoreSayWhatToDo(t *testing.T) {
	t.Parallel()
	for code, want := range map[string][3]string{
		"403 AccessDenied":          {pull.CodeRefused, "s3:ListBucket on arn:aws:s3:::files."},
		"403 SignatureDoesNotMatch": {pull.CodeReauthorize, "access key"},
		"404 NoSuchBucket":          {pull.CodeRefused, "no bucket files"},
		"503 SlowDown":              {pull.CodeUnreachable, "store"},
		"301 PermanentRedirect":     {pull.CodeRefused, "region"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			status := 0
			name := ""
			_, _ = fmt.Sscan(code, &status, &name)
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>secret</Message></Error>", name)
		}))
		s := &store{t: t, now: time.Now()}
		_, _, err := s.read(s.open(server.URL, `"files":{"orders":"a"}`), nil, false)
		server.Close()
		if !failed(err, want[0], want[1]) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestAPositionIsBounded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.patient = true
	for i := range 100 {
		s.put(fmt.Sprintf("%04d.json", i), "{}")
	}
	p := s.open(s.address, `"files":{"orders":"*.json"}`)
	s3files.Remember(p, 30)
	rows, from, err := s.read(p, nil, false)
	var state struct{ Seen []byte }
	if bad := json.Unmarshal(from, &state); err != nil || bad != nil || len(rows) != 100 || len(state.Seen) > 30*12 {
		t.Fatalf("%d rows, %d bytes, %v, %v", len(rows), len(from), err, bad)
	}
	if rows, _, err = s.read(p, from, false); err != nil || len(rows) != 0 {
		t.Fatalf("%d rows again, %v", len(rows), err)
	}
}

// TestParquetIsReadInParts reads files of Parquet with all kinds of columns, in steps that
// end in the midst of them, and says what is wrong with one that is none.
func TestParquetIsReadInParts(t *testing.T) {
	t.Parallel()
	type inner struct {
		A int64      `parquet:"a"`
		T *time.Time `parquet:"t,optional,timestamp(millisecond)"`
		D int32      `parquet:"d,decimal(1:9)"`
	}
	type row struct {
		ID   int64            `parquet:"id"`
		Name string           `parquet:"name"`
		None *float64         `parquet:"none,optional"`
		At   time.Time        `parquet:"at,timestamp(microsecond)"`
		Day  int32            `parquet:"day,date"`
		List []string         `parquet:"list,list"`
		Nest inner            `parquet:"nest"`
		Many []inner          `parquet:"many,list"`
		Map  map[string]int64 `parquet:"map"`
		Raw  []byte           `parquet:"raw"`
		UUID [16]byte         `parquet:"uuid,uuid"`
		Yes  bool             `parquet:"yes"`
		D32  int32            `parquet:"d32,decimal(2:9)"`
		D64  int64            `parquet:"d64,decimal(4:18)"`
		Big  [16]byte         `parquet:"big,decimal(10:38)"`
		Less *int64           `parquet:"less,optional,decimal(18:18)"`
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	var file bytes.Buffer
	w := parquet.NewGenericWriter[row](&file)
	// -1234567890123456789012345678.0123456789, as two's complement
	number, _ := new(big.Int).SetString("-12345678901234567890123456780123456789", 10)
	var digits [16]byte
	new(big.Int).Add(number, new(big.Int).Lsh(big.NewInt(1), 128)).FillBytes(digits[:])
	one := int64(-1)
	less := []*int64{&one, nil}
	var rows []row
	for i := range 5000 {
		rows = append(rows, row{ID: int64(i), Name: "ü", At: at, Day: 20513, List: []string{"a", "b"}, Nest: inner{1, &at, 5}, Many: []inner{{A: 2}, {3, &at, -123456789}}, Map: map[string]int64{"k": 1}, Raw: []byte{0, 255}, UUID: [16]byte{1}, Yes: true, D32: 123456789, D64: -123456789012345678, Big: digits, Less: less[i%2]})
	}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	s.put("orders/a.parquet", file.String())
	p := s.open(s.address, `"files":{"orders":"orders/*"},"keys":{"orders":"id"}`)
	all, _, err := s.read(p, nil, true)
	seen := map[string]bool{}
	for _, r := range all {
		seen[r.Key] = true
	}
	if err != nil || len(seen) != 5000 {
		t.Fatalf("%d rows, %d keys, %v", len(all), len(seen), err)
	}
	const want = `{"__file":"orders/a.parquet","id":0,"name":"ü","none":null,"at":"2026-03-01T12:00:00.123456Z","day":"2026-03-01","list":["a","b"],"nest":{"a":1,"d":0.5,"t":"2026-03-01T12:00:00.123Z"},` +
		`"many":[{"a":2,"d":0.0,"t":null},{"a":3,"d":-12345678.9,"t":"2026-03-01T12:00:00.123Z"}],"map":{"k":1},"raw":"AP8=","uuid":"01000000-0000-0000-0000-000000000000","yes":true,"d32":1234567.89,"d64":-12345678901234.5678,"big":-1234567890123456789012345678.0123456789,"less":-0.000000000000000001}`
	if got := string(all[0].Row); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, bad := range []string{"", "PAR1", file.String()[:1000], "PAR1" + strings.Repeat("x", 100) + "\xff\xff\xff\x7fPAR1", file.String()[:200] + strings.Repeat("\x01", 50000) + file.String()[50200:]} {
		s.put("bad/a.parquet", bad)
		p := s.open(s.address, `"files":{"orders":"bad/*"}`)
		var f *pull.Failure
		if _, _, err := s.read(p, nil, false); !errors.As(err, &f) || f.Code != pull.CodeAnswer {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

func TestTheRoleOfTheMachineReads(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.put("orders/a.jsonl", `{"id":1}`)
	settings := []byte(`{"bucket":"files","baseUrl":"` + s.address + `","machineRole":true,"files":{"orders":"orders/"}}`)
	if _, err := s3files.Kind().Open([]byte(strings.Replace(string(settings), "true", "false", 1)), nil); err == nil {
		t.Error("it opens without keys")
	}
	open, err := s3files.Kind().Open(settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	var f *pull.Failure
	if _, _, err := s.read(open(pull.Deps{Dial: s.dial, Now: s.Now}), nil, false); !errors.As(err, &f) || f.Code != pull.CodeRefused {
		t.Error(err)
	}
	keys := auth.New(nil)
	role := errors.New("not allowed")
	keys.Machine = func(context.Context) (string, string, string, error) { return "a", "b", "token", role }
	p := open(pull.Deps{Dial: s.dial, Now: s.Now, Keys: keys})
	if _, _, err := s.read(p, nil, false); !errors.As(err, &f) || f.Code != pull.CodeReauthorize {
		t.Error(err)
	}
	role = nil
	if all, _, err := s.read(p, nil, false); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

package layout_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"weir/dataplane/layout"
	"weir/shared/fault"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// FuzzRows holds what is true of the rows of any text.
func FuzzRows(f *testing.F) {
	for _, s := range []string{typical, `{"type":"page","properties":{"a":"\u0000","b":[1,"\ud800"],"c":{"d":1e5}}}`, `{"type":"identify","traits":{"userId":1,"user_id":2}}`, `{"type":"track","a":tru}`, `{"a":1,}`, ` { } `, `{"type":"group","traits":{"1":"a"}}`} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(5))
	}
	f.Fuzz(func(t *testing.T, text []byte, pick uint8) {
		name := kinds()[int(pick)%len(kinds())]
		d := dialect(t, name)
		o := &layout.Options{StoreFullEvent: pick&1 != 0, UseBlendoCasing: pick&2 != 0, AllowUsersContextTraits: pick&4 != 0, JSONPaths: layout.Paths{"a,track.properties.b.c"}}
		rows, _, err := d.Rows(o, layout.Meta{Now: now}, text)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: %v, want fault.Invalid", text, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON, yet there are rows", text)
		}
		for _, r := range rows {
			seen := map[string]bool{}
			for _, c := range r.Columns {
				if c.Name == "" || seen[c.Name] {
					t.Fatalf("%q: column %q of %s is empty or twice", text, c.Name, r.Table)
				}
				seen[c.Name] = true
				if strings.Contains(c.Raw, "\x00") || !utf8.ValidString(c.Raw) {
					t.Fatalf("%q: %s has %q, which is no text", text, c.Name, c.Raw)
				}
				if max := map[string]int{"postgres": 63, "duckdb": 63}[name]; max > 0 && (len(c.Name) > max || len(r.Table) > max) {
					t.Fatalf("%q: %s.%s is longer than %d bytes", text, r.Table, c.Name, max)
				}
				if (c.Type == layout.JSON || c.List || c.Type == layout.Int || c.Type == layout.Float) && !json.Valid([]byte(c.Raw)) {
					t.Fatalf("%q: %s has %q, which is no JSON", text, c.Name, c.Raw)
				}
			}
		}
	})
}

// TestEveryTextThatIsJSONIsRead compares what is taken for JSON with another reader.
func TestEveryTextThatIsJSONIsRead(t *testing.T) {
	t.Parallel()
	d := dialect(t, "postgres")
	for _, v := range []string{`{}`, `{"a":[]}`, `{"a":[ ]}`, `{"a" : -0.5e+3 }`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":"\x"}`, `{"a":"\u12g4"}`,
		"{\"a\":\"\n\"}", `{"a":"`, `{"a":"\`, `{"a":nul}`, `{"a":true,"b":false,"c":null}`, `{"a":[1,]}`, `{,}`, `{"a"}`, `{"a":1}}`, `{"a":[}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":[1 2]}`, "\ufeff{}", `{"a":"\ud83d\ude00"}`, `{"a":truefalse}`} {
		_, _, err := d.Rows(&layout.Options{}, layout.Meta{Now: now}, []byte(v))
		if (err == nil) != json.Valid([]byte(v)) {
			t.Errorf("%s: error %v, but valid is %v", v, err, json.Valid([]byte(v)))
		}
	}
	deep := func(n int) []byte {
		return []byte(`{"type":"page","properties":` + strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n) + `}`)
	}
	if _, _, err := d.Rows(&layout.Options{}, layout.Meta{Now: now}, deep(127)); err != nil {
		t.Errorf("128 levels: %v", err)
	}
	if _, _, err := d.Rows(&layout.Options{}, layout.Meta{Now: now}, deep(128)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("129 levels: %v, want fault.Invalid", err)
	}
}

// TestNothingVanishes makes events of marks, each once, and looks for every mark
// in the rows: names meet, values clash, times and text are broken.
func TestNothingVanishes(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	keys := []string{"a", "A", "a b", "a.b", "aB", "select", "Select", "context_a", "é1", "x_", "user_id", "userId", "x__raw", "time_", "9", strings.Repeat("long", 20), strings.Repeat("long", 20) + "er"}
	for range 2000 {
		var marks []string
		mark := func() string {
			s := strconv.Itoa(1_000_000 + len(marks))
			switch r.IntN(6) {
			case 0:
				marks = append(marks, s)
				return s
			case 1:
				marks = append(marks, s+".5")
				return s + ".5"
			case 2:
				marks = append(marks, s)
				return `"` + s + `\u0000"`
			case 3:
				marks = append(marks, s)
				return `[` + s + `, "\ud800"]`
			}
			marks = append(marks, "m"+s)
			return `"m` + s + `"`
		}
		scalar := func() string {
			for {
				n := len(marks)
				if s := mark(); s[0] != '[' {
					return s
				}
				marks = marks[:n]
			}
		}
		var object func(level int) string
		object = func(level int) string {
			var b strings.Builder
			b.WriteByte('{')
			for i := range 1 + r.IntN(6) {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(strconv.Quote(keys[r.IntN(len(keys))]) + ":")
				if level < 3 && r.IntN(4) == 0 {
					b.WriteString(object(level + 1))
				} else {
					b.WriteString(mark())
				}
			}
			return b.String() + "}"
		}
		kind := []string{"identify", "page", "track", "screen", "alias"}[r.IntN(5)]
		from := map[string]string{"identify": "traits", "alias": "traits"}[kind]
		if from == "" {
			from = "properties"
		}
		drop := kind != "identify" // there user_id becomes _user_id; elsewhere it is dropped
		values := object(0)
		if drop && (strings.Contains(values, `"user_id"`) || strings.Contains(values, `"userId"`)) {
			continue
		}
		event := `{"type":"` + kind + `","event":"E","sentAt":` + mark() + `,"messageId":` + scalar() + `,"` + from + `":` + values + `,"context":` + strings.NewReplacer(`"user_id"`, `"u"`).Replace(object(0)) + `}`
		for _, name := range kinds() {
			d := dialect(t, name)
			rows, _, err := d.Rows(&layout.Options{}, layout.Meta{Now: now}, []byte(event))
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, event, err)
			}
			var all bytes.Buffer
			for _, row := range rows {
				for _, c := range row.Columns {
					all.WriteString(c.Raw + "\n")
				}
			}
			for _, m := range marks {
				if !bytes.Contains(all.Bytes(), []byte(m)) {
					t.Fatalf("seed %d: %s: %s has lost %s:\n%s", seed, name, event, m, all.Bytes())
				}
			}
		}
	}
}

// TestNumbersKeepTheirValue compares numbers with those of a reader of any size.
func TestNumbersKeepTheirValue(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	d := dialect(t, "postgres")
	for range 5000 {
		s := []string{"", "-"}[r.IntN(2)] + strconv.Itoa(r.IntN(1200))
		if r.IntN(2) == 0 {
			s += "." + strings.Repeat("0", r.IntN(3)) + strconv.Itoa(r.IntN(200)) + strings.Repeat("0", r.IntN(3))
		}
		if r.IntN(2) == 0 {
			s += "e" + strconv.Itoa(r.IntN(12)-6)
		}
		rows, _, err := d.Rows(&layout.Options{}, layout.Meta{Now: now}, []byte(`{"type":"page","properties":{"n":`+s+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		cols := rows[0].Columns
		got := cols[len(cols)-1]
		want, _ := new(big.Rat).SetString(s)
		have, ok := new(big.Rat).SetString(got.Raw)
		if !ok || want.Cmp(have) != 0 || want.IsInt() != (got.Type == layout.Int) || got.Type == layout.Int && strings.ContainsAny(got.Raw, ".eE") {
			t.Fatalf("seed %d: %s became %s %s", seed, s, got.Type, got.Raw)
		}
	}
}

func TestManyColumnsAreRefused(t *testing.T) {
	t.Parallel()
	wide := func(n int, channel string) []byte {
		var b strings.Builder
		for i := range n {
			b.WriteString(`,"p` + strconv.Itoa(i) + `":1`)
		}
		return []byte(`{"type":"page","messageId":"m","channel":"` + channel + `","properties":{` + b.String()[1:] + `}}`)
	}
	for _, c := range []struct {
		kind, channel string
		n             int
		ok            bool
	}{{"postgres", "web", 196, true}, {"postgres", "web", 5000, true}, {"duckdb", "web", 5000, true}, {"azure_synapse", "web", 196, true}, {"azure_synapse", "web", 197, false}, {"snowflake", "web", 5000, true}, {"postgres", "sources", 5000, true}, {"s3_datalake", "web", 5000, true}, {"mssql", "web", 5000, true}, {"azure_synapse", "web", 500, false}} {
		d := dialect(t, c.kind)
		_, _, err := d.Rows(&layout.Options{}, layout.Meta{Now: now}, wide(c.n, c.channel))
		if (err == nil) != c.ok || err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s, channel %s, %d properties: %v", c.kind, c.channel, c.n, err)
		}
	}
}

// TestLongNamesAreBounded: each leaf's name has the long key of its parents.
func TestLongNamesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 50_000 {
		b.WriteString(`,"p` + strconv.Itoa(i) + `":1`)
	}
	text := `{"type":"page","properties":{"` + strings.Repeat("k", 400_000) + `":{` + b.String()[1:] + `}}}`
	d := dialect(t, "s3_datalake")
	if _, _, err := d.Rows(&layout.Options{}, layout.Meta{Now: now}, []byte(text)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("50,000 names of 400 KB: %v, want fault.Invalid", err)
	}
}

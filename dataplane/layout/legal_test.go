package layout_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"weir/dataplane/layout"
)

// legal is a name that every kind of warehouse takes.
var legal = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// TestNamesAreLegalAndUnique makes events of odd names and values, and holds the names of
// their tables and columns to what each kind of warehouse takes, in both conventions.
func TestNamesAreLegalAndUnique(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	names := []string{"a", "A", "a b", "a.b", "aB", "select", "Select", "user", "xmin", "ctid", "rowid", "_id", "id", "user_id", "userId", "channel", "context_ip", "contextRequestIp", "context_source_id",
		"violationErrors", "x__raw", "9", "9mega", "__", "_", " ", "", "$", "é1", "価格", "цена", "سعر", "מחיר", "😀", "users", "tracks", "Identifies", "x\u0000y", "load_id", "received_at", "uuid_ts", "loaded_at",
		"table", "group", "order", "rudder_event", "overflow", strings.Repeat("long", 40), strings.Repeat("long", 40) + "er", strings.Repeat("é", 80), strings.Repeat("価", 80)}
	values := []string{`1`, `1.5`, `"x"`, `true`, `null`, `""`, `"2024-01-01"`, `[1,"a"]`, `[]`, `{}`, `{"0":"a","1":"b"}`, `{"a":{"b":{"c":{"d":{"e":1}}}}}`, `"\ud800"`, `1e400`, `{"id":1,"ID":2}`}
	name := func() string { return strconv.QuoteToASCII(names[r.IntN(len(names))]) }
	value := func() string { return values[r.IntN(len(values))] }
	object := func() string {
		var b strings.Builder
		for range r.IntN(9) {
			v := value()
			if r.IntN(4) == 0 {
				v = `{` + jsonName(name()) + `:` + value() + `,` + `"z":` + value() + `}`
			}
			b.WriteString(`,` + jsonName(name()) + `:` + v)
		}
		return `{` + strings.TrimPrefix(b.String(), ",") + `}`
	}
	reserved := map[string]map[string]bool{}
	for _, k := range kinds() {
		text, err := os.ReadFile(filepath.Join(warehouses, k, "reserved.txt"))
		if err != nil {
			t.Fatal(err)
		}
		reserved[k] = map[string]bool{}
		for w := range strings.FieldsSeq(string(text)) {
			reserved[k][strings.ToUpper(w)] = true
		}
	}
	for range 300 {
		kind := []string{"track", "identify", "page", "screen", "group", "alias", "record", "extract"}[r.IntN(8)]
		text := `{"type":"` + kind + `","messageId":"m","recordId":"r","key":"k","userId":` + value() + `,"anonymousId":` + value() + `,"channel":` + value() + `,"event":` + jsonName(name()) +
			`,"properties":` + object() + `,"traits":` + object() + `,"fields":` + object() + `,"context":` + object() + `}`
		o := layout.Options{StoreFullEvent: r.IntN(2) == 0, UnderscoreDivideNumbers: r.IntN(2) == 0, AllowUsersContextTraits: r.IntN(2) == 0}
		m := layout.Meta{Now: now, SourceID: "src_1", SourceType: []string{"http", "cloud"}[r.IntN(2)], DestinationID: "dst_1", DestinationType: "x"}
		for _, k := range kinds() {
			for _, o.Layout = range []layout.Convention{layout.RudderStack, layout.Segment} {
				rows, _, err := dialect(t, k).Rows(&o, m, []byte(text))
				if err != nil {
					continue // of 200 columns, or without a name of a table
				}
				most := 127
				switch {
				case k == "postgres" || k == "duckdb":
					most = 63
				case strings.HasSuffix(k, "_datalake") || k == "iceberg": // any length
					most = 1 << 20
				}
				for _, row := range rows {
					seen := map[string]bool{}
					for _, c := range append([]layout.Column{{Name: row.Table}}, row.Columns...) {
						if !legal.MatchString(c.Name) || len(c.Name) > most || reserved[k][strings.ToUpper(c.Name)] && c.Name != row.Table && !strings.HasPrefix(strings.ToLower(c.Name), "merge_") {
							t.Fatalf("seed %d: %s, %s: the name %q of %s is none that %s takes", seed, o.Layout, text, c.Name, row.Table, k)
						}
					}
					for _, c := range row.Columns {
						if at := strings.ToLower(c.Name); seen[at] {
							t.Fatalf("seed %d: %s, %s: %s has the column %s twice on %s", seed, o.Layout, text, row.Table, c.Name, k)
						} else {
							seen[at] = true
						}
					}
				}
			}
		}
	}
}

// jsonName turns a quoted Go string in ASCII into one of JSON.
func jsonName(quoted string) string {
	quoted = strings.ReplaceAll(quoted, `\x00`, `\u0000`)
	return regexp.MustCompile(`\\U000(.{5})`).ReplaceAllStringFunc(quoted, func(s string) string {
		n, _ := strconv.ParseInt(s[2:], 16, 32)
		n -= 0x10000
		return `\u` + strconv.FormatInt(0xd800+n>>10, 16) + `\u` + strconv.FormatInt(0xdc00+n&0x3ff, 16)
	})
}

package loadtest

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"weir/dataplane/layout/timestamp"
)

// theirs are types that people give to columns, and whether one holds a value, given
// as the text of the layout.
var theirs = map[string]func(s string) bool{
	"smallint": integer(16), "integer": integer(32), "bigint": integer(64),
	"real": floats(32), "double precision": floats(64),
	"numeric(10,2)": numeric(10, 2), "numeric(5,0)": numeric(5, 0), "numeric(38,10)": numeric(38, 10), "numeric(4,4)": numeric(4, 4),
	"boolean": func(s string) bool { return s == "true" || s == "false" },
	"date":    moments(24 * 60 * 60 * 1000), "timestamp": moments(1), "timestamp(0)": moments(1000), "timestamp with time zone": moments(1),
	"varchar": func(string) bool { return true },
	"uuid":    func(s string) bool { return strings.Count(s, "-") == 4 && len(s) == 36 },
}

// rational reads a JSON number.
func rational(s string) (*big.Rat, bool) {
	if s == "" || strings.Trim(s, "0123456789+-.eE") != "" || s[0] == '0' && len(s) > 1 && s[1] >= '0' && s[1] <= '9' {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func integer(bits int) func(string) bool {
	return func(s string) bool {
		r, ok := rational(s)
		return ok && r.IsInt() && new(big.Int).Abs(new(big.Int).Add(new(big.Int).Lsh(r.Num(), 1), big.NewInt(1))).BitLen() <= bits
	}
}

func floats(bits int) func(string) bool {
	return func(s string) bool {
		r, ok := rational(s)
		f, err := strconv.ParseFloat(s, bits)
		if !ok || err != nil || math.IsInf(f, 0) {
			return false
		}
		back, ok := rational(strconv.FormatFloat(f, 'e', -1, bits))
		return ok && back.Cmp(r) == 0
	}
}

func numeric(precision, scale int64) func(string) bool {
	return func(s string) bool {
		r, ok := rational(s)
		if !ok {
			return false
		}
		ten := big.NewInt(10)
		r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(ten, big.NewInt(scale), nil)))
		return r.IsInt() && new(big.Int).Abs(r.Num()).Cmp(new(big.Int).Exp(ten, big.NewInt(precision), nil)) < 0
	}
}

func moments(unit int64) func(string) bool {
	return func(s string) bool {
		ms, ok := timestamp.Parse(s)
		return ok && ms%unit == 0
	}
}

// spelled are values as events have them.
var spelled = []string{`0`, `-0`, `7`, `-7`, `5.0`, `1e3`, `1E+2`, `-32768`, `32768`, `70000`, `2147483648`, `16777217`, `9007199254740993`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `1e30`,
	`1.5`, `2.5`, `2.50`, `-0.5`, `0.1`, `0.0001`, `0.00001`, `1e-5`, `1.5E-7`, `12.345`, `0.005`, `99.995`, `9999999.99`, `99999999.99`, `99999999.995`, `1234567.5`, `1.2345675e+06`, `123456.789012`, `0.12345678`, `0.30000000000000004`,
	`0.10000000000000000555`, `1234567890123456.25`, `1e400`, `5e-324`, `true`, `false`,
	`"never"`, `"true"`, `"1.50"`, `"007"`, `"NaN"`, `"0x10"`, `"1_000"`, `" 5"`, `"2026-01-02"`, `"2026-01-02T03:04:05Z"`, `"2026-01-02T03:04:05.5+02:00"`, `"2026-01-02T02:00:00+02:00"`, `"2026-01-02T03:04:05.678Z"`,
	`"0001-01-01"`, `"9999-12-31T23:59:59.999Z"`, `"1969-12-31T23:59:59.001Z"`, `"02/01/2026"`, `"f81D4fae-7dec-11d0-a765-00a0c91e6bf6"`, `[1,2]`}

// fits loads seeded values into tables of somebody's types that a view reads, or
// an index has, so that no column can be widened: what fits by value is in its column, and only what does
// not is in the sibling as it was sent.
func fits(w *harness) {
	seed := rand.Uint64()
	w.t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	for table, keyed := range map[string]string{"order_done": "messageId", "users": "userId"} {
		var columns, names, types []string
		for typ := range theirs {
			if slices.Contains(w.setup.Lacks, typ) {
				continue
			}
			name := fmt.Sprintf("c%d", len(names))
			names, types, columns = append(names, name), append(types, typ), append(columns, name+" "+typ, name+"__raw text")
		}
		w.exec(fmt.Sprintf("create table %s (id varchar, %s)", table, strings.Join(columns, ", ")))
		w.load(map[string]string{"order_done": track("first", `{"c0":null}`), "users": identify("first", `{"c0":null}`)}[table])
		var users strings.Builder
		fmt.Fprintf(&users, "create view seen_%s as select %s from %[1]s", table, strings.Join(names, ", "))
		for _, name := range names {
			fmt.Fprintf(&users, "; create index %s_%s on %[1]s (%[2]s)", table, name)
		}
		w.exec(users.String())
		sent := map[string]string{}
		for batch := range 3 {
			var events []string
			few := spelled // of one batch; with few kinds of them files have other types than text
			if batch > 0 {
				at := rng.IntN(len(spelled) - 4)
				few = spelled[at : at+4]
			}
			for i := range 25 {
				id := fmt.Sprintf("%d-%d", batch, i)
				var props []string
				for _, name := range names {
					v := few[rng.IntN(len(few))]
					sent[id+name] = v
					props = append(props, fmt.Sprintf(`"%s":%s`, name, v))
				}
				typ := map[string]string{"order_done": `"type":"track","event":"Order Done","properties"`, "users": `"type":"identify","messageId":"m` + id + `","traits"`}[table]
				events = append(events, fmt.Sprintf(`{"%s":"%s",%s:{%s}}`, keyed, id, typ, strings.Join(props, ",")))
			}
			w.load(events...)
		}
		for _, row := range w.query("select * from " + table + " where c0 is not null or c0__raw is not null") {
			for i, name := range names {
				w.fit(fmt.Sprintf("seed %d: %s %s", seed, table, types[i]), sent[fmt.Sprint(row["id"])+name], theirs[types[i]], row[name], row[name+"__raw"])
			}
		}
	}
}

// fit checks what became of one value.
func (w *harness) fit(what, sent string, holds func(string) bool, got, raw any) {
	text := sent
	if s, err := strconv.Unquote(sent); err == nil {
		text = s
	}
	value := text
	if iso, ok := timestamp.ISO(text); ok && text != sent {
		value = iso
	}
	switch {
	case !holds(value) && (got != nil || fmt.Sprint(raw) != text):
		w.t.Errorf("%s does not hold %s, and has %v beside %v", what, sent, got, raw)
	case holds(value) && raw != nil:
		w.t.Errorf("%s holds %s, and has %v beside %v", what, sent, got, raw)
	case holds(value) && !same(got, value) && !strings.EqualFold(fmt.Sprint(got), value):
		w.t.Errorf("%s holds %s, and has %v", what, sent, got)
	}
}

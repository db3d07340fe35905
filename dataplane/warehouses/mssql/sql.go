package mssql

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/layout/timestamp"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rows"
	"weir/dataplane/warehouse/texts"
)

// quote writes a name as SQL has it, whatever QUOTED_IDENTIFIER is.
func quote(name string) string { return "[" + strings.ReplaceAll(name, "]", "]]") + "]" }

// text is a text as SQL has it. A backslash before the end of a line would take both away.
// Source: https://learn.microsoft.com/en-us/sql/t-sql/language-elements/sql-server-utilities-statements-backslash
func text(s string) string {
	s = strings.ReplaceAll(s, "'", "''")
	broken := strings.NewReplacer("\\\r", "\\'+N'\r", "\\\n", "\\'+N'\n").Replace(s)
	if broken == s {
		return "N'" + s + "'"
	}
	return "(N'" + broken + "')"
}

// exact compares texts by their code points. Blanks at their ends do not count in it.
const exact = "Latin1_General_100_BIN2"

// Types of columns that loads make. An index holds ids of idLength characters; a longer one
// costs its table the index.
// Source: the size of keys, https://learn.microsoft.com/en-us/sql/t-sql/statements/create-index-transact-sql
const (
	anyText  = "nvarchar(max)"
	moments  = "datetimeoffset(3)"
	idLength = 450
)

var shortID = fmt.Sprintf("nvarchar(%d)", idLength)

// native is the type of a column that loads make.
func native(t layout.Type) string {
	switch t {
	case layout.Int:
		return "bigint"
	case layout.Float:
		return "float"
	case layout.Boolean:
		return "bit"
	case layout.Datetime:
		return moments
	}
	return anyText
}

// column is a column as sys.columns has it.
type column struct {
	name, native, collation string
	bytes                   int // of one of a fixed length; -1 for others
	computed                bool
	kept                    bool // it cannot become null
}

// nativeOf is the type of a column with its arguments, by what sys.columns says of it.
// Source: https://learn.microsoft.com/en-us/sql/relational-databases/system-catalog-views/sys-columns-transact-sql
func nativeOf(typ string, bytes, precision, scale int) string {
	switch typ {
	case "nvarchar", "nchar":
		if bytes < 0 {
			return typ + "(max)"
		}
		return fmt.Sprintf("%s(%d)", typ, bytes/2)
	case "varchar", "char", "varbinary", "binary":
		if bytes < 0 {
			return typ + "(max)"
		}
		return fmt.Sprintf("%s(%d)", typ, bytes)
	case "decimal", "numeric":
		return fmt.Sprintf("%s(%d,%d)", typ, precision, scale)
	case "datetimeoffset", "datetime2", "time":
		return fmt.Sprintf("%s(%d)", typ, scale)
	}
	return typ
}

// unicode says whether a column holds every text: one of UTF-16, or of UTF-8.
func (c *column) unicode() bool {
	return strings.HasPrefix(c.native, "n") || strings.HasSuffix(strings.ToUpper(c.collation), "_UTF8")
}

// typeOf is the layout's type of a column that exists, empty for others: of those each
// value is looked at.
func typeOf(c *column) layout.Type {
	name, args := texts.Arguments(c.native)
	switch {
	case c.computed: // it takes no value
		return ""
	case name == "bigint":
		return layout.Int
	case name == "float":
		return layout.Float
	case name == "bit":
		return layout.Boolean
	case name == "datetimeoffset" && len(args) == 1 && args[0] >= 3:
		return layout.Datetime
	case (c.native == anyText || c.native == "varchar(max)") && c.unicode():
		return layout.String
	case c.name == "id" && (name == "nvarchar" || name == "varchar") && c.unicode(): // a longer id fails the load
		return layout.String
	}
	return ""
}

// guardMark comes before the collation in the native type of a column that does not hold
// every text.
const guardMark = " collate "

// guarded is the native type of a column for guards.
func (c *column) guarded() string {
	if c.computed {
		return "computed " + c.native // it takes no value
	}
	if strings.HasPrefix(c.native, "varchar(") || strings.HasPrefix(c.native, "char(") {
		return c.native + guardMark + c.collation
	}
	return c.native
}

// isText says whether a type is one of texts.
func isText(native string) bool {
	return strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(native, "n"), "var"), "char(")
}

// ofRows is how rows become values of columns.
var ofRows = rows.Kind{Guard: guard}

// guard knows the types that people use most; a column of another one holds no value.
func guard(native string) rows.Guard {
	native, collation, _ := strings.Cut(native, guardMark)
	name, args := texts.Arguments(strings.TrimSuffix(native, "(max)"))
	most := -1
	if len(args) > 0 {
		most = args[0]
	}
	switch name {
	case "tinyint":
		return func(s string) (string, bool) {
			digits, ok := texts.Whole(s, 16)
			n, err := strconv.Atoi(digits)
			return digits, ok && err == nil && n >= 0 && n <= math.MaxUint8
		}
	case "smallint":
		return rows.Whole(16)
	case "int":
		return rows.Whole(32)
	case "bigint":
		return rows.Whole(64)
	case "real":
		return rows.Float(32)
	case "float":
		return rows.Float(64)
	case "decimal", "numeric":
		if len(args) == 2 {
			return rows.Decimal(args[0], args[1])
		}
	case "money":
		return rows.Decimal(18, 4)
	case "smallmoney":
		return rows.Decimal(9, 4)
	case "bit":
		return rows.Boolean
	case "date":
		return rows.Day
	case "datetimeoffset":
		return rows.Instant(fraction(most))
	case "datetime2":
		return within(rows.Instant(fraction(most)), math.MinInt64)
	case "datetime": // it counts three hundredths of a second
		return within(rows.Instant(10*time.Millisecond), firstDatetime)
	case "uniqueidentifier":
		return rows.UUID
	case "nvarchar":
		return characters(most, "")
	case "nchar":
		return characters(most, " ")
	case "varchar", "char":
		end := ""
		if name == "char" {
			end = " "
		}
		held := characters(most, end)
		if strings.HasSuffix(strings.ToUpper(collation), "_UTF8") {
			return func(s string) (string, bool) {
				return s, (most < 0 || len(s) <= most) && (end == "" || !strings.HasSuffix(s, end))
			}
		}
		return func(s string) (string, bool) {
			s, ok := held(s)
			return s, ok && !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
		}
	}
	return nil
}

// characters holds texts of at most so many units of UTF-16, below 0 of any number, that do
// not end with end.
func characters(most int, end string) rows.Guard {
	return func(s string) (string, bool) {
		return s, (most < 0 || units(s) <= most) && (end == "" || !strings.HasSuffix(s, end))
	}
}

// units is how many units of UTF-16 a text has.
func units(s string) (n int) {
	for _, r := range s {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}

func fraction(digits int) time.Duration {
	return time.Duration(math.Pow10(9 - min(max(digits, 0), 9)))
}

// firstDatetime is the first moment of the type datetime, 1753, in milliseconds since 1970.
const firstDatetime = -6847804800000

// within holds moments from a first one on, without a zone.
func within(g rows.Guard, first int64) rows.Guard {
	return func(s string) (string, bool) {
		s, ok := g(s)
		ms, read := timestamp.Parse(s)
		if !ok || !read || ms < first {
			return s, false
		}
		return strings.TrimSuffix(string(timestamp.Append(nil, ms)), "Z"), true
	}
}

// create makes a table.
func create(table string) string {
	return fmt.Sprintf("create table %s ([id] %s collate %s, index [%s] ([id]))", table, shortID, exact, idIndex)
}

// idIndex is the name of the index of ids.
const idIndex = "weir_id"

// add adds columns by one statement.
func add(table string, changes []warehouse.Change) string {
	defs := make([]string, len(changes))
	for i, c := range changes {
		defs[i] = quote(c.Column) + " " + native(c.To) + " null"
	}
	return "alter table " + table + " add " + strings.Join(defs, ", ")
}

// widen is the statements of a wider type. None: a float has no text that the server writes
// with the digits that it holds.
func widen(table string, c warehouse.Change) []string {
	col := quote(c.Column)
	become := fmt.Sprintf("alter table %s alter column %s %s null", table, col, native(c.To))
	switch c.From {
	case layout.Int, layout.JSON, layout.Text:
		return []string{become}
	case layout.Boolean:
		return []string{become, fmt.Sprintf("update %s set %s = case %[2]s when N'1' then N'true' when N'0' then N'false' end where %[2]s is not null", table, col)}
	case layout.Datetime: // its text is 2026-01-02 03:04:05.678 +00:00
		return []string{
			fmt.Sprintf("update %s set %s = switchoffset(%[2]s, N'+00:00') where datepart(tzoffset, %[2]s) <> 0", table, col),
			become,
			fmt.Sprintf("update %s set %s = left(%[2]s, 10) + N'T' + substring(%[2]s, 12, 12) + N'Z' where %[2]s is not null", table, col),
		}
	}
	return nil
}

// longIDs let a table that loads made take ids of any length.
func longIDs(table string) []string {
	return []string{
		fmt.Sprintf("drop index if exists [%s] on %s", idIndex, table),
		fmt.Sprintf("alter table %s alter column [id] %s collate %s null", table, anyText, exact),
	}
}

// stage is the temporary table of rows on their way.
const stage = "#weir_rows"

// createStage makes the temporary table for rows of a shape. Ids have the collation that
// they are compared with, other texts that of the column that they go to; that of tempdb
// counts for nothing.
func createStage(t *rows.Table, have []column) string {
	defs := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		typ := native(c.File)
		switch {
		case c.Name == "id":
			typ = shortID + " collate " + exact
		case c.File == layout.String:
			typ += " collate " + collationOf(c.Name, have)
		}
		defs[i] = rows.InFile(i) + " " + typ + " null"
	}
	return "create table " + stage + " (" + strings.Join(defs, ", ") + ")"
}

// collationName is a name of a collation, which cannot be quoted.
var collationName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// collationOf is the collation of a column of texts; that of the database for others.
func collationOf(name string, have []column) string {
	i := slices.IndexFunc(have, func(c column) bool { return c.name == name })
	if i < 0 || !collationName.MatchString(have[i].collation) {
		return "database_default"
	}
	return have[i].collation
}

// longStage lets the temporary table take ids of any length.
func longStage(t *rows.Table) string {
	return fmt.Sprintf("alter table %s alter column %s %s collate %s null", stage, idOf(t), anyText, exact)
}

func idOf(t *rows.Table) string {
	return rows.InFile(slices.IndexFunc(t.Columns, func(c rows.Column) bool { return c.Name == "id" }))
}

var dialect = rows.Dialect{Quote: quote, Cast: cast, Old: "t"}

// cast is the expression of a value of the temporary table in its column's type. A text has
// none: it would be cut where it is too long, and should be refused.
func cast(c rows.Column, value string) string {
	if c.Native == "" || c.File != layout.String || isText(c.Native) {
		return value
	}
	return "cast(" + value + " as " + c.Native + ")"
}

// merge brings the temporary table into a table of the columns have. The first comparison
// uses an index of ids, as its collation is that of the column; the second one is exact, and
// counts blanks at the end.
func merge(table string, t *rows.Table, have []column) string {
	var all []string
	for i := range have {
		if !have[i].kept {
			all = append(all, have[i].name)
		}
	}
	update := ""
	if sets := t.Sets(dialect, all); len(sets) > 0 {
		update = " when matched then update set " + strings.Join(sets, ", ")
	}
	id := idOf(t)
	return fmt.Sprintf("merge into %s with (holdlock) as t using %s as s on t.[id] = s.%s collate %s and t.[id] + N'.' = s.%[3]s + N'.' collate %[5]s%[6]s when not matched then insert (%[7]s) values (%[8]s);",
		table, stage, id, collationOf("id", have), exact, update, strings.Join(t.Names(dialect), ", "), strings.Join(t.Values(dialect), ", "))
}

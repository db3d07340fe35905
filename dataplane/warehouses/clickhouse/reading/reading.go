// Package reading reads a query before a server does: it is one select, and names nothing
// that reaches outside of the warehouse. What the server refuses besides is its own. It is
// pure.
package reading

import (
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/warehouse"
)

// token is a word, a name in quotes, a text or a sign of a statement.
type token struct {
	kind byte // 'w', 'q', 's', or the sign itself
	text string
}

// tokens divides a statement; false when a quote or a comment has no end. Comments are left
// out.
// Source: https://clickhouse.com/docs/en/sql-reference/syntax
func tokens(q string) (all []token, ok bool) {
	for i := 0; i < len(q); {
		c := q[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			i++
		case strings.HasPrefix(q[i:], "--"), c == '#':
			n := strings.IndexByte(q[i:], '\n')
			if n < 0 {
				return all, true
			}
			i += n
		case strings.HasPrefix(q[i:], "/*"):
			n := strings.Index(q[i+2:], "*/")
			if n < 0 {
				return all, false
			}
			i += 2 + n + 2
		case c == '\'' || c == '"' || c == '`':
			text, n := inQuotes(q[i:], c)
			if n < 0 {
				return all, false
			}
			kind := byte('q')
			if c == '\'' {
				kind = 's'
			}
			all, i = append(all, token{kind, text}), i+n
		case isWord(c):
			n := i
			for n < len(q) && isWord(q[n]) {
				n++
			}
			all, i = append(all, token{'w', q[i:n]}), n
		default:
			all, i = append(all, token{c, ""}), i+1
		}
	}
	return all, true
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// inQuotes reads what begins with a quote, and returns how many bytes it has; -1 without
// an end.
func inQuotes(q string, quote byte) (text string, n int) {
	var b strings.Builder
	for i := 1; i < len(q); i++ {
		switch {
		case q[i] == '\\' && i+1 < len(q):
			i++
			b.WriteByte(q[i])
		case q[i] == quote && i+1 < len(q) && q[i+1] == quote:
			i++
			b.WriteByte(quote)
		case q[i] == quote:
			return b.String(), i + 1
		default:
			b.WriteByte(q[i])
		}
	}
	return "", -1
}

// Names that a query does not use: functions that read files, other servers and the
// server's own lists, in lower case. readonly=1 forbids most of them too.
var outside = []string{"file", "url", "urlcluster", "remote", "remotesecure", "mysql", "postgresql", "mongodb", "redis", "sqlite", "s3", "s3cluster", "gcs", "oss", "cosn", "hdfs", "hdfscluster", "azureblobstorage",
	"azureblobstoragecluster", "iceberg", "icebergs3", "deltalake", "hudi", "paimon", "jdbc", "odbc", "cluster", "clusterallreplicas", "merge", "executable", "input", "dictionary", "catboostevaluate", "modelevaluate", "getmacro", "sleep",
	"sleepeachrow", "loop", "mergetreeindex", "view", "viewifpermitted", "initializeaggregation", "getserversetting", "getsetting", "showcertificate", "arrowflight", "ytsaurus", "fuzzquery", "fuzzjson", "timeseriesdata", "timeseriesmetrics", "timeseriestags"}

// shown are the tables of the database system that show only what the user may see, and
// those that hold nothing.
var shown = []string{"columns", "tables", "one", "numbers"}

func refuse(format string, args ...any) error {
	return warehouse.Refuse(warehouse.CodeFailed, fmt.Errorf(format, args...))
}

// Check says what of a statement a query may not have.
func Check(q string) error {
	all, ok := tokens(q)
	if !ok {
		return refuse("a quote or a comment has no end")
	}
	first := slices.IndexFunc(all, func(t token) bool { return t.kind != '(' })
	if first < 0 || all[first].kind != 'w' || !slices.Contains([]string{"select", "with"}, strings.ToLower(all[first].text)) {
		return refuse("a query begins with select or with")
	}
	return Within(q)
}

// Within says what of a statement that does more than read a query within it may not have.
func Within(q string) error {
	all, ok := tokens(q)
	if !ok {
		return refuse("a quote or a comment has no end")
	}
	for len(all) > 0 && all[len(all)-1].kind == ';' {
		all = all[:len(all)-1]
	}
	word := func(i int, kinds string) string {
		if i < 0 || i >= len(all) || !strings.ContainsRune(kinds, rune(all[i].kind)) {
			return ""
		}
		return strings.ToLower(all[i].text)
	}
	is := func(i int, sign byte) bool { return i >= 0 && i < len(all) && all[i].kind == sign }
	for i, t := range all {
		name := word(i, "wq")
		switch {
		case t.kind == ';':
			return refuse("a query is one statement")
		case (name == "system" || name == "information_schema") && is(i+1, '.') && !is(i-1, '.') && !(name == "system" && slices.Contains(shown, word(i+2, "wq"))):
			return refuse("a query reads the tables of the warehouse, and of the server's own only system.columns and system.tables")
		case is(i+1, '(') && (slices.Contains(outside, name) || strings.HasPrefix(name, "dict") || strings.HasPrefix(name, "url") && name != "urlhash" && !strings.HasPrefix(name, "urlhier") && !strings.HasPrefix(name, "urlpath") || strings.HasPrefix(name, "executable")):
			return refuse("a query does not call %s", t.text)
		case word(i, "w") == "into" && word(i+1, "w") == "outfile":
			return refuse("a query writes no file")
		case word(i, "w") == "format" && i == len(all)-2 && word(i+1, "wq") != "" && i > 0 && word(i-1, "w") != "as" && !is(i-1, ','):
			return refuse("a query has no format of its own")
		}
	}
	return nil
}

// Package reading tells statements of Databricks that only read from all others, and from
// those that read what is no table. It is pure.
package reading

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

// piece is a word in lower case, a name in backticks with them, a text as ', or a character.
type piece struct{ text string }

var errOpen = errors.New("a text, a quoted name or a comment does not end")

// pieces reads a statement as Databricks does: comments in brackets are nested, texts are in
// either quote and have escapes but after r, names are in backticks.
// Source: https://docs.databricks.com/en/sql/language-manual/sql-ref-syntax-comment.html and
// https://docs.databricks.com/en/sql/language-manual/data-types/string-type.html
func pieces(sql string) (all []piece, err error) {
	r := []rune(sql)
	at := func(i int) rune {
		if i < len(r) {
			return r[i]
		}
		return 0
	}
	for i := 0; i < len(r); {
		switch c := r[i]; {
		case c == '-' && at(i+1) == '-':
			for i < len(r) && r[i] != '\n' {
				if r[i] == '\\' && at(i+1) == '\n' { // the comment goes on
					i++
				}
				i++
			}
		case c == '/' && at(i+1) == '*':
			depth := 0
			for {
				switch {
				case at(i) == '/' && at(i+1) == '*':
					depth, i = depth+1, i+2
				case at(i) == '*' && at(i+1) == '/':
					depth, i = depth-1, i+2
				default:
					i++
				}
				if depth == 0 {
					break
				}
				if i >= len(r) {
					return nil, errOpen
				}
			}
		case c == '\'' || c == '"':
			raw := len(all) > 0 && all[len(all)-1].text == "r" && i > 0 && (r[i-1] == 'r' || r[i-1] == 'R')
			for i++; i < len(r) && r[i] != c; i++ {
				if r[i] == '\\' && !raw {
					i++
				}
			}
			if i >= len(r) {
				return nil, errOpen
			}
			all = append(all, piece{"'"})
			i++
		case c == '`':
			from := i
			for i++; i < len(r); i++ {
				if r[i] != '`' {
					continue
				}
				if at(i+1) != '`' {
					break
				}
				i++
			}
			if i >= len(r) {
				return nil, errOpen
			}
			i++
			all = append(all, piece{strings.ToLower(string(r[from:i]))})
		case strings.ContainsRune(" \t\r\n\f\v", c):
			i++
		case unicode.IsLetter(c) || unicode.IsDigit(c) || c == '_':
			from := i
			for i < len(r) && (unicode.IsLetter(r[i]) || unicode.IsDigit(r[i]) || r[i] == '_') {
				i++
			}
			all = append(all, piece{strings.ToLower(string(r[from:i]))})
		case unicode.IsControl(c) || c > unicode.MaxASCII:
			return nil, errors.New("a character outside of texts and quoted names is no part of SQL")
		default:
			all = append(all, piece{string(c)})
			i++
		}
	}
	return all, nil
}

var (
	reads = []string{"select", "with", "show", "describe", "desc", "explain", "values", "table"}
	// writing words begin what comes behind a with or a from.
	writing = []string{"insert", "update", "delete", "merge", "overwrite", "into"}
	// outer functions read files and other systems, or run code.
	outer = []string{"read_files", "read_kafka", "read_kinesis", "read_pubsub", "read_pulsar", "read_statestore", "read_state_metadata", "cloud_files_state", "http_request", "remote_query", "vector_search", "reflect", "try_reflect", "java_method", "list_secrets", "secret", "try_secret", "event_log"}
	// formats before a path are tables.
	formats = []string{"avro", "binaryfile", "csv", "delta", "json", "orc", "parquet", "text", "xml"}
	quoted  = "`"
)

// Query says why a statement is not run as a query.
func Query(sql string) error {
	all, err := pieces(sql)
	if err != nil {
		return err
	}
	for len(all) > 0 && all[len(all)-1].text == ";" {
		all = all[:len(all)-1]
	}
	begin := 0
	for begin < len(all) && all[begin].text == "(" {
		begin++
	}
	if begin == len(all) || !slices.Contains(reads, all[begin].text) {
		return errors.New("it begins with none of the words " + strings.Join(reads, ", "))
	}
	next := func(i int) string {
		if i+1 < len(all) {
			return all[i+1].text
		}
		return ""
	}
	for i, p := range all {
		bare := strings.Trim(p.text, quoted)
		switch {
		case p.text == ";":
			return errors.New("it is more than one statement")
		case slices.Contains(writing, p.text):
			return errors.New("it has the word " + p.text + ", which is not run here; write a name of that kind in backticks")
		case next(i) == "(" && (slices.Contains(outer, bare) || strings.HasPrefix(bare, "ai_")):
			return errors.New("the function " + bare + " reads or writes outside of the warehouse's tables")
		case next(i) == "." && slices.Contains(formats, bare) && i+2 < len(all) && strings.HasPrefix(all[i+2].text, quoted):
			return errors.New("it reads a file as a table")
		}
	}
	return nil
}

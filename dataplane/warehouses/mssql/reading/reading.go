// Package reading tells statements of SQL Server that only read, or only change rows, from
// all others. It reads words, of which those that begin another statement are reserved and
// cannot be names without quotes. It is pure.
package reading

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

// word is a word of a statement, or a character that is none; those within texts, quoted
// names and comments are no words.
type word struct {
	text string // a word in lower case; "" for a text, "[" for a quoted name
}

var errOpen = errors.New("a text, a quoted name or a comment does not end")

// words reads a statement as SQL Server does: comments are nested, texts are in quotes, and
// names in brackets or double quotes.
// Source: https://learn.microsoft.com/en-us/sql/t-sql/language-elements/slash-star-comment-transact-sql
func words(sql string) (all []word, err error) {
	r := []rune(sql)
	at := func(i int) rune {
		if i < len(r) {
			return r[i]
		}
		return 0
	}
	end := func(i int, close rune) (int, bool) { // behind a piece whose end is doubled within it
		for ; i < len(r); i++ {
			if r[i] != close {
				continue
			}
			if at(i+1) != close {
				return i + 1, true
			}
			i++
		}
		return i, false
	}
	for i := 0; i < len(r); {
		c, ok := r[i], true
		switch {
		case c == '-' && at(i+1) == '-':
			for i < len(r) && r[i] != '\n' {
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
		case c == '\'':
			all = append(all, word{})
			i, ok = end(i+1, '\'')
		case c == '"':
			all = append(all, word{"["})
			i, ok = end(i+1, '"')
		case c == '[':
			all = append(all, word{"["})
			i, ok = end(i+1, ']')
		case strings.ContainsRune(" \t\r\n\f\v", c):
			i++
		case part(c):
			from := i
			for i < len(r) && part(r[i]) {
				i++
			}
			all = append(all, word{strings.ToLower(string(r[from:i]))})
		case unicode.IsControl(c) || c > unicode.MaxASCII: // SQL Server has blanks that others do not know
			return nil, errors.New("a character outside of texts and quoted names is no part of SQL")
		default:
			all = append(all, word{string(c)})
			i++
		}
		if !ok {
			return nil, errOpen
		}
	}
	return all, nil
}

func part(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_@#$", r)
}

// Words that begin a statement other than a reading one, or reach outside of the database.
// All are reserved: as names they are in quotes.
// Source: https://learn.microsoft.com/en-us/sql/t-sql/language-elements/reserved-keywords-transact-sql
var (
	outer = []string{"backup", "begin", "break", "bulk", "checkpoint", "close", "commit", "continue", "dbcc", "deallocate", "declare", "deny", "disk", "dump", "errlvl", "exec", "execute", "exit", "goto", "grant", "if", "kill", "lineno", "load",
		"open", "opendatasource", "openquery", "openrowset", "print", "proc", "procedure", "raiserror", "readtext", "reconfigure", "restore", "return", "revert", "revoke", "rollback", "save", "securityaudit", "setuser", "shutdown", "trigger",
		"tran", "transaction", "updatetext", "use", "waitfor", "while", "writetext"}
	making  = []string{"alter", "create", "drop", "truncate"}
	writing = []string{"delete", "insert", "into", "merge", "update", "set"}
)

// Words that statements begin with.
var (
	reads  = []string{"select", "with"}
	writes = []string{"insert", "update", "delete", "merge", "select", "with"}
)

// scan says why a statement is not run as one of those that begin with a word of first and
// have none of banned.
func scan(sql string, first []string, banned ...[]string) error {
	all, err := words(sql)
	if err != nil {
		return err
	}
	for len(all) > 0 && all[len(all)-1].text == ";" {
		all = all[:len(all)-1]
	}
	for len(all) > 0 && all[0].text == ";" {
		all = all[1:]
	}
	begin := 0
	for begin < len(all) && all[begin].text == "(" {
		begin++
	}
	if begin == len(all) || !slices.Contains(first, all[begin].text) {
		return errors.New("it begins with none of the words " + strings.Join(first, ", "))
	}
	dots := 0 // of the name at hand
	for i, w := range all {
		switch {
		case w.text == ";":
			return errors.New("it is more than one statement")
		case slices.ContainsFunc(banned, func(some []string) bool { return slices.Contains(some, w.text) }):
			return errors.New("it has the word " + w.text + ", which is not run here; write a name of that kind in brackets")
		case w.text == "next" && i+1 < len(all) && all[i+1].text == "value":
			return errors.New("it counts up a sequence")
		case strings.HasPrefix(w.text, "@@") || !strings.HasPrefix(w.text, "@"):
		default:
			return errors.New("it has a variable")
		}
		switch {
		case w.text == ".":
			if dots++; dots >= 3 || i > 0 && all[i-1].text == "." {
				return errors.New("it names another server or database")
			}
		case i == 0 || all[i-1].text != ".":
			dots = 0
		}
	}
	return nil
}

// Query says why a statement is not run as a query: one statement, and nothing in it that
// writes or reaches outside of the database.
func Query(sql string) error { return scan(sql, reads, outer, making, writing) }

// Exec says why a statement is not run as one that changes rows, and nothing else, within a
// transaction that it neither begins nor ends.
func Exec(sql string) error { return scan(sql, writes, outer, making) }

// Package migrations holds the numbered migrations of the control plane's
// store: the same numbers for SQLite and Postgres, written by `make migration`,
// run by the store when it opens. A file that was released is never edited.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// Migration is one numbered file.
type Migration struct {
	Number int    // from 1, without gaps
	Name   string // the file's name, such as "0001_first.sql"
	SQL    string // statements, ended by semicolons
}

// SQLite returns the migrations for SQLite, by number.
func SQLite() ([]Migration, error) { return read("sqlite") }

// Postgres returns the migrations for Postgres, by number.
func Postgres() ([]Migration, error) { return read("postgres") }

func read(dialect string) ([]Migration, error) {
	entries, err := fs.ReadDir(files, dialect)
	if err != nil {
		return nil, fmt.Errorf("list %s migrations: %w", dialect, err)
	}
	all := make([]Migration, 0, len(entries))
	for _, e := range entries {
		digits, _, _ := strings.Cut(e.Name(), "_")
		n, err := strconv.Atoi(digits)
		if err != nil {
			return nil, fmt.Errorf("migration %s/%s does not begin with a number: %w", dialect, e.Name(), err)
		}
		sql, err := files.ReadFile(dialect + "/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read migration %s/%s: %w", dialect, e.Name(), err)
		}
		all = append(all, Migration{Number: n, Name: e.Name(), SQL: string(sql)})
	}
	slices.SortFunc(all, func(a, b Migration) int { return a.Number - b.Number })
	for i, m := range all {
		if m.Number != i+1 {
			return nil, fmt.Errorf("migration %s/%s stands where number %d was expected", dialect, m.Name, i+1)
		}
	}
	return all, nil
}

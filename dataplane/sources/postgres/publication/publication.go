// Package publication has tables of a Postgres server publish their changes.
package publication

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/dataplane/pull"
	"weir/dataplane/pull/tables"
	"weir/dataplane/sources/postgres/text"
)

// Query calls each with the rows of a statement about a table, as texts.
type Query func(ctx context.Context, name, statement string, args []string, each func([][]byte) error) error

// Add adds a table, which settings call name, to a publication where it is not in it, and says
// what keeps its changes from being of use. given are the columns of its key by the setting.
func Add(ctx context.Context, query Query, t *tables.Table, name, schema, given, publication string) error {
	table := name
	if before, after, ok := strings.Cut(name, "."); ok {
		schema, table = before, after
	}
	identity, kind, owner := "", "", ""
	var known []string
	err := query(ctx, name, `select c.relreplident, c.relkind, pg_catalog.pg_get_userbyid(c.relowner), coalesce((select string_agg(a.attname, E'\n') from pg_catalog.pg_index i
		join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey) where i.indrelid = c.oid and i.indisreplident), '')
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`, []string{schema, table}, func(row [][]byte) error {
		identity, kind, owner = string(row[0]), string(row[1]), string(row[2])
		known = strings.Split(string(row[3]), "\n")
		return nil
	})
	if err != nil {
		return err
	}
	if kind != "r" && kind != "p" {
		return &pull.Failure{Code: pull.CodeRefused, Text: name + " is no table, so it has no changes of its own: name the tables that it reads."}
	}
	keys := Keys(given, t.Key)
	if identity == "d" {
		known = t.Key
	}
	for _, k := range keys {
		if identity != "f" && !slices.Contains(known, k) {
			return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("Changes of %s do not say which row they are of. Run: ALTER TABLE %s REPLICA IDENTITY FULL; or give it a primary key, or an index by REPLICA IDENTITY USING INDEX, and name its columns in keys.", name, t.Name)}
		}
	}
	if len(keys) == 0 {
		return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The table %s has no primary key: name the columns that name a row in the setting keys. Where it has no unique index either, run: ALTER TABLE %s REPLICA IDENTITY FULL;", name, t.Name)}
	}
	there, rooted := false, false
	err = query(ctx, name, `select p.pubviaroot, exists (select from pg_catalog.pg_publication_tables t where t.pubname = p.pubname and t.schemaname = $2 and t.tablename = $3)
		from pg_catalog.pg_publication p where p.pubname = $1`, []string{publication, schema, table}, func(row [][]byte) error {
		rooted, there = string(row[0]) == "t", string(row[1]) == "t"
		return nil
	})
	quoted := text.Quote(publication)
	switch {
	case err != nil:
		return err
	case kind == "p" && !rooted:
		return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The publication has the parts of %s, not the table. Run: ALTER PUBLICATION %s SET (publish_via_partition_root = true);", name, quoted)}
	case there:
		return nil
	}
	add := "ALTER PUBLICATION " + quoted + " ADD TABLE " + t.Name
	if err := query(ctx, name, add, nil, func([][]byte) error { return nil }); err != nil {
		return &pull.Failure{Code: pull.CodeRefused, Text: fmt.Sprintf("The table is not in the publication. Run as %s: %s;", text.Quote(owner), add)}
	}
	return nil
}

// Keys are the columns that name a row: those of the setting, else those of the primary
// key.
func Keys(given string, primary []string) (keys []string) {
	if given == "" {
		return primary
	}
	for part := range strings.SplitSeq(given, ",") {
		keys = append(keys, strings.TrimSpace(part))
	}
	return keys
}

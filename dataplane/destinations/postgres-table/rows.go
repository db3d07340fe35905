package postgrestable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/dataplane/destination"
)

// What is done with a row.
const (
	upsert = "upsert"
	update = "update"
	insert = "insert" // where there is none
	add    = "append"
	remove = "delete"
)

// row is an item as a row of the table.
type row struct {
	item    int
	do      string
	ids     []string                   // columns that name it, sorted
	columns map[string]json.RawMessage // with ids
	key     string                     // what ids are, of rows that are known by them
}

// read reads an item, or says what becomes of one that is no row.
func read(i int, item *destination.Item) (*row, destination.Verdict) {
	if item.Event.Type != "record" {
		return nil, destination.Verdict{Outcome: destination.Dropped, Code: codeUnsupported}
	}
	var in struct {
		Action, Mode string
		Identifiers  map[string]string
		Fields       map[string]json.RawMessage
	}
	bad := func(text string) (*row, destination.Verdict) {
		return nil, destination.Verdict{Outcome: destination.Dead, Code: CodeBadRow, Detail: text}
	}
	if err := json.Unmarshal(item.Body(), &in); err != nil {
		return bad("The record cannot be read.")
	}
	r := &row{item: i, columns: in.Fields, ids: slices.Sorted(maps.Keys(in.Identifiers))}
	if r.columns == nil {
		r.columns = map[string]json.RawMessage{}
	}
	for _, id := range r.ids {
		text, _ := json.Marshal(in.Identifiers[id]) // a text always encodes
		if field, both := r.columns[id]; both && in.Action != "delete" && string(field) != string(text) && strings.Trim(string(field), `"`) != in.Identifiers[id] {
			return bad("The column " + id + " is a field and an identifier, with two values.")
		}
		r.columns[id] = text
		r.key += string(text) + "\x00"
	}
	if len(r.columns) == 0 {
		return bad("The record has neither identifiers nor fields.")
	}
	switch {
	case in.Mode == "append":
		r.do, r.ids, r.key = add, nil, ""
	case in.Action == "delete":
		r.do = remove
	case in.Mode == "update":
		r.do = update
	case in.Mode == "insert":
		r.do = insert
	case in.Action == "insert" || in.Action == "update":
		r.do = upsert
	default:
		return bad("The record has another action than insert, update and delete.")
	}
	return r, destination.Verdict{}
}

// table is what the server says of the table.
type table struct {
	name    string          // quoted
	columns map[string]bool // that can be written
	keys    map[string]bool // the columns of unique indexes, as keyOf has them
}

func keyOf(columns []string) string {
	return strings.Join(slices.Sorted(slices.Values(columns)), "\x00")
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// describe asks what the table is. A table that cannot be written to is said by the verdict.
func describe(ctx context.Context, tx pgx.Tx, schema, name string) (table, destination.Verdict, error) {
	t := table{name: quote(schema) + "." + quote(name), columns: map[string]bool{}, keys: map[string]bool{}}
	var oid uint32
	var usage, plain bool
	// The tables of a control plane, of profiles and of syncs lie together; each has one that names them.
	var beside []string
	err := tx.QueryRow(ctx, `select c.oid, has_schema_privilege(n.oid, 'USAGE'), c.relkind in ('r', 'p', 'v', 'f'),
		array(select o.relname::text from pg_catalog.pg_class o where o.relnamespace = n.oid and o.relkind in ('r', 'p') and o.relname in ('_entities', '_cursors', '_built', 'revisions', 'acks', 'workspaces'))
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`, schema, name).Scan(&oid, &usage, &plain, &beside)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && !plain:
		return t, destination.Verdict{Outcome: destination.Retry, Code: CodeNoTable, Detail: "There is no table " + t.name + "."}, nil
	case err != nil:
		return t, destination.Verdict{}, err
	case !usage:
		return t, destination.Verdict{Outcome: destination.Retry, Code: CodeDenied, Detail: "The user may not use the schema " + quote(schema) + "."}, nil
	}
	all := map[string]bool{}
	var column string
	var writable bool
	// To a generated column, or an identity that is always generated, nobody writes.
	rows, err := tx.Query(ctx, "select attname::text, attgenerated = '' and attidentity <> 'a' from pg_catalog.pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped", oid)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&column, &writable}, func() error {
			all[column] = true
			if writable {
				t.columns[column] = true
			}
			return nil
		})
	}
	if err != nil {
		return t, destination.Verdict{}, err
	}
	events := all["id"] && all["received_at"] && all["uuid_ts"] // what loads of events fill has these
	profiles := slices.Contains(beside, "_entities") && slices.Contains(beside, "_cursors") || slices.Contains(beside, "_built")
	control := slices.Contains(beside, "revisions") && slices.Contains(beside, "acks") && slices.Contains(beside, "workspaces")
	if ownSchema(schema) || events || profiles || control {
		return t, destination.Verdict{Outcome: destination.Dead, Code: CodeOwn, Detail: "Weir itself fills " + t.name + ", or tables beside it: choose another schema."}, nil
	}
	var key []string
	rows, err = tx.Query(ctx, `select array(select a.attname::text from unnest(i.indkey) with ordinality as k (n, place) join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n where k.place <= i.indnkeyatts)
		from pg_catalog.pg_index i where i.indrelid = $1 and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null`, oid)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&key}, func() error {
			t.keys[keyOf(key)] = true
			return nil
		})
	}
	return t, destination.Verdict{}, err
}

// refusal says why a row cannot be written to the table; the zero value: it can.
func (t *table) refusal(r *row) destination.Verdict {
	for name := range r.columns {
		if !t.columns[name] {
			return destination.Verdict{Outcome: destination.Dead, Code: CodeNoColumn, Detail: "The table has no column " + quote(name) + " that can be written."}
		}
	}
	if r.do != add && !t.keys[keyOf(r.ids)] {
		return destination.Verdict{Outcome: destination.Dead, Code: CodeNoKey, Detail: "The table has no primary key or unique index over exactly the columns of the identifiers: " + strings.Join(r.ids, ", ") + "."}
	}
	return destination.Verdict{}
}

// apply writes rows, and says of those that are refused for what they are why. Its errors
// are about all rows.
func (t *table) apply(ctx context.Context, tx pgx.Tx, rows []*row, refused func(*row, destination.Verdict)) error {
	if _, err := tx.Exec(ctx, "set constraints all immediate"); err != nil {
		return err
	}
	seen := map[string]int{}
	var groups [][]*row
	at := map[string]int{} // by what is done and which columns, the group
	for _, r := range rows {
		if v := t.refusal(r); v.Outcome != 0 {
			refused(r, v)
			continue
		}
		// A statement has a row once: what comes again is behind it.
		kind := fmt.Sprintf("%d %s %q", seen[r.key], r.do, slices.Sorted(maps.Keys(r.columns)))
		if r.key != "" {
			seen[r.key]++
		}
		n, there := at[kind]
		if !there {
			n = len(groups)
			at[kind] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], r)
	}
	for _, g := range groups {
		if err := t.group(ctx, tx, g, refused); err != nil {
			return err
		}
	}
	return nil
}

// errMissing is that rows that are to be updated are not there.
var errMissing = errors.New("rows are missing")

// group writes rows of which the same is done, in halves where the server refuses one.
func (t *table) group(ctx context.Context, tx pgx.Tx, rows []*row, refused func(*row, destination.Verdict)) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		columns := make([]map[string]json.RawMessage, len(rows))
		for i, r := range rows {
			columns[i] = r.columns
		}
		text, err := json.Marshal(columns)
		if err != nil {
			return err
		}
		done, err := tx.Exec(ctx, t.statement(rows[0]), string(text))
		if err == nil && rows[0].do == update && done.RowsAffected() < int64(len(rows)) {
			return errMissing
		}
		return err
	})
	if err == nil {
		return nil
	}
	v := destination.Verdict{Outcome: destination.Dead, Code: CodeNoRow}
	if !errors.Is(err, errMissing) {
		var p *pgconn.PgError
		if !errors.As(err, &p) {
			return err
		}
		var about bool
		if v, about = ofRow(p); !about {
			return err
		}
	}
	if len(rows) == 1 {
		refused(rows[0], v)
		return nil
	}
	half := len(rows) / 2
	if err := t.group(ctx, tx, rows[:half], refused); err != nil {
		return err
	}
	return t.group(ctx, tx, rows[half:], refused)
}

// statement is what is done with rows that have the columns of r. Its parameter is a JSON
// list of them.
func (t *table) statement(r *row) string {
	var columns, set, same []string
	for _, name := range slices.Sorted(maps.Keys(r.columns)) {
		columns = append(columns, quote(name))
		if !slices.Contains(r.ids, name) {
			set = append(set, quote(name))
		}
	}
	ids := make([]string, len(r.ids))
	for i, name := range r.ids {
		ids[i] = quote(name)
		same = append(same, "t."+ids[i]+" = r."+ids[i])
	}
	given := "json_populate_recordset(null::" + t.name + ", $1::json) as r"
	list := strings.Join(columns, ", ")
	into := "insert into " + t.name + " as t (" + list + ") select r." + strings.Join(columns, ", r.") + " from "
	to := func(from string) string {
		var all []string
		for _, name := range set {
			all = append(all, name+" = "+from+"."+name)
		}
		return strings.Join(all, ", ")
	}
	match, known := strings.Join(same, " and "), " on conflict ("+strings.Join(ids, ", ")+") do "
	switch {
	case r.do == add:
		return into + given
	case r.do == remove:
		return "delete from " + t.name + " as t using " + given + " where " + match
	case r.do == update && len(set) == 0: // it is there, and that is all
		return "update " + t.name + " as t set " + ids[0] + " = t." + ids[0] + " from " + given + " where " + match
	case r.do == update:
		return "update " + t.name + " as t set " + to("r") + " from " + given + " where " + match
	case r.do == insert || len(set) == 0:
		return into + given + " where not exists (select from " + t.name + " as t where " + match + ")" + known + "nothing"
	}
	// Rows that are there are updated first: an insert would want values of all columns that
	// are not null, before it finds that there is a conflict.
	return "with r as materialized (select * from " + given + "), there as (update " + t.name + " as t set " + to("r") + " from r where " + match + " returning t." + strings.Join(ids, ", t.") + ") " +
		into + "r where not exists (select from there as t where " + match + ")" + known + "update set " + to("excluded")
}

// ofRow is what an error of the server means that is about one of the rows.
// Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
func ofRow(p *pgconn.PgError) (v destination.Verdict, about bool) {
	v = destination.Verdict{Outcome: destination.Dead, Detail: p.Message}
	switch {
	case len(p.Code) != 5:
		return v, false
	case p.Code == "23505" || p.Code == "23P01":
		v.Code = CodeUnique
	case p.Code[:2] == "23" || p.Code == "44000":
		v.Code = CodeConstraint
	case p.Code[:2] == "22" || p.Code == "54000" || p.Code == "42804":
		v.Code = CodeBadValue
	case slices.Contains([]string{"P0", "09", "21", "27", "38", "39"}, p.Code[:2]):
		v.Code = CodeRefused
	default:
		return v, false
	}
	return v, true
}

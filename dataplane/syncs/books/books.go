// Package books keeps, in the warehouse itself, what destinations have of the rows of
// models, and finds by SQL what is to be sent: rows whose hash is not the one that was
// accepted. Its tables are in the schema weir_sync, or in that of loads with weir_sync_
// before their names where schemas are databases of a server.
//
//	sent_<sync>     what was accepted: key, hash, parts, identifiers, changed_at, run
//	rejects_<sync>  what was not: key, op, hash, code, tries, due, waived, changed_at, identifiers
//	rows_<sync>     what a run sends, with the fields; it is dropped at the run's end
//	syncs           what the rows of sent_<sync> were made of
//	runs            the books of each run
//
// A row that was removed has its identifiers in sent, and one that was rejected is tried
// again when it is due, or changes. A run that dies is found anew: what was accepted is
// not found any more. Statements hold names of columns, numbers and codes; a value of a
// row never leaves the warehouse in one.
//
// The hash is of the text of values, since the hashes of warehouses change with their
// versions, and the settings that texts depend on are those of sessions.
package books

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/dataplane/tables"
	"weir/shared/id"
	"weir/shared/workspace/activation"
)

// schema is where the tables are.
const schema = "weir_sync"

// form is the version of the hash: another one makes every row another one.
const form = "1"

// Book is the tables of one sync.
type Book struct {
	sync    activation.Sync
	model   activation.Model
	dialect tables.Basics
	syntax  tables.Syntax
	fields  []string // of the mapping, sorted
	ids     []string // the identifiers, sorted
}

// New returns the book of a sync; with nil for a dialect it has nothing but a digest.
func New(s activation.Sync, m activation.Model, d tables.Basics) *Book {
	b := &Book{sync: s.WithDefaults(), model: m, dialect: d, fields: slices.Sorted(maps.Keys(s.Mapping)), ids: slices.Sorted(maps.Keys(s.Identifiers))}
	if d != nil {
		b.syntax = d.Syntax()
	}
	return b
}

// Digest says what the rows of sent are made of: with another one they have other hashes.
func (b *Book) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00", form, b.model.Column, b.sync.Object)
	if b.whole() {
		fmt.Fprintf(h, "%s\x00", b.sync.Mode)
	}
	for _, f := range b.ids {
		fmt.Fprintf(h, "i%s\x00%s\x00", f, b.sync.Identifiers[f])
	}
	for _, f := range b.fields {
		fmt.Fprintf(h, "f%s\x00%s\x00", f, b.sync.Mapping[f])
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// longest is how long an identifier may be that stands in names of tables; Postgres cuts
// names of more than 63 bytes.
const longest = 40

// name is the name of a table of this sync.
func (b *Book) name(kind string) string {
	own := string(b.sync.ID)
	if len(own) > longest {
		sum := sha256.Sum256([]byte(own))
		own = hex.EncodeToString(sum[:16])
	}
	return kind + "_" + own
}

// table is a table of this sync in a statement.
func (b *Book) table(kind string) string {
	return b.shared(b.name(kind))
}

// shared is a table of all syncs in a statement.
func (b *Book) shared(name string) string {
	if b.syntax.OneSchema {
		return b.dialect.Quote(schema + "_" + name)
	}
	return b.dialect.Quote(schema) + "." + b.dialect.Quote(name)
}

// work is the table of the keys and hashes of the model while a run is planned.
func (b *Book) work() string { return b.name("_sync") }

// differ is the table of what differs, while a run is planned.
func (b *Book) differ() string { return b.name("_differ") }

// going is the table of the rows of the model that go, while a run is planned.
func (b *Book) going() string { return b.name("_going") }

// cast is a column of the model as text, or null.
func (b *Book) cast(column string) string {
	return fmt.Sprintf(b.syntax.AsText, "m."+b.dialect.Quote(column))
}

func (b *Book) char(n int) string { return fmt.Sprintf(b.syntax.Char, n) }

func (b *Book) md5(text string) string { return fmt.Sprintf(b.syntax.Hash, text) }

// text is a column of the model as text, never null.
func (b *Book) text(column string) string {
	return "coalesce(" + b.cast(column) + ", " + b.char(1) + ")"
}

// hash is the hash of what is sent of a row.
func (b *Book) hash() string {
	parts := []string{}
	for _, f := range b.ids {
		parts = append(parts, b.text(b.sync.Identifiers[f]))
	}
	for _, f := range b.fields {
		parts = append(parts, b.text(b.sync.Mapping[f]))
	}
	if b.whole() { // what was sent in another way is in no set
		parts = append(parts, b.dialect.Text(b.sync.Mode))
	}
	return "substr(" + b.md5(b.syntax.Between(b.char(31), parts...)) + ", 1, 16)" // as one text after the other, without as many copies
}

// whole says that all rows are sent when any of them differs.
func (b *Book) whole() bool { return b.sync.Mode == activation.Snapshot }

// changed is what is done with a row that changed, as a literal.
func (b *Book) changed() string {
	if b.whole() {
		return "'insert'"
	}
	return "'update'"
}

// partLength is how many characters each field has in parts.
const partLength = 8

// parts is a short hash of each field, one behind the other: which fields changed.
func (b *Book) parts() string {
	parts := []string{"''", "''"}
	for _, f := range b.fields {
		parts = append(parts, fmt.Sprintf("substr(%s, 1, %d)", b.md5(b.text(b.sync.Mapping[f])), partLength))
	}
	return b.syntax.Join(parts...)
}

// identifiers are the names and values of the identifiers that are not null: names and
// values with the character 30 between, and 31 behind each.
func (b *Book) identifiers() string {
	parts := []string{"''", "''"}
	for _, f := range b.ids {
		parts = append(parts, "coalesce("+b.syntax.Join(b.dialect.Text(f), b.char(30), b.cast(b.sync.Identifiers[f]), b.char(31))+", '')")
	}
	return b.syntax.Join(parts...)
}

// key is the key of a row as text.
func (b *Book) key() string { return b.cast(b.model.Column) }

// time is a moment in a statement.
func (b *Book) time(t time.Time) string { return b.syntax.Time(t) }

// prepare makes the tables that are missing.
func (b *Book) prepare(ctx context.Context, s tables.Session) error {
	var q []string
	if !b.syntax.OneSchema {
		q = append(q, "create schema if not exists "+b.dialect.Quote(schema))
	}
	key := ""
	if b.syntax.Key != "" {
		key = ", " + b.syntax.Key
	}
	version, gone := "", ""
	if b.syntax.Versions {
		version, gone = ", version counts", ", gone flags"
	}
	types := strings.NewReplacer(" texts", " "+b.syntax.Texts, " moments", " "+b.syntax.Moments, " counts", " "+b.syntax.Counts, " flags", " "+b.syntax.Flags)
	for _, t := range [][3]string{
		{b.table("sent"), `"key" texts, hash texts, parts texts, identifiers texts, changed_at moments, run texts` + version + gone + key, `"key"`},
		{b.table("rejects"), `"key" texts, op texts, hash texts, code texts, tries counts, due moments, waived flags, changed_at moments, identifiers texts` + version + gone + key, `"key"`},
		{b.shared("syncs"), "sync texts, name texts, digest texts, changed_at moments" + version, "sync"},
		{b.shared("runs"), "run texts, sync texts, began moments, ended moments, state texts, code texts, planned counts, accepted counts, rejected counts, invalid counts, removed counts" + version, "run"},
	} {
		q = append(q, "create table if not exists "+t[0]+" ("+types.Replace(t[1])+") "+strings.ReplaceAll(b.syntax.Own, "{key}", t[2]))
	}
	if key == "" {
		q = append(q, b.dialect.Index(b.name("sent")+"_key", b.table("sent"), true, "key")...)
		q = append(q, b.dialect.Index(b.name("rejects")+"_key", b.table("rejects"), false, "key")...)
	}
	_, err := tables.Run(ctx, s, q...)
	return err
}

// anew is the statements that make a table with a column "key" from a query.
func (b *Book) anew(table, query string) []string {
	return []string{"drop table if exists " + table, "create table " + table + b.syntax.Made + " as " + query}
}

// together runs do in a transaction, or by steps where tables are made at once: each step may
// be repeated, and nothing reads what it made before the last one.
func (b *Book) together(ctx context.Context, s tables.Session, do func(tables.Session) error) error {
	if b.syntax.TablesCountAtOnce {
		return do(s)
	}
	return s.Tx(ctx, do)
}

// lasting runs do, which makes and drops no table, in a transaction; where there are none each
// statement adds rows, and may be repeated.
func (b *Book) lasting(ctx context.Context, s tables.Session, do func(tables.Session) error) error {
	if b.syntax.Versions {
		return do(s)
	}
	return s.Tx(ctx, do)
}

// Agreed is what a person agreed to.
type Agreed struct {
	Removals int64 // so many rows may be removed, also when that is more than a fifth
	Mapping  string
	Digest   string // of the mapping that Mapping is about
}

// What a person says to a mapping that changed.
const (
	Resend = "resend" // send all rows
	Assume = "assume" // take them as sent
)

// Plan is what a run has to do.
type Plan struct {
	Planned int64  // rows to send
	Removed int64  // of them rows that the model has no more
	Sent    int64  // rows that the destination has
	Invalid int64  // rows of the model without a key, or with one that others have
	Waiting int64  // rows that were rejected, and are not due
	Whole   bool   // all rows are to be sent as one set, also when there are none
	Held    string // a code: a person has to agree before anything is sent; "" otherwise
}

// Codes of what holds a run.
const (
	HeldRemovals = "sync_removals"
	HeldMapping  = "sync_mapping"
)

// errHeld ends the transaction of a plan that is held.
var errHeld = errors.New("held")

// Plan finds what is to be sent, and puts it into rows. now is the time of the plan.
func (b *Book) Plan(ctx context.Context, s tables.Session, now time.Time, agreed Agreed) (p Plan, err error) {
	if err := b.prepare(ctx, s); err != nil {
		return p, err
	}
	if p.Held, err = b.begin(ctx, s, now, agreed); err != nil || p.Held != "" {
		return p, err
	}
	err = b.together(ctx, s, func(s tables.Session) error {
		if err := b.compare(ctx, s, now); err != nil {
			return err
		}
		if p, err = b.count(ctx, s); err != nil {
			return err
		}
		if p.Removed*5 > p.Sent && p.Removed > agreed.Removals {
			p.Held = HeldRemovals
			return errHeld
		}
		forget := "delete from " + b.table("rejects") + " where not exists (select 1 from " + b.table("plan") + " as p where p.key = " + b.table("rejects") + ".key)"
		if b.syntax.Versions {
			forget = b.bury("rejects", now, ` where "key" not in (select "key" from `+b.table("plan")+")")
		}
		if _, err := tables.Run(ctx, s, forget); err != nil {
			return err
		}
		if p.Whole = b.whole() && p.Planned > 0; p.Whole {
			all := `select "key", 'insert' as op, '' as parts, '' as identifiers, 1 = 0 as waits from ` + b.dialect.Quote(b.work()) + ` where "key" is not null and copies = 1`
			if _, err := tables.Run(ctx, s, b.anew(b.table("plan"), all)...); err != nil {
				return err
			}
		}
		if err := b.fetch(ctx, s); err != nil {
			return err
		}
		p.Planned, err = tables.Int(ctx, s, "select count(*) from "+b.table("rows"))
		return err
	})
	if errors.Is(err, errHeld) {
		err = nil
	}
	_, drop := tables.Run(ctx, s, "drop table if exists "+b.dialect.Quote(b.work()), "drop table if exists "+b.dialect.Quote(b.differ()), "drop table if exists "+b.dialect.Quote(b.going()), "drop table if exists "+b.table("plan"))
	return p, errors.Join(err, drop)
}

// begin sees to the first run, and to a mapping that changed.
func (b *Book) begin(ctx context.Context, s tables.Session, now time.Time, agreed Agreed) (held string, err error) {
	of := " where sync = " + b.dialect.Text(string(b.sync.ID))
	digest := "digest"
	if b.syntax.Versions {
		digest = "argMax(digest, version)" // an empty text without a row
	}
	former, err := tables.One(ctx, s, "select "+digest+" from "+b.shared("syncs")+of)
	if former == "" {
		former = nil
	}
	if err != nil || former == b.Digest() {
		return "", err
	}
	assume := former == nil && b.sync.First == Assume
	if former != nil {
		if agreed.Mapping == "" || agreed.Digest != b.Digest() {
			return HeldMapping, nil
		}
		assume = agreed.Mapping == Assume
	}
	if b.syntax.Versions {
		return "", b.beginVersions(ctx, s, now, assume)
	}
	return "", s.Tx(ctx, func(s tables.Session) error {
		if assume {
			sent := b.table("sent")
			if _, err := tables.Run(ctx, s,
				"delete from "+sent,
				"insert into "+sent+" (\"key\", hash, parts, identifiers, changed_at, run) select "+b.key()+", "+b.hash()+", "+b.parts()+", "+b.identifiers()+", "+b.time(now)+", '' from "+b.model.Relation()+" as m where "+
					b.key()+" in (select "+b.key()+" from "+b.model.Relation()+" as m group by "+b.key()+" having count(*) = 1)",
			); err != nil {
				return err
			}
		}
		_, err := tables.Run(ctx, s, "delete from "+b.shared("syncs")+of,
			fmt.Sprintf("insert into %s (sync, name, digest, changed_at) values (%s, %s, %s, %s)", b.shared("syncs"), b.dialect.Text(string(b.sync.ID)), b.dialect.Text(b.sync.Name), b.dialect.Text(b.Digest()), b.time(now)))
		return err
	})
}

// compare makes the tables of the model's keys and of what differs.
func (b *Book) compare(ctx context.Context, s tables.Session, now time.Time) error {
	ops := map[string]string{
		activation.Upsert: "'insert', 'update'", activation.Update: "'insert', 'update'", activation.Insert: "'insert'", activation.Mirror: "'insert', 'update'", activation.Append: "'insert', 'update'", activation.Snapshot: "'insert'",
	}[b.sync.Mode]
	if b.sync.Removed != activation.Nothing {
		ops += ", 'delete'"
	}
	if b.syntax.Versions {
		return b.compareVersions(ctx, s, now, ops)
	}
	work := b.dialect.Quote(b.work())
	rows := "(select " + b.key() + ` as "key", ` + b.hash() + " as hash from " + b.model.Relation() + " as m) as r"
	grouped := b.dialect.Work(b.work(), `select "key", min(hash) as hash, count(*) as copies from `+rows+` group by "key"`)
	differ := `select coalesce(m.key, s.key) as "key", coalesce(m.hash, '') as hash, s.parts, s.identifiers, case when s.key is null then 'insert' when m.key is null then 'delete' else ` + b.changed() + ` end as op, s.key is null as fresh` +
		` from (select "key", hash, copies from ` + work + ` where "key" is not null) as m full join ` + b.table("sent") + " as s on s.key = m.key" +
		" where coalesce(m.copies, 1) = 1 and (s.key is null or m.key is null or s.hash <> m.hash)"
	if b.syntax.Lookup != "" {
		differ = "select m.key, m.hash, s.parts, s.identifiers, case when s.key is null then 'insert' else " + b.changed() + " end as op from " + work + " as m left join " + b.table("sent") + " as s on s.key = m.key" +
			" where m.key is not null and m.copies = 1 and (s.key is null or s.hash <> m.hash)" +
			" union all select s.key, '', s.parts, s.identifiers, 'delete' from " + b.table("sent") + " as s where not exists (select 1 from " + work + " as m where m.key = s.key)"
	}
	plan := func(differ string) []string {
		return b.anew(b.table("plan"), "select d.key, d.op, d.parts, d.identifiers, coalesce(r.waived or r.due > "+b.time(now)+", false) as waits from "+differ+
			" as d left join "+b.table("rejects")+" as r on r.key = d.key and r.op = d.op and r.hash = d.hash where d.op in ("+ops+")")
	}
	if b.syntax.Lookup == "" {
		each := b.dialect.Work(b.work(), `select "key", hash, cast(1 as bigint) as copies from `+rows)
		once, err := b.once(ctx, s, slices.Concat(each, b.dialect.Work(b.differ(), differ)))
		if err != nil {
			return err
		}
		if once {
			_, err = tables.Run(ctx, s, plan(b.dialect.Quote(b.differ()))...)
			return err
		}
	}
	_, err := tables.Run(ctx, s, append(grouped, plan("("+differ+")")...)...)
	return err
}

// once runs statements that make the tables of work, with a row for each row of the model, and
// of what differs from sent, and reports whether each key stands there once: as sent has each
// key once, as many rows of the model have one in sent as rows of sent one in the model. That
// costs a fifth less than to group all keys, which is done where it reports false, and at first.
func (b *Book) once(ctx context.Context, s tables.Session, statements []string) (bool, error) {
	sent, err := tables.Int(ctx, s, "select count(*) from "+b.table("sent"))
	if err != nil || sent == 0 {
		return false, err
	}
	if _, err := tables.Run(ctx, s, statements...); err != nil {
		return false, err
	}
	differ := b.dialect.Quote(b.differ())
	var of [4]int64
	err = s.Rows(ctx, `select (select count(*) from `+b.dialect.Quote(b.work())+` where "key" is not null), (select count(*) from `+differ+" where op = 'delete'),"+
		" (select count(*) from "+differ+" where fresh), (select count(*) from (select \"key\" from "+differ+" where fresh group by \"key\") as d)", func(v []any) error {
		for i := range of {
			_, _ = fmt.Sscan(fmt.Sprint(v[i]), &of[i])
		}
		return nil
	})
	model, gone, fresh, keys := of[0], of[1], of[2], of[3]
	return model-fresh == sent-gone && fresh == keys, err
}

// count says what compare found.
func (b *Book) count(ctx context.Context, s tables.Session) (p Plan, err error) {
	q := "select (select count(*) from " + b.table("plan") + " where not waits), (select count(*) from " + b.table("plan") + " where not waits and op = 'delete')," +
		" (select count(*) from " + b.current("sent", "hash") + " as s), (select coalesce(sum(copies), 0) from " + b.dialect.Quote(b.work()) + " where \"key\" is null or copies > 1)," +
		" (select count(*) from " + b.table("plan") + " where waits)"
	err = s.Rows(ctx, q, func(v []any) error {
		for i, to := range []*int64{&p.Planned, &p.Removed, &p.Sent, &p.Invalid, &p.Waiting} {
			_, _ = fmt.Sscan(fmt.Sprint(v[i]), to)
		}
		return nil
	})
	return p, err
}

// fetch puts what goes into rows, with the fields of this moment and their hash. Hashes of
// fields cost: a work table has the rows that go alone, as planners would otherwise hash
// all of the model before they leave rows out.
func (b *Book) fetch(ctx context.Context, s tables.Session) error {
	if b.syntax.Versions {
		return b.fetchVersions(ctx, s)
	}
	columns, named, none := "", "", ""
	for i, f := range b.fields {
		columns += fmt.Sprintf(", m.%s as f%d", b.dialect.Quote(b.sync.Mapping[f]), i)
		named += fmt.Sprintf(", m.f%d", i)
		none += ", null"
	}
	found := b.hash() + " as hash, " + b.parts() + " as parts, " + b.identifiers() + " as identifiers"
	var statements []string
	var query string
	if b.syntax.Lookup != "" {
		query = "select row_number() over () as n, r.* from (select p.op, p.key, " + found + ", coalesce(p.parts, '') as former" + columns +
			" from " + b.model.Relation() + " as m " + b.syntax.Lookup + " " + b.table("plan") + " as p on p.key = " + b.key() + " where not p.waits and p.op <> 'delete'" +
			" union all select p.op, p.key, '', '', p.identifiers, ''" + none + " from " + b.table("plan") + " as p where not p.waits and p.op = 'delete') as r"
	} else {
		var chosen []string
		for _, c := range b.columns() {
			chosen = append(chosen, "m."+b.dialect.Quote(c))
		}
		statements = b.dialect.Work(b.going(), "select "+strings.Join(chosen, ", ")+" from "+b.model.Relation()+" as m where "+b.key()+` in (select "key" from `+b.table("plan")+" where not waits and op <> 'delete')")
		query = "select row_number() over () as n, p.op, p.key, coalesce(m.hash, '') as hash, coalesce(m.parts, '') as parts," +
			" coalesce(m.identifiers, p.identifiers) as identifiers, coalesce(p.parts, '') as former" + named +
			" from " + b.table("plan") + " as p left join (select " + b.key() + ` as "key", ` + found + columns +
			" from " + b.dialect.Quote(b.going()) + " as m) as m on m.key = p.key where not p.waits and (p.op = 'delete' or m.key is not null)"
	}
	statements = append(statements, b.anew(b.table("rows"), query)...)
	statements = append(statements, b.dialect.Index(b.name("rows")+"_n", b.table("rows"), false, "n")...)
	_, err := tables.Run(ctx, s, statements...)
	return err
}

// columns are the columns of the model that a sync needs, sorted.
func (b *Book) columns() []string {
	all := []string{b.model.Column}
	for _, from := range []map[string]string{b.sync.Identifiers, b.sync.Mapping} {
		all = slices.AppendSeq(all, maps.Values(from))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Row is one row to send.
type Row struct {
	N           int64
	Op          string // insert, update or delete
	Key, Hash   string
	Identifiers map[string]string
	Fields      map[string]any // nil of a row that was removed
	Changed     []string       // fields, of an update
}

// pageBytes is how much of rows is returned at once, about.
const pageBytes = 8 << 20

// errFull ends a page that is large.
var errFull = errors.New("full")

// Rows returns up to most rows behind after, fewer when they are large; none when there
// are no more.
func (b *Book) Rows(ctx context.Context, s tables.Session, after int64, most int) (rows []Row, err error) {
	columns := ""
	for i := range b.fields {
		columns += fmt.Sprintf(", f%d", i)
	}
	q := fmt.Sprintf("select n, op, \"key\", hash, parts, identifiers, former%s from %s where n > %d order by n limit %d", columns, b.table("rows"), after, most)
	bytes := 0
	err = s.Rows(ctx, q, func(v []any) error {
		r := Row{Op: fmt.Sprint(v[1]), Key: fmt.Sprint(v[2]), Hash: fmt.Sprint(v[3]), Identifiers: Identifiers(fmt.Sprint(v[5]))}
		if _, err := fmt.Sscan(fmt.Sprint(v[0]), &r.N); err != nil {
			return fmt.Errorf("the number of a row: %w", err)
		}
		if r.Op != "delete" {
			r.Fields = make(map[string]any, len(b.fields))
			parts, former := fmt.Sprint(v[4]), fmt.Sprint(v[6])
			for i, f := range b.fields {
				r.Fields[f] = v[7+i]
				if r.Op == "update" && part(parts, i) != part(former, i) {
					r.Changed = append(r.Changed, f)
				}
			}
		}
		for _, value := range v {
			if text, ok := value.(string); ok {
				bytes += len(text)
			}
		}
		if rows = append(rows, r); bytes > pageBytes {
			return errFull
		}
		return nil
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return rows, err
}

// part is the short hash of field i.
func part(parts string, i int) string {
	if len(parts) < (i+1)*partLength {
		return ""
	}
	return parts[i*partLength : (i+1)*partLength]
}

// Identifiers reads what identifiers has written.
func Identifiers(text string) map[string]string {
	all := map[string]string{}
	for _, pair := range strings.Split(text, "\x1f") {
		if name, value, ok := strings.Cut(pair, "\x1e"); ok {
			all[name] = value
		}
	}
	return all
}

// ID is the sync's.
func (b *Book) ID() id.Sync { return b.sync.ID }

// Sync is the sync, with its defaults.
func (b *Book) Sync() activation.Sync { return b.sync }

// Fields are the fields of the mapping, sorted.
func (b *Book) Fields() []string { return b.fields }

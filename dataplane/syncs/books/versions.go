package books

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/tables"
)

// What a book does where there are no transactions and its tables take rows only, as in
// ClickHouse: each row of sent and rejects has a version, the microsecond in which it was
// written, and counts until one of its key has a greater one; a row that is gone is one
// more. A statement is repeated, or followed by others, without harm: it adds the same
// again. What a run has planned, it drops and makes anew.

// rejected are the columns of rejects beside its key.
var rejected = []string{"op", "hash", "code", "tries", "due", "waived", "changed_at", "identifiers"}

// current is the rows of a table that count, in brackets where it is a query, with its key
// and some columns.
func (b *Book) current(kind string, columns ...string) string {
	if !b.syntax.Versions {
		return b.table(kind)
	}
	outer, inner := "", ""
	for i, c := range columns {
		outer += fmt.Sprintf(", c%d as %s", i, c)
		inner += fmt.Sprintf(", argMax(%s, version) as c%d", c, i)
	}
	return `(select "key"` + outer + ` from (select "key"` + inner + " from " + b.table(kind) + ` group by "key" having argMax(gone, version) = 0))`
}

func version(now time.Time) string { return fmt.Sprint(now.UnixMicro()) }

// bury is the statement after which the rows of a table for which where holds do not count.
func (b *Book) bury(kind string, now time.Time, where string) string {
	return "insert into " + b.table(kind) + ` ("key", version, gone) select "key", ` + version(now) + ", 1 from " + b.current(kind) + where
}

// beginVersions notes what rows are made of, after those that are taken as sent are written.
func (b *Book) beginVersions(ctx context.Context, s tables.Session, now time.Time, assume bool) error {
	var q []string
	if assume {
		one := "(select weir_key from (select " + b.key() + " as weir_key from " + b.model.Relation() + " as m) group by weir_key having count(*) = 1)"
		q = append(q, b.bury("sent", now, ""),
			"insert into "+b.table("sent")+` ("key", hash, parts, identifiers, changed_at, run, version, gone) select `+b.key()+", "+b.hash()+", "+b.parts()+", "+b.identifiers()+", "+b.time(now)+", '', "+
				version(now.Add(time.Microsecond))+", 0 from "+b.model.Relation()+" as m where "+b.key()+" in "+one)
	}
	q = append(q, fmt.Sprintf("insert into %s (sync, name, digest, changed_at, version) values (%s, %s, %s, %s, %s)",
		b.shared("syncs"), b.dialect.Text(string(b.sync.ID)), b.dialect.Text(b.sync.Name), b.dialect.Text(b.Digest()), b.time(now), version(now)))
	_, err := tables.Run(ctx, s, q...)
	return err
}

// compareVersions makes the tables of the model's keys and of what differs. Names of
// columns of the model and those of the book do not meet in one query: a name may stand for
// what is selected as it.
func (b *Book) compareVersions(ctx context.Context, s tables.Session, now time.Time, ops string) error {
	statements := b.dialect.Work(b.work(), `select weir_key as "key", min(weir_hash) as hash, count(*) as copies from (select `+b.key()+" as weir_key, "+b.hash()+" as weir_hash from "+b.model.Relation()+" as m) group by weir_key")
	have := `select coalesce(weir_key, '') as "key", h as mh, c as n, 1 as inm, 0 as ins, '' as sh, '' as sp, '' as si from (select "key" as weir_key, hash as h, toInt64(copies) as c from ` + b.dialect.Quote(b.work()) + ` where "key" is not null)`
	sent := `select "key", '' as mh, toInt64(0) as n, 0 as inm, 1 as ins, hash as sh, parts as sp, identifiers as si from ` + b.current("sent", "hash", "parts", "identifiers")
	differ := `select "key", max(mh) as hash, max(sp) as parts, max(si) as identifiers, case when max(ins) = 0 then 'insert' when max(inm) = 0 then 'delete' else ` + b.changed() + ` end as op from (` + have + " union all " + sent +
		`) group by "key" having max(n) <= 1 and (max(ins) = 0 or max(inm) = 0 or max(mh) <> max(sh))`
	statements = append(statements, b.anew(b.table("plan"), `select "key", op, parts, identifiers, waived = 1 or due > `+b.time(now)+" as waits from ("+differ+") any left join "+b.current("rejects", "op", "hash", "due", "waived")+
		` using ("key", op, hash) where op in (`+ops+")")...)
	_, err := tables.Run(ctx, s, statements...)
	return err
}

// fetchVersions puts what goes into rows, first what has fields and then what is removed.
func (b *Book) fetchVersions(ctx context.Context, s tables.Session) error {
	columns, named := "", ""
	for i, f := range b.fields {
		columns += fmt.Sprintf(", m.%s as weir_f%d", b.dialect.Quote(b.sync.Mapping[f]), i)
		named += fmt.Sprintf(", weir_f%d as f%d", i, i)
	}
	rows, plan := b.table("rows"), b.table("plan")
	query := `select rowNumberInAllBlocks() + 1 as n, weir_op as op, weir_key as "key", weir_hash as hash, weir_parts as parts, weir_identifiers as identifiers, weir_former as former` + named +
		" from (select * from (select coalesce(" + b.key() + ", '') as weir_key, " + b.hash() + " as weir_hash, " + b.parts() + " as weir_parts, " + b.identifiers() + " as weir_identifiers" + columns +
		" from " + b.model.Relation() + " as m where " + b.key() + ` in (select "key" from ` + plan + " where not waits and op <> 'delete'))" +
		` any inner join (select "key" as weir_key, op as weir_op, parts as weir_former from ` + plan + ") using (weir_key) order by weir_key)"
	if _, err := tables.Run(ctx, s, b.anew(rows, query)...); err != nil {
		return err
	}
	n, err := tables.Int(ctx, s, "select count(*) from "+rows)
	if err == nil {
		_, err = s.Exec(ctx, fmt.Sprintf(`insert into %s (n, op, "key", identifiers) select rowNumberInAllBlocks() + %d, op, "key", identifiers from (select op, "key", identifiers from %s where not waits and op = 'delete' order by "key")`, rows, n+1, plan))
	}
	return err
}

func (b *Book) acceptVersions(ctx context.Context, s tables.Session, run string, now time.Time, those string) error {
	rows := b.table("rows")
	_, err := tables.Run(ctx, s,
		"insert into "+b.table("sent")+` ("key", hash, parts, identifiers, changed_at, run, version, gone) select x.key, x.hash, x.parts, x.identifiers, `+b.time(now)+", "+b.dialect.Text(run)+", "+version(now)+", x.op = 'delete' from "+rows+" as x where "+those,
		b.bury("rejects", now, ` where "key" in (select x.key from `+rows+" as x where "+those+")"))
	return err
}

// settleSetVersions is SettleSet. What a death between the statements leaves is made right by
// the next run, which finds a difference and writes another set.
func (b *Book) settleSetVersions(ctx context.Context, s tables.Session, run string, began, now time.Time) error {
	rejects := b.current("rejects", "changed_at")
	taken := ` x.key not in (select "key" from ` + rejects + " where changed_at >= " + b.time(began) + ")"
	_, err := tables.Run(ctx, s,
		"insert into "+b.table("sent")+` ("key", hash, parts, identifiers, changed_at, run, version, gone) select x.key, x.hash, x.parts, x.identifiers, `+b.time(now)+", "+b.dialect.Text(run)+", "+version(now)+", 0 from "+b.table("rows")+" as x where"+taken,
		b.bury("sent", now, ` where "key" not in (select x.key from `+b.table("rows")+" as x where"+taken+")"),
		"insert into "+b.table("rejects")+` ("key", version, gone) select "key", `+version(now)+", 1 from "+rejects+" where changed_at < "+b.time(began))
	return err
}

func (b *Book) rejectVersions(ctx context.Context, s tables.Session, now time.Time, code, those string) error {
	at := b.time(now)
	tried := "(select x.key as \"key\", x.op as op, x.hash as hash, x.identifiers as identifiers from " + b.table("rows") + " as x where " + those + ")"
	former := `(select "key", op, hash, tries as was, changed_at as since from ` + b.current("rejects", "op", "hash", "tries", "changed_at") + ")"
	_, err := s.Exec(ctx, "insert into "+b.table("rejects")+` ("key", op, hash, code, tries, due, waived, changed_at, identifiers, version, gone) select "key", op, hash, `+b.dialect.Text(code)+", now_tries, "+b.due("now_tries", now)+", 0, "+at+", identifiers, "+version(now)+
		`, 0 from (select "key", op, hash, identifiers, was + (since <> `+at+") as now_tries from "+tried+" any left join "+former+` using ("key", op, hash))`)
	return err
}

func (b *Book) endVersions(ctx context.Context, s tables.Session, r Run) error {
	runs := b.shared("runs")
	old := " where sync = " + b.dialect.Text(string(b.sync.ID)) + " and began < " + b.time(r.Ended.Add(-keptRuns))
	_, err := tables.Run(ctx, s, fmt.Sprintf("insert into %s (run, sync, began, ended, state, code, planned, accepted, rejected, invalid, removed, version) values (%s, %s, %s, %s, %s, %s, %d, %d, %d, %d, %d, %s)",
		runs, b.dialect.Text(r.ID), b.dialect.Text(string(b.sync.ID)), b.time(r.Began), b.time(r.Ended), b.dialect.Text(r.State), b.dialect.Text(r.Code), r.Planned, r.Accepted, r.Rejected, r.Invalid, r.Removed, version(r.Ended)),
		"drop table if exists "+b.table("rows"))
	if err != nil {
		return err
	}
	n, err := tables.Int(ctx, s, "select count(*) from "+runs+old)
	if err == nil && n > 0 {
		_, err = s.Exec(ctx, "alter table "+runs+" delete"+old)
	}
	return err
}

func (b *Book) againVersions(ctx context.Context, s tables.Session, now time.Time, where string, waive bool) (int64, error) {
	of := b.current("rejects", rejected...) + " as r" + where
	n, err := tables.Int(ctx, s, "select count(*) from "+of)
	if err != nil || n == 0 {
		return 0, err
	}
	due, waived := b.time(now.Add(-time.Second)), "0"
	if waive {
		due, waived = "due", "1"
	}
	_, err = s.Exec(ctx, "insert into "+b.table("rejects")+` ("key", op, hash, code, tries, due, waived, changed_at, identifiers, version, gone) select "key", op, hash, code, tries, `+due+", "+waived+", changed_at, identifiers, "+version(now)+", 0 from "+of)
	return n, err
}

// moment is a moment that a session gives as one, or as the text of its literal.
func moment(v any) time.Time {
	at, _ := v.(time.Time)
	if s, ok := v.(string); ok {
		at, _ = time.Parse("2006-01-02 15:04:05.000000", strings.TrimSpace(s)) // the book wrote it
	}
	return at
}

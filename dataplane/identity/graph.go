// Package identity stitches identifiers into persons, accounts and households, in the
// customer's warehouse: rows in which identifiers stand together are links, and what
// links join is one.
//
// A node is an identifier as number * 32 + type. Numbers go up with first sight and are
// never used again, so the least node of a set is its oldest. Evidence is idempotent:
// links have a first and a last sight and no counts, so rows may be read twice. A run
// recomputes the hulls (sets of nodes that links join, before unique identifiers divide
// them) that a changed link touches, from all links that count: adding and removing are
// alike. What a run brought in has its number as a mark until the run is published, so a
// death forgets nothing. Persons are claimed by sets and not derived from them: a set
// that comes apart gets its former persons back, and a rebuild renames nobody.
//
// Every step may be repeated. Publishing is one transaction.
package identity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/tables"
)

// Types of nodes. The last one is for persons who have no node of their own.
const (
	typeBits = 5
	maxTypes = 1<<typeBits - 1
)

// Type is one type of identifier of an entity.
type Type struct {
	Name   string
	Clean  func(text string) string   // makes the expression of the cleaned text of one; nil: trimmed
	Blocks []func(text string) string // make conditions over the cleaned text; a value for which one is true is none
	Limits map[string]int             // how many identifiers of another type one may be linked with before it is set apart
	Unique bool                       // two of them are never one person
	Alive  string                     // a query of the values that there are; others are in nobody. Empty: all
	Expire time.Duration              // a link that was not seen again for so long does not count; 0: for ever
}

// Input is rows with identifiers.
type Input struct {
	Name    string
	From    string            // a relation
	At      string            // the expression of when it was
	Changed string            // the expression of when the row came or changed; empty: all rows are read each time
	IDs     map[string]string // the expression of an identifier by the name of its type
	// What tells people of a row, as expressions of texts and, Received, of a moment.
	Row, Event, Table, Received string
}

// Gate is what a run may change before it is held. Zero values forbid nothing.
type Gate struct {
	Largest     int64   // nodes of one person
	Moved, Gone float64 // shares, of nodes that change their person and of persons who are no more
	// Precision and Recall are what a run has to have of reviewed pairs, when what is published is better.
	Precision, Recall float64
}

// Graph is the identity of one entity in a schema.
type Graph struct {
	Entity string
	Types  []Type // strongest first
	Inputs []Input
	Gate   Gate
	SQL    tables.Dialect
	// Overlap is how far a cursor steps back: rows may appear late behind it.
	Overlap time.Duration

	numbers map[string]int // of types, by name; see Prepare
}

// hops is how many links away from its unique identifier a node may be.
const hops = 32

// t is an own table of the entity, quoted.
func (g *Graph) t(name string) string { return g.SQL.Quote("_" + g.Entity + "_" + name) }

// Table is a table that people may read, quoted: ids, history, ledger, apart or rules.
func (g *Graph) Table(name string) string { return g.SQL.Quote(g.Entity + "_" + name) }

// id is the expression of the public identifier of a person.
func (g *Graph) id(person string) string {
	return fmt.Sprintf("(%s || cast((%s) >> %d as varchar))", g.SQL.Text(g.Entity+"_"), person, typeBits)
}

// run runs statements until one fails.
type run struct {
	ctx context.Context
	s   tables.Session
	d   tables.Dialect
	err error
}

func (r *run) exec(format string, args ...any) (rows int64) {
	if r.err != nil {
		return 0
	}
	q := format
	if len(args) > 0 {
		q = fmt.Sprintf(format, args...)
	}
	if rows, r.err = r.s.Exec(r.ctx, q); r.err != nil {
		r.err = fmt.Errorf("%w\nin %s", r.err, brief(q))
	}
	return rows
}

// brief is the begin of a statement, for errors that stay in the plane.
func brief(q string) string {
	q = strings.Join(strings.Fields(q), " ")
	return q[:min(len(q), 400)]
}

// make makes a work table.
func (r *run) make(name, format string, args ...any) {
	q := format
	if len(args) > 0 {
		q = fmt.Sprintf(format, args...)
	}
	for _, statement := range r.d.Work(name, q) {
		r.exec("%s", statement)
	}
}

func (r *run) analyze(table string) {
	for _, statement := range r.d.Analyze(table) {
		r.exec("%s", statement)
	}
}

func (r *run) drop(names ...string) {
	for _, n := range names {
		r.exec("drop table if exists %s", n)
	}
}

// int is the whole number that a query gives.
func (r *run) int(format string, args ...any) (n int64) {
	if r.err != nil {
		return 0
	}
	q := fmt.Sprintf(format, args...)
	if n, r.err = tables.Int(r.ctx, r.s, q); r.err != nil {
		r.err = fmt.Errorf("%w\nin %s", r.err, brief(q))
	}
	return n
}

func (g *Graph) run(ctx context.Context, s tables.Session) *run {
	return &run{ctx: ctx, s: s, d: g.SQL}
}

// Prepare makes the tables that are not there, and gives types their numbers, which
// they keep whatever becomes of the configuration.
func (g *Graph) Prepare(ctx context.Context, s tables.Session) error {
	r := g.run(ctx, s)
	r.exec("create table if not exists _types (entity text, name text, number bigint)")
	r.exec("create table if not exists _entities (entity text, next bigint, published bigint, as_of timestamptz)")
	r.exec("create table if not exists _cursors (entity text, input text, upto timestamptz)")
	for name, columns := range map[string]string{
		"nodes": "node bigint, type bigint, value text, first_seen timestamptz, last_seen timestamptz, run bigint",
		"links": "a bigint, b bigint, first_seen timestamptz, last_seen timestamptz, known timestamptz, run bigint",
		"graph": "node bigint, hull bigint, person bigint",
		"apart": "node bigint, why text",
		"ruled": "kind text, a text, b text",
		"held":  "at_time timestamptz, what text",
		"past":  "node bigint, person bigint, from_run bigint, to_run bigint",
	} {
		r.exec("create table if not exists %s (%s)", g.t(name), columns)
	}
	r.exec("create table if not exists %s (kind text, a text, b text, by_whom text, at_time timestamptz)", g.Table("rules"))
	r.exec("create table if not exists %s (run bigint, kind text, weir_id text, other text, ids bigint)", g.Table("ledger"))
	for table, columns := range map[string][]string{"nodes": {"type", "value"}, "graph": {"node"}} {
		for _, q := range g.SQL.Index("_"+g.Entity+"_"+table+"_key", g.t(table), true, columns...) {
			r.exec("%s", q)
		}
	}
	for _, index := range [][2]string{{"links", "a"}, {"links", "b"}, {"graph", "hull"}, {"graph", "person"}, {"past", "node"}} {
		for _, q := range g.SQL.Index("_"+g.Entity+"_"+index[0]+"_"+index[1], g.t(index[0]), false, index[1]) {
			r.exec("%s", q)
		}
	}
	r.exec("insert into _entities select %[1]s, 0, 0, null where not exists (select 1 from _entities where entity = %[1]s)", g.SQL.Text(g.Entity))
	if r.err != nil {
		return r.err
	}
	if err := g.number(ctx, s); err != nil {
		return err
	}
	return g.views(ctx, s)
}

// number reads the numbers of types, and gives new ones theirs.
func (g *Graph) number(ctx context.Context, s tables.Session) error {
	g.numbers = map[string]int{}
	next := 0
	err := s.Rows(ctx, "select name, number from _types where entity = "+g.SQL.Text(g.Entity), func(v []any) error {
		n, _ := v[1].(int64) // the column is one of numbers
		g.numbers[fmt.Sprint(v[0])] = int(n)
		next = max(next, int(n)+1)
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range g.Types {
		if _, known := g.numbers[t.Name]; known {
			continue
		}
		if next >= maxTypes {
			return fmt.Errorf("entity %s has had %d types of identifiers, and can have no more", g.Entity, maxTypes)
		}
		if _, err := s.Exec(ctx, fmt.Sprintf("insert into _types values (%s, %s, %d)", g.SQL.Text(g.Entity), g.SQL.Text(t.Name), next)); err != nil {
			return err
		}
		g.numbers[t.Name] = next
		next++
	}
	return nil
}

// typeName is the expression of the name of a node's type.
func (g *Graph) typeName(node string) string {
	q := "case (" + node + ") % 32"
	for name, n := range g.numbers {
		q += fmt.Sprintf(" when %d then %s", n, g.SQL.Text(name))
	}
	return q + " end"
}

// views makes what people read of nodes.
func (g *Graph) views(ctx context.Context, s tables.Session) error {
	_, err := tables.Run(ctx, s,
		fmt.Sprintf("create or replace view %s as select %s as id_type, n.value as value, %s as weir_id, n.first_seen as first_seen, n.last_seen as last_seen from %s n left join %s g on g.node = n.node",
			g.Table("ids"), g.typeName("n.node"), g.id("g.person"), g.t("nodes"), g.t("graph")),
		fmt.Sprintf("create or replace view %s as select %s as id_type, n.value as value, %s as weir_id, p.from_run as from_run, p.to_run as to_run from %s p join %s n on n.node = p.node",
			g.Table("history"), g.typeName("n.node"), g.id("p.person"), g.t("past"), g.t("nodes")),
		fmt.Sprintf("create or replace view %s as select %s as id_type, n.value as value, a.why as why from %s a join %s n on n.node = a.node",
			g.Table("apart"), g.typeName("n.node"), g.t("apart"), g.t("nodes")))
	return err
}

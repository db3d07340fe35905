package books

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/dataplane/tables"
)

// Settled is what became of rows, by their numbers.
type Settled struct {
	Accepted []int64
	Rejected map[string][]int64 // by code
}

// Len is how many rows are settled.
func (s *Settled) Len() int {
	n := len(s.Accepted)
	for _, of := range s.Rejected {
		n += len(of)
	}
	return n
}

// Reject adds a row that was rejected.
func (s *Settled) Reject(code string, n int64) {
	if s.Rejected == nil {
		s.Rejected = map[string][]int64{}
	}
	s.Rejected[code] = append(s.Rejected[code], n)
}

// Settle writes what became of rows. It may be repeated.
func (b *Book) Settle(ctx context.Context, s tables.Session, run string, now time.Time, of Settled) error {
	return b.lasting(ctx, s, func(s tables.Session) error {
		if len(of.Accepted) > 0 {
			if err := b.accept(ctx, s, run, now, of.Accepted); err != nil {
				return err
			}
		}
		for _, code := range slices.Sorted(maps.Keys(of.Rejected)) {
			if err := b.reject(ctx, s, now, code, of.Rejected[code]); err != nil {
				return err
			}
		}
		return nil
	})
}

// SettleSet writes that the rows of a run are all that the destination has, but for those
// that were rejected since the run began. It may be repeated.
func (b *Book) SettleSet(ctx context.Context, s tables.Session, run string, began, now time.Time) error {
	if b.syntax.Versions {
		return b.settleSetVersions(ctx, s, run, began, now)
	}
	return s.Tx(ctx, func(s tables.Session) error {
		sent, rejects := b.table("sent"), b.table("rejects")
		_, err := tables.Run(ctx, s, "delete from "+sent, "delete from "+rejects+" where changed_at < "+b.time(began),
			"insert into "+sent+` ("key", hash, parts, identifiers, changed_at, run) select x.key, x.hash, x.parts, x.identifiers, `+b.time(now)+", "+b.dialect.Text(run)+" from "+b.table("rows")+
				" as x where not exists (select 1 from "+rejects+" as r where r.key = x.key)")
		return err
	})
}

// drop deletes the rows of a table whose keys are those of rows that differ from them.
func (b *Book) drop(table, those, differ string) string {
	rows := b.table("rows")
	if b.syntax.Lookup != "" {
		if differ != "" {
			differ = " and not (" + differ + ")"
		}
		return "delete t from " + rows + " as x " + b.syntax.Lookup + " " + table + " as t on t.key = x.key where " + those + differ
	}
	q := "delete from " + table + ` as t where t.key in (select x.key from ` + rows + " as x where " + those + ")"
	if differ != "" {
		q += " and not exists (select 1 from " + rows + " as x where x.key = t.key and " + differ + ")"
	}
	return q
}

func (b *Book) accept(ctx context.Context, s tables.Session, run string, now time.Time, ns []int64) error {
	rows, sent, those := b.table("rows"), b.table("sent"), among(ns)
	if b.syntax.Versions {
		return b.acceptVersions(ctx, s, run, now, those)
	}
	_, err := tables.Run(ctx, s, b.drop(b.table("rejects"), those, ""), b.drop(sent, those, ""),
		"insert into "+sent+` ("key", hash, parts, identifiers, changed_at, run) select x.key, x.hash, x.parts, x.identifiers, `+b.time(now)+", "+b.dialect.Text(run)+" from "+rows+" as x where x.op <> 'delete' and "+those)
	return err
}

// firstDue is when a rejected row is tried again; each further try doubles it.
const (
	firstDue = 10 * time.Minute
	lastDue  = 7 // doublings
)

// due is when a row is tried again after so many tries.
func (b *Book) due(tries string, now time.Time) string {
	var due strings.Builder
	due.WriteString("case " + tries)
	for i := range lastDue {
		fmt.Fprintf(&due, " when %d then %s", i+1, b.time(now.Add(firstDue<<i)))
	}
	due.WriteString(" else " + b.time(now.Add(firstDue<<lastDue)) + " end")
	return due.String()
}

func (b *Book) reject(ctx context.Context, s tables.Session, now time.Time, code string, ns []int64) error {
	rows, rejects, those, at := b.table("rows"), b.table("rejects"), among(ns), b.time(now)
	if b.syntax.Versions {
		return b.rejectVersions(ctx, s, now, code, those)
	}
	same := "x.op = t.op and x.hash = t.hash"
	again := "update " + rejects + " as t set tries = t.tries + 1, code = " + b.dialect.Text(code) + ", changed_at = " + at + " where t.changed_at <> " + at +
		" and exists (select 1 from " + rows + " as x where x.key = t.key and " + same + " and x.n in (select x.n from " + rows + " as x where " + those + "))"
	if b.syntax.Lookup != "" {
		again = "update " + rows + " as x " + b.syntax.Lookup + " " + rejects + " as t on t.key = x.key and " + same + " set t.tries = t.tries + 1, t.code = " + b.dialect.Text(code) + ", t.changed_at = " + at +
			" where t.changed_at <> " + at + " and " + those
	}
	_, err := tables.Run(ctx, s, b.drop(rejects, those, same), again,
		"insert into "+rejects+` ("key", op, hash, code, tries, due, waived, changed_at, identifiers) select x.key, x.op, x.hash, `+b.dialect.Text(code)+", 1, "+at+", false, "+at+", x.identifiers from "+rows+" as x where "+those+
			" and not exists (select 1 from "+rejects+" as r where r.key = x.key)",
		"update "+rejects+" set due = "+b.due("tries", now)+" where changed_at = "+at)
	return err
}

// among is the condition that x.n is one of ns, as ranges.
func among(ns []int64) string {
	sorted := slices.Sorted(slices.Values(ns))
	var ranges, single []string
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && sorted[j+1] <= sorted[j]+1 {
			j++
		}
		if i == j {
			single = append(single, fmt.Sprint(sorted[i]))
		} else {
			ranges = append(ranges, fmt.Sprintf("x.n between %d and %d", sorted[i], sorted[j]))
		}
		i = j + 1
	}
	if len(single) > 0 {
		ranges = append(ranges, "x.n in ("+strings.Join(single, ", ")+")")
	}
	if len(ranges) == 0 {
		return "false"
	}
	return "(" + strings.Join(ranges, " or ") + ")"
}

// Run is the books of one run.
type Run struct {
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Code     string    `json:"code"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"` // zero while it runs
	Planned  int64     `json:"planned"`
	Accepted int64     `json:"accepted"`
	Rejected int64     `json:"rejected"`
	Invalid  int64     `json:"invalid"`
	Removed  int64     `json:"removed"` // of Planned
	Waiting  int64     `json:"waiting"` // rejected rows that are not due
}

// keptRuns is for how long the books of runs are kept.
const keptRuns = 90 * 24 * time.Hour

// End writes the books of a run that ended, and drops its rows.
func (b *Book) End(ctx context.Context, s tables.Session, r Run) error {
	of := b.dialect.Text(string(b.sync.ID))
	if b.syntax.Versions {
		return b.endVersions(ctx, s, r)
	}
	err := s.Tx(ctx, func(s tables.Session) error {
		_, err := tables.Run(ctx, s,
			"delete from "+b.shared("runs")+" where run = "+b.dialect.Text(r.ID)+" or sync = "+of+" and began < "+b.time(r.Ended.Add(-keptRuns)),
			fmt.Sprintf("insert into %s (run, sync, began, ended, state, code, planned, accepted, rejected, invalid, removed) values (%s, %s, %s, %s, %s, %s, %d, %d, %d, %d, %d)",
				b.shared("runs"), b.dialect.Text(r.ID), of, b.time(r.Began), b.time(r.Ended), b.dialect.Text(r.State), b.dialect.Text(r.Code), r.Planned, r.Accepted, r.Rejected, r.Invalid, r.Removed))
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.Exec(ctx, "drop table if exists "+b.table("rows")) // the next plan does it otherwise
	return err
}

// Reject is a row that the destination does not take.
type Reject struct {
	Key         string            `json:"key"`
	Identifiers map[string]string `json:"identifiers,omitempty"`
	Op          string            `json:"op"`
	Code        string            `json:"code"`
	Tries       int64             `json:"tries"`
	Due         time.Time         `json:"due"`
	Waived      bool              `json:"waived"`
	At          time.Time         `json:"at"`
}

// Rejects lists rejected rows, the newest first.
func (b *Book) Rejects(ctx context.Context, s tables.Session, most int) (all []Reject, err error) {
	if err := b.prepare(ctx, s); err != nil {
		return nil, err
	}
	q := fmt.Sprintf("select \"key\", op, code, tries, due, waived, changed_at, identifiers from %s as r order by changed_at desc, \"key\" limit %d", b.current("rejects", rejected...), most)
	err = s.Rows(ctx, q, func(v []any) error {
		r := Reject{Key: fmt.Sprint(v[0]), Op: fmt.Sprint(v[1]), Code: fmt.Sprint(v[2]), Identifiers: Identifiers(fmt.Sprint(v[7]))}
		r.Tries, _ = v[3].(int64)
		r.Due, r.At = moment(v[4]), moment(v[6])
		r.Waived = v[5] == true || v[5] == int64(1)
		all = append(all, r)
		return nil
	})
	return all, err
}

// Again makes rejected rows due, or with waive not to be tried until they change; code
// chooses some, "" all. It returns how many.
func (b *Book) Again(ctx context.Context, s tables.Session, now time.Time, code string, waive bool) (int64, error) {
	if err := b.prepare(ctx, s); err != nil {
		return 0, err
	}
	change := "waived = false, due = " + b.time(now.Add(-time.Second))
	if waive {
		change = "waived = true"
	}
	where := ""
	if code != "" {
		where = " where code = " + b.dialect.Text(code)
	}
	if b.syntax.Versions {
		return b.againVersions(ctx, s, now, where, waive)
	}
	return s.Exec(ctx, "update "+b.table("rejects")+" set "+change+where)
}

// Sample returns some rows of the model as they would be sent, without a plan.
func (b *Book) Sample(ctx context.Context, s tables.Session, most int) (rows []Row, err error) {
	columns := ""
	for _, f := range b.fields {
		columns += ", m." + b.dialect.Quote(b.sync.Mapping[f])
	}
	q := fmt.Sprintf("select %s, %s, %s%s from %s as m limit %d", b.key(), b.hash(), b.identifiers(), columns, b.model.Relation(), most)
	err = s.Rows(ctx, q, func(v []any) error {
		r := Row{N: int64(len(rows) + 1), Op: "insert", Hash: fmt.Sprint(v[1]), Identifiers: Identifiers(fmt.Sprint(v[2])), Fields: map[string]any{}}
		if v[0] != nil {
			r.Key = fmt.Sprint(v[0])
		}
		for i, f := range b.fields {
			r.Fields[f] = v[3+i]
		}
		rows = append(rows, r)
		return nil
	})
	return rows, err
}

// Package answers says why identifiers belong together and what is known of one person, and
// keeps what people decide about identifiers. It reads the tables of profiles in the
// customer's warehouse, whose rows are for who asked and go nowhere else.
package answers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile"
	"weir/dataplane/tables"
	"weir/shared/fault"
)

// Kinds of decisions about identifiers, but for what people say of pairs that they review.
var kinds = []string{"block", "link", "unlink"}

// reviews reports whether a decision is a review of a pair, which joins and parts nobody.
func (d Decision) reviews() bool { return d.Kind == identity.Same || d.Kind == identity.Different }

// Decision is what somebody decided of identifiers, each as type:value. b is empty for a
// block.
type Decision struct {
	Kind string `json:"kind"`
	A    string `json:"a"`
	B    string `json:"b,omitempty"`
	Undo bool   `json:"undo,omitempty"` // take the decision back
	By   string `json:"-"`
}

// decided is the graph of an entity for whoever keeps decisions: where its tables are there, it is no more than their names, as
// looking at every input and making what may lack takes longer than the decision.
func decided(ctx context.Context, s tables.Session, c profile.Config, entity string) (*identity.Graph, error) {
	g := &identity.Graph{Entity: entity, SQL: c.SQL}
	if entity == "" {
		g.Entity = c.Plan.Entities[0].Name
	}
	n, err := tables.Int(ctx, s, fmt.Sprintf("select count(*) from information_schema.tables where table_schema = %s and table_name in (%s, %s)",
		c.SQL.Text(profile.Schema), c.SQL.Text(g.Entity+"_ids"), c.SQL.Text(g.Entity+"_rules")))
	if err != nil || n == 2 {
		return g, err
	}
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return nil, err
	}
	g = p.Graph(entity)
	return g, g.Prepare(ctx, s)
}

// Decide keeps a decision, or takes it back. It counts from the next run on. fault.Invalid:
// it is none. fault.Missing: there is no such identifier.
func Decide(ctx context.Context, s tables.Session, c profile.Config, entity string, d Decision, now time.Time) error {
	g, err := decided(ctx, s, c, entity)
	if err != nil {
		return err
	}
	ends := []string{d.A, d.B}
	if d.Kind == "block" {
		ends = ends[:1]
	} else if d.Kind != "link" && d.Kind != "unlink" && !d.reviews() {
		return fault.New(fault.Invalid, "A decision is one of %s, %s and %s.", strings.Join(kinds, ", "), identity.Same, identity.Different)
	} else if d.reviews() && d.A == d.B {
		return fault.New(fault.Invalid, "A pair to review is of two identifiers; a and b are the same.")
	}
	for _, end := range ends {
		typ, value, ok := strings.Cut(end, ":")
		if !ok {
			return fault.New(fault.Invalid, "Give identifiers as type:value, such as email:ann@example.org.")
		}
		n, err := tables.Int(ctx, s, fmt.Sprintf("select count(*) from %s where id_type = %s and value = %s", g.Table("ids"), c.SQL.Text(typ), c.SQL.Text(value)))
		if err != nil {
			return err
		}
		if n == 0 && !d.Undo {
			return fault.New(fault.Missing, "No identifier of the type %s has this value, as it is written when it is cleaned.", typ)
		}
	}
	if d.reviews() {
		return keep(ctx, s, g, d.Kind, [][2]string{{d.A, d.B}}, d.Undo, d.By, now)
	}
	second := "null"
	if len(ends) > 1 {
		second = c.SQL.Text(d.B)
	}
	return s.Tx(ctx, func(in tables.Session) error {
		statements := []string{fmt.Sprintf("delete from %s where kind = %s and a = %s and coalesce(b, '') = %s", g.Table("rules"), c.SQL.Text(d.Kind), c.SQL.Text(d.A), c.SQL.Text(d.B))}
		if !d.Undo {
			statements = append(statements, fmt.Sprintf("insert into %s values (%s, %s, %s, %s, %s)", g.Table("rules"), c.SQL.Text(d.Kind), c.SQL.Text(d.A), second, c.SQL.Text(d.By), tables.Time(now)))
		}
		_, err := tables.Run(ctx, in, statements...)
		return err
	})
}

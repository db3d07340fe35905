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

// MostPairs is how many reviewed pairs are kept at once.
const MostPairs = 500

// Wrong is a pair that was not kept, by its place among those that were sent, from 0.
type Wrong struct {
	At   int    `json:"at"`
	Text string `json:"text"`
}

// Review keeps what somebody knows of pairs of identifiers, each as type:value, or takes it back, as Decide does of one. Those that
// are wrong are left out and answered. Sending pairs again does no harm. fault.Invalid: the kind is none of a review, or they are too many.
func Review(ctx context.Context, s tables.Session, c profile.Config, entity, kind string, pairs [][2]string, undo bool, now time.Time) ([]Wrong, error) {
	wrong := []Wrong{}
	if kind != identity.Same && kind != identity.Different {
		return wrong, fault.New(fault.Invalid, "Of several pairs at once only %s and %s can be said.", identity.Same, identity.Different)
	}
	if len(pairs) > MostPairs {
		return wrong, fault.New(fault.Invalid, "At most %d pairs can be sent at once.", MostPairs)
	}
	g, err := decided(ctx, s, c, entity)
	if err != nil {
		return wrong, err
	}
	missing, err := unknown(ctx, s, g, pairs)
	if err != nil {
		return wrong, err
	}
	var good [][2]string
	kept := map[[2]string]bool{}
	for i, pair := range pairs {
		switch text := amiss(pair, missing, undo); {
		case text != "":
			wrong = append(wrong, Wrong{i, text})
		case !kept[pair] && !kept[[2]string{pair[1], pair[0]}]:
			kept[pair] = true
			good = append(good, pair)
		}
	}
	if len(good) == 0 {
		return wrong, nil
	}
	return wrong, keep(ctx, s, g, kind, good, undo, "", now)
}

// keep keeps what somebody knows of pairs that differ, or takes it back. The last word on a pair counts, in whichever order
// its identifiers are given.
func keep(ctx context.Context, s tables.Session, g *identity.Graph, kind string, pairs [][2]string, undo bool, by string, now time.Time) error {
	var all, both []string
	for _, pair := range pairs {
		a, b := g.SQL.Text(pair[0]), g.SQL.Text(pair[1])
		all = append(all, fmt.Sprintf("(%s, %s, %s, %s, %s)", g.SQL.Text(kind), a, b, g.SQL.Text(by), tables.Time(now)))
		both = append(both, fmt.Sprintf("(%s, %s), (%s, %s)", a, b, b, a))
	}
	statements := []string{fmt.Sprintf("delete from %s where kind in ('%s', '%s') and exists (select 1 from (values %s) p(x, y) where p.x = a and p.y = b)", g.Table("rules"), identity.Same, identity.Different, strings.Join(both, ", "))}
	if !undo {
		statements = append(statements, fmt.Sprintf("insert into %s (kind, a, b, by_whom, at_time) values %s", g.Table("rules"), strings.Join(all, ", ")))
	}
	return s.Tx(ctx, func(in tables.Session) error {
		_, err := tables.Run(ctx, in, statements...)
		return err
	})
}

// unknown is those identifiers of pairs that nobody has seen.
func unknown(ctx context.Context, s tables.Session, g *identity.Graph, pairs [][2]string) (map[string]bool, error) {
	var ids []string
	for _, pair := range pairs {
		for _, id := range pair {
			typ, value, _ := strings.Cut(id, ":")
			ids = append(ids, fmt.Sprintf("(%s, %s)", g.SQL.Text(typ), g.SQL.Text(value)))
		}
	}
	missing := map[string]bool{}
	if len(ids) == 0 {
		return missing, nil
	}
	q := fmt.Sprintf("select distinct p.x, p.y from (values %s) p(x, y) left join %s i on i.id_type = p.x and i.value = p.y where i.value is null", strings.Join(ids, ", "), g.Table("ids"))
	return missing, s.Rows(ctx, q, func(v []any) error {
		missing[text(v[0])+":"+text(v[1])] = true
		return nil
	})
}

// amiss says what is wrong with a pair; nothing is "".
func amiss(pair [2]string, missing map[string]bool, undo bool) string {
	if pair[0] == pair[1] {
		return "A pair to review is of two identifiers; a and b are the same."
	}
	for _, id := range pair {
		typ, _, ok := strings.Cut(id, ":")
		if !ok {
			return "Give identifiers as type:value, such as email:ann@example.org."
		}
		if missing[id] && !undo {
			return fmt.Sprintf("No identifier of the type %s has this value, as it is written when it is cleaned: %s.", typ, id)
		}
	}
	return ""
}

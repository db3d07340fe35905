// Package removal is what warehouses can do beside loads so that rows of theirs can be found
// and removed, and the rule by which rows expire. A kind implements the interfaces as far as
// it can.
package removal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/shared/catalog/duration"
	"weir/shared/fault"
)

// Lister is a warehouse that lists its tables.
type Lister interface {
	// Tables returns the names of the tables in the destination's schema, views apart.
	Tables(ctx context.Context) ([]string, error)
}

// Remover is a warehouse that removes rows.
type Remover interface {
	// Remove deletes the rows of a table for which a condition holds: SQL of the kind, of
	// columns with Quote, literals with Text and Moment. It may be repeated. After an error
	// all of them may be gone, or none, or some.
	Remove(ctx context.Context, table, condition string) error
	// Moment is the literal of a time that columns of layout.Datetime compare with.
	Moment(t time.Time) string
}

// Rewriter is a warehouse that keeps the bytes of rows that Remove deleted until it writes over
// them, and can be written anew without them.
type Rewriter interface {
	// Rewrite does that where Remove deleted something since it was done, or anyway. What the
	// warehouse holds stays as it is. After an error that is so too, and the next call does it.
	// fault.Limited: the disk has no room for it.
	Rewrite(ctx context.Context, anyway bool) error
}

// Moment is a literal that most kinds compare with columns of times.
func Moment(t time.Time) string { return "'" + t.UTC().Format("2006-01-02 15:04:05.000") + "+00:00'" }

// Retention is how long rows are kept, by when they came.
type Retention struct {
	All    time.Duration            // 0: for ever
	Tables map[string]time.Duration // of tables that have a rule of their own
}

// Of is how long rows of a table are kept; 0: for ever.
func (r Retention) Of(table string) time.Duration {
	if own, ok := r.Tables[table]; ok {
		return own
	}
	return r.All
}

// Any reports whether rows of any table expire.
func (r Retention) Any() bool {
	for _, d := range r.Tables {
		if d > 0 {
			return true
		}
	}
	return r.All > 0
}

// leastRetention keeps a rule from removing what was just loaded.
const leastRetention = 24 * time.Hour

// Read reads the settings retention and retentionOf, of which each is table=duration.
func Read(all time.Duration, of []string) (r Retention, problems []fault.Problem) {
	r.All = all
	for i, rule := range of {
		table, text, _ := strings.Cut(rule, "=")
		d, ok := duration.Parse(strings.TrimSpace(text))
		if table = strings.TrimSpace(table); table == "" || !ok || d != 0 && d < leastRetention {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("settings.retentionOf[%d]", i), Code: "malformed", Text: "Write the name of a table and how long its rows are kept, at least a day, such as pages=30d; 0s keeps them for ever."})
			continue
		}
		if r.Tables == nil {
			r.Tables = map[string]time.Duration{}
		}
		r.Tables[table] = d
	}
	return r, problems
}

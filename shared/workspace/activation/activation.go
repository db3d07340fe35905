// Package activation is what a configuration says of sending rows of a warehouse to
// destinations: models, which are rows with a key, and syncs, which keep the rows of a
// model as records in a destination.
package activation

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"weir/shared/fault"
	"weir/shared/id"
)

// Model is rows of a warehouse that are known by a key: a table, a statement or the golden
// records of an audience's persons.
type Model struct {
	ID        id.Model       `json:"id"`
	Name      string         `json:"name"`
	Warehouse id.Destination `json:"warehouse"`
	Table     string         `json:"table,omitempty"` // or SQL, or Audience
	SQL       string         `json:"sql,omitempty"`
	Audience  string         `json:"audience,omitempty" added:"audiencemodels"` // of the warehouse's profiles
	Column    string         `json:"key"`                                       // whose value is another one in each row
}

// Sync keeps the rows of a model as records of an object in a destination.
type Sync struct {
	ID          id.Sync           `json:"id"`
	Name        string            `json:"name"`
	Model       id.Model          `json:"model"`
	Destination id.Destination    `json:"destination"`
	Object      string            `json:"object"` // of the destination's kind
	Mode        string            `json:"mode,omitempty"`
	Identifiers map[string]string `json:"identifiers,omitempty"` // columns by field
	Mapping     map[string]string `json:"mapping,omitempty"`     // columns by field
	Removed     string            `json:"removed,omitempty"`
	First       string            `json:"first,omitempty"`
	Schedule    *Schedule         `json:"schedule,omitempty"`
	Disabled    bool              `json:"disabled,omitempty"`
}

// Schedule says when a sync runs. What it says may be combined.
type Schedule struct {
	Every     string `json:"every,omitempty" doc:"How long after a run began the next one begins, such as 15m; a minute at least"`
	Cron      string `json:"cron,omitempty" doc:"When runs begin, in UTC, by the five fields of cron, such as 0 6 * * 1-5"`
	AfterLoad bool   `json:"afterLoad,omitempty" doc:"A run follows each load of the model's warehouse that brought rows"`
	// AfterProfiles is of a warehouse that has profiles.
	AfterProfiles bool `json:"afterProfiles,omitempty" doc:"A run follows each run of the profiles of the model's warehouse that published"`
}

// Modes of syncs, and what becomes of removed rows.
const (
	Upsert = "upsert"
	Update = "update"
	Insert = "insert"
	Mirror = "mirror"
	Append = "append"
	// Snapshot writes all rows anew, as one set, whenever any of them differs.
	Snapshot = "snapshot"

	Nothing = "nothing"
	Delete  = "delete"
	Clear   = "clear"
)

// Key is the identifier.
func (m Model) Key() string { return string(m.ID) }

// Key is the identifier.
func (s Sync) Key() string { return string(s.ID) }

// WithDefaults returns s with its mode, and with what becomes of removed rows.
func (s Sync) WithDefaults() Sync {
	if s.Mode == "" {
		s.Mode = Upsert
	}
	if s.Removed == "" {
		if s.Removed = Nothing; s.Mode == Mirror || s.Mode == Snapshot {
			s.Removed = Delete
		}
	}
	if s.First == "" {
		s.First = "send"
	}
	return s
}

// Runs reports whether text is the five fields of cron.
func Runs(text string) bool {
	_, err := cronOf(text)
	return err == nil
}

// cronOf reads the five fields of cron.
func cronOf(text string) (cron.Schedule, error) {
	if len(strings.Fields(text)) != 5 || strings.ContainsAny(text, "@=") || len(text) > 200 {
		return nil, fault.New(fault.Invalid, "A schedule of cron has five fields.")
	}
	return cron.ParseStandard(text)
}

// Times returns how often runs begin, and by which cron; a zero time and no cron: only a
// load, or somebody who asks, begins one.
func (s *Schedule) Times() (every time.Duration, fields string) {
	if s == nil {
		return 0, ""
	}
	if d, err := time.ParseDuration(s.Every); err == nil && d > 0 {
		every = d
	}
	if Runs(s.Cron) {
		fields = s.Cron
	}
	return every, fields
}

// Next returns when the next run begins by time after one that began at last; zero: only
// a load, or somebody who asks, begins one. A zero last means that there was no run.
func (s *Schedule) Next(last, now time.Time) time.Time {
	var next time.Time
	if s == nil {
		return next
	}
	if d, err := time.ParseDuration(s.Every); err == nil && d > 0 {
		next = last.Add(d)
		if last.IsZero() {
			next = now
		}
	}
	if c, err := cronOf(s.Cron); err == nil {
		from := last
		if last.IsZero() {
			from = now
		}
		if at := c.Next(from.UTC()); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

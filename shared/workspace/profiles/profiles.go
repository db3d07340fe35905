// Package profiles is the declaration of profiles: which identifiers make a person, which
// rows count, and the features and audiences that are made of them. It checks a
// declaration as a whole, and reads its conditions and expressions. It knows no table of
// a warehouse: whether columns exist a plane finds out when it runs.
package profiles

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/shared/workspace/profiles/scores"
)

// Plan is what a profile declares beside its name and warehouse.
type Plan struct {
	Every     string         `json:"every,omitempty" doc:"How long it rests between runs at least, such as 5m; 5m when absent"`
	Entities  []Entity       `json:"entities" doc:"Who identifiers belong to; features and audiences are of the first one unless they say otherwise"`
	Inputs    []Input        `json:"inputs" doc:"Rows: evidence for identity and what features are made of alike"`
	Features  []Feature      `json:"features,omitempty" doc:"One value for each person"`
	Scores    []scores.Score `json:"scores,omitempty" added:"scores" doc:"Numbers that say of a person what is likely, such as that they leave"`
	Audiences []Audience     `json:"audiences,omitempty" doc:"Sets of persons"`
	Lookup    *Lookup        `json:"lookup,omitempty" added:"lookup" doc:"A copy in the plane from which requests about one person are answered within milliseconds"`
}

// schema is the schema of a warehouse that the tables of profiles are in.
const schema = "profiles"

// KeyColumn is the column of golden records whose value is a person's.
const KeyColumn = "weir_id"

// Members returns the statement that reads the golden records of the persons of an audience,
// for every kind of warehouse that has profiles. There is none when the plan has no audience
// of this name.
func (p Plan) Members(audience string) (statement string, ok bool) {
	i := slices.IndexFunc(p.Audiences, func(a Audience) bool { return a.Name == audience })
	if i < 0 || len(p.Entities) == 0 {
		return "", false
	}
	entity := cmp.Or(p.Audiences[i].Entity, p.Entities[0].Name) // names are of a-z, 0-9 and '_'
	return fmt.Sprintf("select g.* from %[1]s.%[2]s_golden g join %[1]s.%[2]s_audiences a on a.%[3]s = g.%[3]s where a.audience = '%[4]s'", schema, entity, KeyColumn, audience), true
}

// Entity is what identifiers are stitched into.
type Entity struct {
	Name string       `json:"name" doc:"Such as user; 1 to 30 of a-z, 0-9 and '_', a letter first"`
	IDs  []Identifier `json:"ids" doc:"Its types of identifiers, strongest first: a row belongs to its first identifier that has a person"`
	Gate *Gate        `json:"gate,omitempty" doc:"What a run may change before it is held"`
}

// Identifier is a type of identifiers.
type Identifier struct {
	Name    string          `json:"name" doc:"Such as user_id or email; 1 to 40 of a-z, 0-9 and '_', a letter first"`
	Of      string          `json:"of,omitempty" doc:"An entity above: the identifier is whoever of it a row belongs to, as a person is one of a household"`
	Unique  bool            `json:"unique,omitempty" doc:"Two values never become one person"`
	Clean   string          `json:"clean,omitempty" one:"email,text,domain,phone" doc:"How values are written alike"`
	Country string          `json:"country,omitempty" doc:"Of phones without one: its calling code, such as 49"`
	Match   string          `json:"match,omitempty" doc:"What values look like, with * for any text; others are none"`
	Block   []string        `json:"block,omitempty" doc:"Values that are nobody's, with * for any text"`
	Limit   json.RawMessage `json:"limit,omitempty" doc:"How many identifiers of another type one may be seen with before it belongs to nobody, by the name of the type"`
	Expire  string          `json:"expire,omitempty" doc:"After how long without being seen again a link does not count, such as 400d"`
}

// Others are the entities whose persons are identifiers of this one, such as the users of households.
func (e Entity) Others() (names []string) {
	for _, t := range e.IDs {
		if t.Of != "" {
			names = append(names, t.Of)
		}
	}
	return names
}

// Gate is what a run may change before it is held for somebody to look at.
type Gate struct {
	Largest int    `json:"largest,omitempty" least:"2" doc:"How many identifiers a person may have"`
	Moved   string `json:"moved,omitempty" doc:"Which share of identifiers may leave their person, such as 2%"`
	Gone    string `json:"gone,omitempty" doc:"Which share of persons may be no more, such as 1%"`

	Reviewed *Review `json:"reviewed,omitempty" doc:"How well a run has to agree with the pairs of identifiers that people reviewed, unless it agrees better than the one before"`
}

// Review is how well a run has to agree with pairs that people reviewed.
type Review struct {
	Precision string `json:"precision,omitempty" doc:"Of the reviewed pairs that it makes one person, the share of which somebody said that they are; 100% when absent"`
	Recall    string `json:"recall,omitempty" doc:"Of the reviewed pairs of which somebody said that they are one person, the share that it makes one; 100% when absent"`
}

// Input is rows of the warehouse.
type Input struct {
	Name    string          `json:"name" doc:"1 to 40 of a-z, 0-9 and '_', a letter first"`
	Events  string          `json:"events,omitempty" doc:"The name of an event, or identify, page, screen, group or alias, or * for all events"`
	From    string          `json:"from,omitempty" doc:"A table, as schema.table"`
	At      string          `json:"at,omitempty" doc:"The column of when it was; for tables"`
	Changed string          `json:"changed,omitempty" doc:"The column of when a row last changed; without one all rows are read each time"`
	Known   string          `json:"known,omitempty" doc:"The column of when somebody could know a row, for what scores learn from the past; at for rows that were known when they happened, as those of a backfill. received_at of events and changed of tables when absent"`
	Row     string          `json:"row,omitempty" doc:"The column of a row's identifier; id when absent"`
	IDs     json.RawMessage `json:"ids,omitempty" doc:"The column of an identifier by the name of its type; when absent columns with the names of types"`
}

// Feature is one value for each person. One of its aggregates is given.
type Feature struct {
	Name         string          `json:"name" doc:"1 to 60 of a-z, 0-9 and '_', a letter first"`
	Entity       string          `json:"entity,omitempty" doc:"Whose feature it is; the first entity's when absent"`
	Count        string          `json:"count,omitempty" doc:"How many rows of an input"`
	Sum          string          `json:"sum,omitempty" doc:"The sum of input.column"`
	Average      string          `json:"average,omitempty" doc:"The mean of input.column"`
	Min          string          `json:"min,omitempty" doc:"The least value of input.column"`
	Max          string          `json:"max,omitempty" doc:"The greatest value of input.column"`
	First        string          `json:"first,omitempty" doc:"The value of input.column in the first row that has one"`
	Latest       []string        `json:"latest,omitempty" doc:"The value in the last row that has one, of the first of these input.column that has any"`
	MostFrequent string          `json:"mostFrequent,omitempty" doc:"The most frequent value of input.column"`
	Distinct     string          `json:"distinct,omitempty" doc:"How many different values of input.column"`
	List         string          `json:"list,omitempty" doc:"The different values of input.column in the order of their bytes, with commas between them: the first 1,000 characters"`
	Days         string          `json:"days,omitempty" doc:"On how many days (UTC) there are rows of an input"`
	Exists       string          `json:"exists,omitempty" doc:"Whether there is a row of an input"`
	Since        string          `json:"since,omitempty" doc:"How many days ago the last row of an input was"`
	Ratio        []string        `json:"ratio,omitempty" doc:"Two features, the first divided by the second"`
	SQL          string          `json:"sql,omitempty" doc:"An expression of other features: numbers, texts, + - * /, comparisons, case, coalesce, abs, round, lower and the like"`
	Where        json.RawMessage `json:"where,omitempty" doc:"Conditions on columns that rows have to fulfil"`
	Last         string          `json:"last,omitempty" doc:"How far back rows count, such as 7d"`
}

// Audience is a set of persons.
type Audience struct {
	Name   string          `json:"name" doc:"1 to 60 of a-z, 0-9 and '_', a letter first"`
	Entity string          `json:"entity,omitempty" doc:"Whose persons; the first entity's when absent"`
	Where  json.RawMessage `json:"where" doc:"Conditions on features and scores, with not, any, all and did"`
}

// Aggregate is what a feature computes over rows, or over features.
type Aggregate struct {
	Kind    string   // the key
	Columns []Column // of inputs; Name is empty for a kind over whole rows
	Of      []string // features
}

// Column is a column of an input.
type Column struct{ Input, Name string }

// Aggregates lists what a feature gives of its aggregates.
func (f Feature) Aggregates() (all []Aggregate) {
	for _, a := range []struct{ kind, of string }{{"count", f.Count}, {"days", f.Days}, {"exists", f.Exists}, {"since", f.Since}} {
		if a.of != "" {
			all = append(all, Aggregate{Kind: a.kind, Columns: []Column{{Input: a.of}}})
		}
	}
	for _, a := range []struct{ kind, of string }{
		{"sum", f.Sum}, {"average", f.Average}, {"min", f.Min}, {"max", f.Max}, {"first", f.First}, {"mostFrequent", f.MostFrequent}, {"distinct", f.Distinct}, {"list", f.List},
	} {
		if a.of != "" {
			all = append(all, Aggregate{Kind: a.kind, Columns: columns(a.of)})
		}
	}
	if len(f.Latest) > 0 {
		all = append(all, Aggregate{Kind: "latest", Columns: columns(f.Latest...)})
	}
	if len(f.Ratio) > 0 {
		all = append(all, Aggregate{Kind: "ratio", Of: f.Ratio})
	}
	if f.SQL != "" {
		all = append(all, Aggregate{Kind: "sql"})
	}
	return all
}

func columns(of ...string) []Column {
	all := make([]Column, len(of))
	for i, s := range of {
		input, name, _ := strings.Cut(s, ".")
		all[i] = Column{input, name}
	}
	return all
}

// named matches names, which become names of tables and columns.
var named = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// duration is a number and a unit.
var duration = regexp.MustCompile(`^([0-9]{1,6})(m|h|d|w)$`)

// Duration reads a time such as 30m, 12h, 7d or 2w.
func Duration(s string) (time.Duration, error) {
	m := duration.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("a time is a number with m, h, d or w, such as 7d")
	}
	n, _ := strconv.Atoi(m[1]) // it has six digits at most
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[2]]
	if n == 0 || time.Duration(n)*unit > 20*366*24*time.Hour {
		return 0, fmt.Errorf("a time is more than nothing and at most 20 years")
	}
	return time.Duration(n) * unit, nil
}

// Shares are the gate's shares: 0 for one that it does not have. They were checked.
func (g Gate) Shares() (moved, gone, precision, recall float64) {
	moved, _ = share(g.Moved)
	gone, _ = share(g.Gone)
	if g.Reviewed != nil {
		precision, _ = share(cmp.Or(g.Reviewed.Precision, "100%"))
		recall, _ = share(cmp.Or(g.Reviewed.Recall, "100%"))
	}
	return moved, gone, precision, recall
}

// share reads a share such as 2%; "" is 0.
func share(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !strings.HasSuffix(s, "%") || !(f > 0 && f <= 100) {
		return 0, fmt.Errorf("a share is a number above 0 with %%, such as 2%%")
	}
	return f / 100, nil
}

// Rest is how long a plan rests between runs at least.
func (p Plan) Rest() time.Duration {
	if d, err := Duration(p.Every); err == nil {
		return d
	}
	return 5 * time.Minute
}

// Limits are how many identifiers of another type one may be seen with.
func (i Identifier) Limits() (limits map[string]int, err error) {
	if len(i.Limit) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(i.Limit, &limits); err != nil {
		return nil, fmt.Errorf("a limit is a number by the name of a type, as { user_id: 3 }")
	}
	return limits, nil
}

// Columns are the columns of identifiers that an input names, by the name of the type.
func (i Input) Columns() (columns map[string]string, err error) {
	if len(i.IDs) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(i.IDs, &columns); err != nil {
		return nil, fmt.Errorf("ids are columns by the name of a type, as { email: requester }")
	}
	return columns, nil
}

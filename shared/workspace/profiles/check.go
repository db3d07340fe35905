package profiles

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/shared/fault"
)

// Codes lists the codes of Check that no other object has.
func Codes() []string {
	return []string{"unknown_input", "unknown_feature", "unknown_identifier", "unknown_entity", "cycle", "bad_condition", "bad_share", "bad_aggregate", "bad_model"}
}

// Limits of one plan.
const (
	maxEntities  = 5
	maxIDs       = 20
	maxInputs    = 50
	maxFeatures  = 300
	maxAudiences = 200
)

// Check lists every problem of a plan, with paths below at.
func Check(p Plan, at string) []fault.Problem {
	k := &check{at: at, types: map[string]bool{}, of: map[string]bool{}, entities: map[string]bool{}, inputs: map[string]bool{}, features: map[string]string{}}
	if p.Every != "" {
		k.time(".every", p.Every)
	}
	k.allEntities(p.Entities)
	k.allInputs(p.Inputs)
	k.count(".features", len(p.Features), 0, maxFeatures)
	if len(p.Entities) > 0 {
		k.first = p.Entities[0].Name
	}
	for i, f := range p.Features {
		k.name(fmt.Sprintf(".features[%d].name", i), f.Name, 60, k.has(f.Name))
		k.features[f.Name] = cmp.Or(f.Entity, k.first)
	}
	uses := map[string][]string{}
	for i, f := range p.Features {
		uses[f.Name] = k.feature(fmt.Sprintf(".features[%d]", i), f)
	}
	k.cycles(p.Features, uses)
	k.scores(p.Scores)
	k.count(".audiences", len(p.Audiences), 0, maxAudiences)
	audiences := map[string]bool{}
	for i, a := range p.Audiences {
		path := fmt.Sprintf(".audiences[%d]", i)
		k.name(path+".name", a.Name, 60, audiences[a.Name])
		audiences[a.Name] = true
		k.entity(path, a.Entity)
		c, err := ParseCondition(a.Where)
		switch {
		case err != nil:
			k.add(path+".where", "bad_condition", "%s.", sentence(err))
		case !c.Says():
			k.add(path+".where", "required", "Say who is in the audience.")
		default:
			k.condition(path+".where", c, true, a.Entity)
		}
	}
	k.lookup(p.Lookup)
	return k.problems
}

type check struct {
	at       string
	problems []fault.Problem
	types    map[string]bool // of all entities
	of       map[string]bool // those that are persons
	entities map[string]bool
	first    string // of them
	inputs   map[string]bool
	features map[string]string // and scores: whose they are, by name
}

// has reports whether there is a feature or a score.
func (k *check) has(feature string) bool { _, there := k.features[feature]; return there }

// uses checks that what is an entity's is made of features that are its own; "" is the first entity.
func (k *check) uses(path, entity string, features ...string) {
	entity = cmp.Or(entity, k.first)
	for _, name := range features {
		switch of, there := k.features[name]; {
		case !there:
			k.add(path, "unknown_feature", "There is no feature %s.", name)
		case of != entity && k.entities[of] && k.entities[entity]:
			k.add(path, "unknown_feature", "%s is no feature of the entity %s, but of %s.", name, entity, of)
		}
	}
}

func (k *check) add(path, code, format string, args ...any) {
	k.problems = append(k.problems, fault.Problem{Path: k.at + path, Code: code, Text: fmt.Sprintf(format, args...)})
}

// sentence is an error as a sentence begins.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

func (k *check) count(path string, n, least, most int) {
	switch {
	case n < least:
		k.add(path, "required", "At least %d is needed.", least)
	case n > most:
		k.add(path, "too_many", "There are %d; at most %d can be.", n, most)
	}
}

func (k *check) name(path, name string, most int, taken bool) {
	switch {
	case !named.MatchString(name) || len(name) > most || strings.HasSuffix(name, "_"):
		k.add(path, "bad_name", "A name is 1 to %d of a-z, 0-9 and '_', a letter first.", most)
	case slices.Contains(reserved, name):
		k.add(path, "bad_name", "The name %s has another meaning.", name)
	case taken:
		k.add(path, "duplicate_name", "Another one is called %s.", name)
	}
}

// reserved are the columns of golden records, and the words of conditions.
var reserved = []string{"weir_id", "person", "as_of", "changed_at", "changed_run", "not", "any", "all", "did", "where", "last", "next", "times"}

func (k *check) time(path, s string) {
	if _, err := Duration(s); err != nil {
		k.add(path, "bad_duration", "%s.", sentence(err))
	}
}

func (k *check) share(path, s string) {
	if _, err := share(s); err != nil {
		k.add(path, "bad_share", "%s.", sentence(err))
	}
}

func (k *check) entity(path, name string) {
	if name != "" && !k.entities[name] {
		k.add(path+".entity", "unknown_entity", "There is no entity %s.", name)
	}
}

// apart refuses names of entities whose tables would be called as others: a run's work tables begin with _w_, those of entities as
// they were at a cut with _cut_, and examples of a score of an entity are in <entity>_training_<score>.
func (k *check) apart(path, name string, list []Entity) {
	of, training := strings.CutSuffix(name, "_training")
	if name == "w" || strings.HasPrefix(name, "w_") || name == "cut" || strings.HasPrefix(name, "cut_") || training && slices.ContainsFunc(list, func(e Entity) bool { return e.Name == of }) {
		k.add(path, "bad_name", "Tables of an entity %s would be called as tables that runs make; choose another name.", name)
	}
}

func (k *check) allEntities(list []Entity) {
	k.count(".entities", len(list), 1, maxEntities)
	for i, e := range list {
		path := fmt.Sprintf(".entities[%d]", i)
		k.name(path+".name", e.Name, 30, k.entities[e.Name])
		k.apart(path+".name", e.Name, list)
		k.entities[e.Name] = true
		k.count(path+".ids", len(e.IDs), 1, maxIDs)
		own := map[string]bool{}
		unique := 0
		for j, t := range e.IDs {
			k.name(fmt.Sprintf("%s.ids[%d].name", path, j), t.Name, 40, own[t.Name])
			own[t.Name], k.types[t.Name] = true, true
			k.of[t.Name] = k.of[t.Name] || t.Of != ""
			if t.Unique {
				if unique++; unique > 1 {
					k.add(fmt.Sprintf("%s.ids[%d].unique", path, j), "not_allowed", "One type of an entity can be unique.")
				}
			}
		}
		for j, t := range e.IDs {
			at := fmt.Sprintf("%s.ids[%d]", path, j)
			switch {
			case t.Of == "":
			case t.Of == e.Name || !k.entities[t.Of] || slices.ContainsFunc(list[:i], func(x Entity) bool { return x.Name == t.Of && len(x.Others()) > 0 }):
				k.add(at+".of", "unknown_entity", "of is an entity that stands above, and has no identifiers of others itself; %s is none.", t.Of)
			case t.Clean != "" || t.Match != "" || len(t.Block) > 0 || t.Unique:
				k.add(at+".of", "not_allowed", "An identifier of an entity has neither clean, match, block nor unique.")
			}
			k.identifier(fmt.Sprintf("%s.ids[%d]", path, j), t, own)
		}
		if e.Gate != nil {
			k.share(path+".gate.moved", e.Gate.Moved)
			k.share(path+".gate.gone", e.Gate.Gone)
			if of := e.Gate.Reviewed; of != nil {
				k.share(path+".gate.reviewed.precision", of.Precision)
				k.share(path+".gate.reviewed.recall", of.Recall)
			}
		}
	}
}

func (k *check) identifier(path string, t Identifier, own map[string]bool) {
	if !slices.Contains([]string{"", "email", "text", "domain", "phone"}, t.Clean) {
		k.add(path+".clean", "not_in_enum", "clean is email, text, domain or phone.")
	}
	if t.Country != "" && (t.Clean != "phone" || strings.Trim(t.Country, "0123456789") != "" || len(t.Country) > 3) {
		k.add(path+".country", "malformed", "The country of phones is its calling code, such as 49.")
	}
	if t.Expire != "" {
		k.time(path+".expire", t.Expire)
	}
	for i, b := range append(slices.Clone(t.Block), t.Match) {
		if len(b) > 200 || strings.ContainsAny(b, "\x00") || i < len(t.Block) && b == "" {
			k.add(path+".block", "malformed", "A pattern is a text of 1 to 200 bytes, with * for any text.")
		}
	}
	k.count(path+".block", len(t.Block), 0, 200)
	limits, err := t.Limits()
	if err != nil {
		k.add(path+".limit", "malformed", "%s.", sentence(err))
	}
	for _, of := range slices.Sorted(maps.Keys(limits)) {
		switch {
		case !own[of]:
			k.add(path+".limit."+of, "unknown_identifier", "The entity has no identifiers called %s.", of)
		case limits[of] < 1:
			k.add(path+".limit."+of, "too_small", "A limit is a whole number from 1.")
		}
	}
}

func (k *check) allInputs(list []Input) {
	k.count(".inputs", len(list), 1, maxInputs)
	for i, in := range list {
		path := fmt.Sprintf(".inputs[%d]", i)
		k.name(path+".name", in.Name, 40, k.inputs[in.Name])
		k.inputs[in.Name] = true
		switch {
		case (in.Events == "") == (in.From == ""):
			k.add(path, "required", "An input has events, or a table in from.")
		case in.From != "" && in.At == "":
			k.add(path+".at", "required", "Say which column has the time of a row.")
		case in.Events != "" && (in.At != "" || in.Changed != "" || in.Row != ""):
			k.add(path, "not_allowed", "The columns at, changed and row are those of a table in from.")
		}
		for _, column := range []string{in.From, in.At, in.Changed, in.Row, in.Known} {
			if len(column) > 200 || strings.ContainsAny(column, "\x00\"\n") {
				k.add(path, "malformed", "Names of tables and columns have at most 200 bytes, and no quotes.")
			}
		}
		columns, err := in.Columns()
		if err != nil {
			k.add(path+".ids", "malformed", "%s.", sentence(err))
		}
		for _, t := range slices.Sorted(maps.Keys(columns)) {
			if k.of[t] {
				k.add(path+".ids."+t, "not_allowed", "The identifier %s is a person's, and no column's.", t)
			}
			if !k.types[t] {
				k.add(path+".ids."+t, "unknown_identifier", "No entity has identifiers called %s.", t)
			}
		}
	}
}

// feature checks one, and returns the features that it uses.
func (k *check) feature(path string, f Feature) (uses []string) {
	k.entity(path, f.Entity)
	all := f.Aggregates()
	if len(all) != 1 {
		k.add(path, "bad_aggregate", "A feature has exactly one of count, sum, average, min, max, first, latest, mostFrequent, distinct, list, days, exists, since, ratio and sql.")
		return nil
	}
	a := all[0]
	rows := a.Kind != "sql" && a.Kind != "ratio"
	for _, c := range a.Columns {
		whole := slices.Contains([]string{"count", "days", "exists", "since"}, a.Kind)
		switch {
		case whole != (c.Name == ""):
			k.add(path+"."+a.Kind, "bad_aggregate", "%s is of an input%s.", a.Kind, map[bool]string{true: "", false: " and a column, as input.column"}[whole])
		case !k.inputs[c.Input]:
			k.add(path+"."+a.Kind, "unknown_input", "There is no input %s.", c.Input)
		}
	}
	if f.Last != "" {
		k.time(path+".last", f.Last)
	}
	if !rows && (f.Last != "" || len(f.Where) > 0) {
		k.add(path, "not_allowed", "last and where are for features of rows.")
	}
	if c, err := ParseCondition(f.Where); err != nil {
		k.add(path+".where", "bad_condition", "%s.", sentence(err))
	} else {
		k.condition(path+".where", c, false, "")
	}
	uses = a.Of
	if a.Kind == "ratio" && len(a.Of) != 2 {
		k.add(path+".ratio", "bad_aggregate", "A ratio is of two features.")
	}
	if a.Kind == "sql" {
		e, err := ParseExpression(f.SQL)
		if err != nil {
			k.add(path+".sql", "bad_expression", "%s.", sentence(err))
		}
		uses = e.Uses
	}
	k.uses(path+"."+a.Kind, f.Entity, uses...)
	return uses
}

// condition checks names: of features of an entity, or of columns, which only the warehouse knows.
func (k *check) condition(path string, c Condition, features bool, entity string) {
	c.Walk(func(x Condition) {
		switch {
		case x.Did != nil && !features:
			k.add(path, "bad_condition", "did stands in audiences alone.")
		case x.Did != nil && x.Did.Next > 0:
			k.add(path, "bad_condition", "next stands in what a score predicts alone.")
		case x.Did != nil:
			if !k.inputs[x.Did.Input] {
				k.add(path, "unknown_input", "There is no input %s.", x.Did.Input)
			}
			k.condition(path, x.Did.Where, false, "")
		case x.Name != "" && features:
			k.uses(path, entity, x.Name)
		case strings.ContainsAny(x.Name, "\x00\"\n") || len(x.Name) > 200:
			k.add(path, "malformed", "Names of columns have at most 200 bytes, and no quotes.")
		}
	})
}

// cycles finds features that use themselves.
func (k *check) cycles(list []Feature, uses map[string][]string) {
	const open, done = 1, 2
	state := map[string]int{}
	var visit func(name string) bool
	visit = func(name string) bool {
		switch state[name] {
		case open:
			return true
		case done:
			return false
		}
		state[name] = open
		cycle := slices.ContainsFunc(uses[name], visit)
		state[name] = done
		return cycle
	}
	for i, f := range list {
		if state[f.Name] == 0 && visit(f.Name) {
			k.add(fmt.Sprintf(".features[%d]", i), "cycle", "The feature %s depends on itself.", f.Name)
		}
	}
}

// Order returns the features so that each stands behind those that it uses; the plan has
// no problems.
func (p Plan) Order() []Feature {
	uses, byName, done := map[string][]string{}, map[string]Feature{}, map[string]bool{}
	for _, f := range p.Features {
		byName[f.Name] = f
		for _, a := range f.Aggregates() {
			uses[f.Name] = a.Of
			if a.Kind == "sql" {
				e, _ := ParseExpression(f.SQL) // it was checked
				uses[f.Name] = e.Uses
			}
		}
	}
	var order []Feature
	var visit func(name string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, u := range uses[name] {
			visit(u)
		}
		order = append(order, byName[name])
	}
	for _, f := range p.Features {
		visit(f.Name)
	}
	return order
}

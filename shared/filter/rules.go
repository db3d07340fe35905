package filter

import "weir/shared/fault"

// Rules are what the events of a connection have to fulfil, each of them. The zero Rules
// take every event.
type Rules struct {
	Events  *Events
	Filter  string // an expression in CEL, see Compile
	Consent *Consent
}

// Zero reports whether r takes every event without looking at it.
func (r Rules) Zero() bool { return r.Events == nil && r.Filter == "" && r.Consent == nil }

// Check lists what is wrong with the rules at path, such as connections[0]. Codes:
// those of Events, Consent and Compile. with compiles the expressions of all rules of
// one workspace.
func (r Rules) Check(path string, with *Compiler) (problems []fault.Problem) {
	if r.Events != nil {
		problems = append(problems, r.Events.Check(path+".events")...)
	}
	if r.Filter != "" {
		if _, problem := with.Compile(r.Filter); problem != nil {
			p := *problem
			p.Path = path + ".filter"
			problems = append(problems, p)
		}
	}
	if r.Consent != nil {
		problems = append(problems, r.Consent.Check(path+".consent")...)
	}
	return problems
}

// Codes lists every code of the checks.
func Codes() []string {
	return []string{CodeExpression, "bad_pattern", "duplicate_name", "not_in_enum", "required", "too_large", "too_many"}
}

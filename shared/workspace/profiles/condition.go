package profiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Op is how a value is compared.
type Op string

// Ops.
const (
	OpIn         Op = "in" // it is one of Values
	OpOver       Op = "over"
	OpAtLeast    Op = "atLeast"
	OpUnder      Op = "under"
	OpAtMost     Op = "atMost"
	OpContains   Op = "contains"
	OpStartsWith Op = "startsWith"
	OpKnown      Op = "known" // there is a value
)

// Condition is a tree. Exactly one of its kinds is given: All, Any, Not, Did, or a
// comparison of Name.
type Condition struct {
	All, Any []Condition
	Not      *Condition
	Did      *Did
	Name     string // of a column or a feature
	Op       Op
	Values   []any // string, float64 or bool
}

// Did is that a person has rows of an input.
type Did struct {
	Input string
	Where Condition
	Last  time.Duration // 0: ever
	Next  time.Duration // how far ahead instead, for what scores predict
	Times int           // at least
}

// maxDepth is how deep conditions lie in each other.
const maxDepth = 8

// ParseCondition reads a condition: an object whose members all have to hold. A member is
// a name with a value, a list of values or an object of comparisons; or not, any, all or did.
// Errors say where.
func ParseCondition(raw json.RawMessage) (Condition, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return Condition{}, nil
	}
	return condition(raw, 0)
}

func condition(raw json.RawMessage, depth int) (Condition, error) {
	var members map[string]json.RawMessage
	if depth > maxDepth {
		return Condition{}, errors.New("conditions lie too deep in each other")
	}
	if err := json.Unmarshal(raw, &members); err != nil {
		return Condition{}, errors.New("a condition is an object, such as { status: open }")
	}
	all := Condition{All: []Condition{}}
	if did, ok := members["did"]; ok { // what is beside it belongs to it
		c, err := parseDid(did, members, depth)
		if err != nil {
			return c, err
		}
		all.All = append(all.All, c)
		for _, k := range []string{"did", "where", "last", "next", "times"} {
			delete(members, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(members)) {
		c, err := member(k, members[k], depth)
		if err != nil {
			return c, err
		}
		all.All = append(all.All, c)
	}
	if len(all.All) == 1 {
		return all.All[0], nil
	}
	return all, nil
}

func member(k string, raw json.RawMessage, depth int) (Condition, error) {
	switch k {
	case "not":
		c, err := condition(raw, depth+1)
		return Condition{Not: &c}, err
	case "any", "all":
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
			return Condition{}, fmt.Errorf("%s is a list of conditions", k)
		}
		parts := make([]Condition, len(list))
		for i, one := range list {
			var err error
			if parts[i], err = condition(one, depth+1); err != nil {
				return Condition{}, err
			}
		}
		if k == "any" {
			return Condition{Any: parts}, nil
		}
		return Condition{All: parts}, nil
	}
	return comparison(k, raw)
}

func parseDid(did json.RawMessage, members map[string]json.RawMessage, depth int) (Condition, error) {
	d := Did{Times: 1}
	if json.Unmarshal(did, &d.Input) != nil || d.Input == "" {
		return Condition{}, errors.New("did is the name of an input")
	}
	if raw, ok := members["where"]; ok {
		c, err := condition(raw, depth+1)
		if err != nil {
			return c, err
		}
		d.Where = c
	}
	if raw, ok := members["last"]; ok {
		var last string
		err := json.Unmarshal(raw, &last)
		if err == nil {
			d.Last, err = Duration(last)
		}
		if err != nil {
			return Condition{}, errors.New("last is a time such as 7d")
		}
	}
	if raw, ok := members["next"]; ok {
		var next string
		err := json.Unmarshal(raw, &next)
		if err == nil {
			d.Next, err = Duration(next)
		}
		if err != nil || d.Last > 0 {
			return Condition{}, errors.New("next is a time such as 30d, without last")
		}
	}
	if raw, ok := members["times"]; ok && (json.Unmarshal(raw, &d.Times) != nil || d.Times < 1) {
		return Condition{}, errors.New("times is a whole number from 1")
	}
	return Condition{Did: &d}, nil
}

// comparison reads what a name is compared with.
func comparison(name string, raw json.RawMessage) (Condition, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return Condition{}, fmt.Errorf("the condition on %s cannot be read", name)
	}
	switch v := v.(type) {
	case string, float64, bool:
		return Condition{Name: name, Op: OpIn, Values: []any{v}}, nil
	case nil:
		return Condition{Not: &Condition{Name: name, Op: OpKnown}}, nil
	case []any:
		for _, x := range v {
			if !scalar(x) {
				return Condition{}, fmt.Errorf("the list of %s has texts, numbers, true and false alone", name)
			}
		}
		if len(v) == 0 {
			return Condition{}, fmt.Errorf("the list of %s is empty", name)
		}
		return Condition{Name: name, Op: OpIn, Values: v}, nil
	case map[string]any:
		return operators(name, v)
	}
	return Condition{}, fmt.Errorf("the condition on %s cannot be read", name)
}

func scalar(v any) bool {
	switch v.(type) {
	case string, float64, bool:
		return true
	}
	return false
}

// operators reads an object of comparisons, which all have to hold.
func operators(name string, members map[string]any) (Condition, error) {
	all := Condition{All: []Condition{}}
	for _, op := range slices.Sorted(maps.Keys(members)) {
		v := members[op]
		one := Condition{Name: name, Op: Op(op), Values: []any{v}}
		switch Op(op) {
		case OpOver, OpAtLeast, OpUnder, OpAtMost:
			if _, ok := v.(float64); !ok {
				return one, fmt.Errorf("%s of %s is a number", op, name)
			}
		case OpContains, OpStartsWith:
			if s, ok := v.(string); !ok || s == "" {
				return one, fmt.Errorf("%s of %s is a text", op, name)
			}
		case OpKnown:
			yes, ok := v.(bool)
			if !ok {
				return one, fmt.Errorf("known of %s is true or false", name)
			}
			if one.Values = nil; !yes {
				one = Condition{Not: &Condition{Name: name, Op: OpKnown}}
			}
		case "not":
			raw, _ := json.Marshal(v) // it was read from JSON
			c, err := comparison(name, raw)
			if err != nil {
				return c, err
			}
			one = Condition{Not: &c}
		default:
			return one, fmt.Errorf("%s has no comparison %s; there are not, over, atLeast, under, atMost, contains, startsWith and known", name, op)
		}
		all.All = append(all.All, one)
	}
	if len(all.All) == 0 {
		return all, fmt.Errorf("the condition on %s says nothing", name)
	}
	return all, nil
}

// Walk calls each for the condition and every one within, not those within Did.Where.
func (c Condition) Walk(each func(Condition)) {
	each(c)
	for _, x := range slices.Concat(c.All, c.Any) {
		x.Walk(each)
	}
	if c.Not != nil {
		c.Not.Walk(each)
	}
}

// Says reports whether the condition demands anything.
func (c Condition) Says() bool {
	return len(c.All) > 0 || len(c.Any) > 0 || c.Not != nil || c.Did != nil || c.Name != ""
}

// Key names a did by what it asks, as a column that begins with an underscore.
func (d *Did) Key() string {
	h, ahead := uint64(14695981039346656037), ""
	if d.Next > 0 {
		ahead = "|" + d.Next.String()
	}
	for _, b := range []byte(fmt.Sprintf("%s|%v|%+v%s", d.Input, d.Last, written(d.Where), ahead)) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return "_did_" + strconv.FormatUint(h, 36)
}

// written writes a condition out, what its pointers point at too.
func written(c Condition) string {
	s := fmt.Sprintf("(%s %s %#v", c.Name, c.Op, c.Values)
	for _, x := range c.All {
		s += " and " + written(x)
	}
	for _, x := range c.Any {
		s += " or " + written(x)
	}
	if c.Not != nil {
		s += " not " + written(*c.Not)
	}
	return s + ")"
}

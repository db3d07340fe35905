package review

import (
	"context"
	"reflect"

	"weir/controlplane/policy/own"
	"weir/controlplane/policy/rules"
	"weir/controlplane/store/policies"
	"weir/shared/fault"
	"weir/shared/workspace/document"
)

// change is a change as a difference has it, of an object that is new.
type change struct {
	Op   string `json:"op"`
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Try asks a policy that is not set about c.After, as if it were committed as a new
// workspace: Before is nil, and every object is added. Nothing is kept. broken is what is
// wrong with the policy itself; then nothing was asked.
//
// fault.Unavailable and fault.Limited: it cannot be asked now.
func (s *Service) Try(ctx context.Context, p policies.Policy, c Commit) (broken []fault.Problem, v Verdict, err error) {
	if broken, err = s.Check(ctx, p); err != nil || len(broken) > 0 {
		return broken, Verdict{}, err
	}
	added := []change{{"add", "workspace", c.After.Workspace}}
	c.Before, c.Facts, c.Positions = nil, nil, map[string][]int{}
	doc := reflect.ValueOf(c.After)
	for _, k := range document.Kinds() {
		list := doc.FieldByName(k.Field)
		for i := range list.Len() {
			c.Positions[k.List] = append(c.Positions[k.List], i)
			added = append(added, change{"add", k.Name, nameOf(list.Index(i))})
		}
	}
	for _, a := range added {
		c.Facts = append(c.Facts, rules.Change{Op: a.Op, Kind: a.Kind, Name: a.Name})
	}
	c.Changes = added
	if p.Language == policies.Rules {
		return nil, v, s.written(ctx, p, c, &v)
	}
	v.Problems, err = s.ask(ctx, c, []own.Policy{{Name: p.Name, Text: p.Text}})
	return nil, v, err
}

// nameOf is what a difference calls an object.
func nameOf(o reflect.Value) string {
	if c, ok := o.Interface().(document.Connection); ok {
		return c.Source + " -> " + c.Destination
	}
	return o.FieldByName("Name").String()
}

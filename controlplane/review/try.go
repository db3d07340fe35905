package review

import (
	"context"
	"reflect"

	"weir/controlplane/policy/own"
	"weir/controlplane/policy/rules"
	"weir/controlplane/store"
	"weir/controlplane/store/policies"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace/document"
)

// change is a change as a difference has it, of an object that is new.
type change struct {
	Op   string `json:"op"`
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Trial is a configuration that a policy is tried on, and the plane that runs it.
type Trial struct {
	Organization store.OrganizationID
	Author       store.Actor
	Plane        id.Plane
	PlaneRegion  string
	Document     document.Document
}

// Try asks a policy that is not set about a configuration as if it were committed as a new
// workspace: nothing was before, and every object is added. Nothing is kept. broken is what is
// wrong with the policy itself; then nothing was asked.
//
// fault.Unavailable and fault.Limited: it cannot be asked now.
func (s *Service) Try(ctx context.Context, p policies.Policy, t Trial) (broken []fault.Problem, v Verdict, err error) {
	if broken, err = s.Check(ctx, p); err != nil || len(broken) > 0 {
		return broken, Verdict{}, err
	}
	added := []change{{"add", "workspace", t.Document.Workspace}}
	c := Commit{Organization: t.Organization, Author: t.Author, After: t.Document, Positions: map[string][]int{}, Placement: rules.Placement{Plane: t.Plane, PlaneRegion: t.PlaneRegion}}
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

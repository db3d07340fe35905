package plan

import (
	"fmt"
	"slices"

	"weir/dataplane/event"
	"weir/dataplane/route"
	"weir/dataplane/transform"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// Routing is what happens to the events of one source under one revision: the
// checks, where they go, and what is done to them on the way. It is immutable
// and safe for concurrent use. The nil Routing routes nothing.
type Routing struct {
	Revision   uint64
	SourceName string
	SourceType string
	Checks     *transform.Checks  // nil: none
	Table      *route.Table       // never nil
	Chains     []*transform.Chain // by route.Destination.ChainIndex; nil where nothing is done
}

// Destination returns the connection to d, false when there is none.
func (r *Routing) Destination(d id.Destination) (route.Destination, bool) {
	if r == nil {
		return route.Destination{}, false
	}
	all := r.Table.Destinations()
	i := slices.IndexFunc(all, func(c route.Destination) bool { return c.ID == d })
	if i < 0 {
		return route.Destination{}, false
	}
	return all[i], true
}

// Meta is what code on the way to d learns of where an event is from and goes.
func (r *Routing) Meta(ws id.Workspace, s id.Source, d route.Destination) transform.Meta {
	return transform.Meta{
		Workspace: ws, Source: s, SourceName: r.SourceName, SourceType: r.SourceType,
		Destination: d.ID, DestinationName: d.Name, DestinationType: d.Type,
	}
}

// routings compiles checks and chains of every source; equal chains once.
func routings(c workspace.Config, revision uint64) (map[id.Source]*Routing, []fault.Problem) {
	var problems []fault.Problem
	chains := chainSet{config: c, made: map[string]*transform.Chain{}}
	tables := route.Compile(c)
	all := make(map[id.Source]*Routing, len(c.Sources))
	for i, s := range c.Sources {
		checks, ps := transform.CompileChecks(s.Settings)
		for j := range ps {
			ps[j].Path = fmt.Sprintf("sources[%d].%s", i, ps[j].Path)
		}
		problems = append(problems, ps...)
		r := &Routing{Revision: revision, SourceName: s.Name, SourceType: s.Type, Checks: checks, Table: tables[s.ID]}
		if len(problems) == 0 {
			for _, chain := range r.Table.Chains() {
				made, ps := chains.of(chain)
				problems = append(problems, ps...)
				r.Chains = append(r.Chains, made)
			}
		}
		all[s.ID] = r
	}
	return all, problems
}

// chainSet compiles the chains of one configuration, each once.
type chainSet struct {
	config    workspace.Config
	made      map[string]*transform.Chain // by the identifiers of their transformations
	libraries []transform.Script
}

// of compiles a chain; the empty one is nil.
func (s *chainSet) of(chain []id.Transformation) (*transform.Chain, []fault.Problem) {
	if len(chain) == 0 {
		return nil, nil
	}
	key := fmt.Sprint(chain)
	if made, ok := s.made[key]; ok {
		return made, nil
	}
	if s.libraries == nil {
		for _, l := range s.config.Libraries {
			s.libraries = append(s.libraries, transform.Script{Name: l.Name, Code: l.Code})
		}
	}
	scripts := make([]transform.Script, len(chain))
	for i, t := range chain {
		at := slices.IndexFunc(s.config.Transformations, func(x workspace.Transformation) bool { return x.ID == t })
		scripts[i] = transform.Script{Name: s.config.Transformations[at].Name, Code: s.config.Transformations[at].Code}
	}
	made, problems := transform.Compile(scripts, s.libraries)
	if len(problems) == 0 {
		s.made[key] = made
	}
	return made, problems
}

// Connected reports whether e has a way to go by route, which is Holder.Route: its
// source is there, and a connection to its destination, if it names one.
func Connected(route func(id.Workspace, id.Source) (r *Routing, known bool), e *event.Event) bool {
	r, _ := route(e.Workspace, e.Source)
	if r == nil || e.Destination == "" {
		return r != nil
	}
	_, ok := r.Destination(e.Destination)
	return ok
}

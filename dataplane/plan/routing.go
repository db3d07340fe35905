package plan

import (
	"fmt"
	"slices"

	"weir/dataplane/event"
	"weir/dataplane/filter"
	"weir/dataplane/route"
	"weir/dataplane/transform"
	"weir/shared/fault"
	rules "weir/shared/filter"
	"weir/shared/id"
	"weir/shared/script"
	"weir/shared/workspace"
)

// Routing is what happens to the events of one source under one revision: the
// checks, where they go, and what is done to them on the way. It is immutable
// and safe for concurrent use. The nil Routing routes nothing.
type Routing struct {
	Revision   uint64
	SourceName string
	SourceType string
	Checks     *transform.Checks                 // nil: none
	Table      *route.Table                      // never nil
	Chains     []*transform.Chain                // by route.Destination.ChainIndex; nil where nothing is done
	Filters    map[id.Destination]*filter.Filter // of connections that do not take every event; nil: all do
}

// Refuses returns the code for which the connection to d does not take the event of v,
// "" when it does.
func (r *Routing) Refuses(d id.Destination, v *filter.View) (code string) {
	if f := r.Filters[d]; f != nil {
		return f.Judge(v)
	}
	return ""
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

// routings makes checks and chains of every source; equal chains once. steps are
// those of the transformations.
func routings(c workspace.Config, steps []script.Step, revision uint64) (map[id.Source]*Routing, []fault.Problem) {
	chains := chainSet{config: c, steps: steps, made: map[string]*transform.Chain{}}
	tables := route.Compile(c)
	filters, problems := filtersOf(c)
	all := make(map[id.Source]*Routing, len(c.Sources))
	for i, s := range c.Sources {
		checks, ps := transform.CompileChecks(s.Settings)
		for j := range ps {
			ps[j].Path = fmt.Sprintf("sources[%d].%s", i, ps[j].Path)
		}
		problems = append(problems, ps...)
		r := &Routing{Revision: revision, SourceName: s.Name, SourceType: s.Type, Checks: checks, Table: tables[s.ID], Filters: filters[s.ID]}
		for _, chain := range r.Table.Chains() {
			r.Chains = append(r.Chains, chains.of(chain))
		}
		all[s.ID] = r
	}
	return all, problems
}

// filtersOf compiles the rules of connections, by source. Of two connections between the
// same ends the first counts, as in a route.Table.
func filtersOf(c workspace.Config) (all map[id.Source]map[id.Destination]*filter.Filter, problems []fault.Problem) {
	all = map[id.Source]map[id.Destination]*filter.Filter{}
	var expressions rules.Compiler
	for i, conn := range c.Connections {
		made, problem := filter.New(conn.Rules(), &expressions)
		if problem != nil { // workspace.Check finds it before
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("connections[%d].filter", i), Code: problem.Code, Text: problem.Text})
		}
		if made == nil {
			continue
		}
		if all[conn.Source] == nil {
			all[conn.Source] = map[id.Destination]*filter.Filter{}
		}
		if all[conn.Source][conn.Destination] == nil {
			all[conn.Source][conn.Destination] = made
		}
	}
	return all, problems
}

// chainSet makes the chains of one configuration, each once.
type chainSet struct {
	config workspace.Config
	steps  []script.Step               // of its transformations
	made   map[string]*transform.Chain // by the identifiers of their transformations
}

// of makes a chain; the empty one is nil.
func (s *chainSet) of(chain []id.Transformation) *transform.Chain {
	if len(chain) == 0 {
		return nil
	}
	key := fmt.Sprint(chain)
	if s.made[key] == nil {
		s.made[key] = transform.NewChain(workspace.StepsOf(s.config, s.steps, chain))
	}
	return s.made[key]
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

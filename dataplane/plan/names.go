package plan

import "weir/shared/id"

// Source finds a source of the workspace by its name, else by its identifier.
func (p *Plan) Source(named string) (id.Source, bool) {
	for s, r := range p.sources {
		if r.SourceName == named {
			return s, true
		}
	}
	_, ok := p.sources[id.Source(named)]
	return id.Source(named), ok
}

// Destination finds a destination of the workspace by its name, else by its
// identifier.
func (p *Plan) Destination(named string) (id.Destination, bool) {
	for d, t := range p.targets {
		if t.Name == named {
			return d, true
		}
	}
	_, ok := p.targets[id.Destination(named)]
	return id.Destination(named), ok
}

package fleet

import (
	"context"

	"weir/shared/catalog/private"
	"weir/shared/id"
	"weir/shared/wire"
)

// named returns b with the codes that destinations' own specs declare by their names, which
// stand in the newest revisions. What stands in none of them is wire.Undeclared.
func (s *Service) named(ctx context.Context, b wire.Beat) wire.Beat {
	of := map[id.Destination][]string{} // what specs declare
	read := map[id.Workspace]bool{}
	name := func(ws id.Workspace, d id.Destination, c wire.Code) wire.Code {
		i, own := c.Own()
		if !own {
			return c
		}
		if !read[ws] {
			read[ws] = true
			s.declared(ctx, ws, of)
		}
		if codes := of[d]; i < len(codes) {
			return wire.Code(codes[i])
		}
		return wire.Undeclared
	}
	for i, a := range b.Alarms {
		if len(a.Objects) > 0 {
			b.Alarms[i].Reason = name(a.Workspace, id.Destination(a.Objects[0]), a.Reason)
		}
	}
	for i, c := range b.Counts {
		for code, n := range c.Dropped {
			if _, own := code.Own(); own {
				delete(b.Counts[i].Dropped, code)
				b.Counts[i].Dropped[name(c.Workspace, c.Destination, code)] += n
			}
		}
	}
	return b
}

// declared adds the codes that the own specs of a workspace's destinations declare.
func (s *Service) declared(ctx context.Context, ws id.Workspace, of map[id.Destination][]string) {
	r, err := s.cfg.Store.Latest(ctx, ws)
	if err != nil {
		return // they are named with the next beat
	}
	for _, d := range r.Config.Destinations {
		if d.Type != private.Type {
			continue
		}
		spec, err := private.Parse(d.Spec)
		if err != nil {
			continue // of another release
		}
		of[d.ID] = []string{}
		for _, code := range spec.Codes {
			of[d.ID] = append(of[d.ID], code.Name)
		}
	}
}

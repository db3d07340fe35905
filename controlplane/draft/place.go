package draft

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// reviewPlace finds the plane, places a new workspace on it, and adds what
// policy and the plane's version have against it.
func (s *Service) reviewPlace(ctx context.Context, p *plan) error {
	var plane store.Plane
	var err error
	review := policy.Placement{Config: p.config}
	if p.former != nil {
		review.Former = p.workspace.Region
		plane, err = s.cfg.Store.Plane(ctx, p.workspace.Plane)
	} else {
		if !workspace.ValidRegion(p.config.Region) {
			return nil // the whole-config check says so
		}
		plane, err = s.cfg.Place(ctx, p.config.Region)
		if err != nil && fault.KindOf(err) == fault.Missing {
			p.problems = append(p.problems, fault.Problem{Path: "region", Code: "no_plane",
				Text: "No data plane has joined the region " + p.config.Region + "; invite one first: weir plane invite --region " + p.config.Region + "."})
			return nil
		}
		p.workspace.Plane = plane.ID
	}
	if err != nil {
		return fmt.Errorf("find the plane: %w", err)
	}
	review.Plane, review.PlaneRegion = plane.ID, plane.Region
	problems, err := s.cfg.Policy.Review(ctx, review)
	if err != nil {
		return err
	}
	p.problems = append(p.problems, problems...)
	p.problems = append(p.problems, tooOld(p.config, plane, s.cfg.Catalog)...)
	p.problems = append(p.problems, canOpen(plane, p.config)...)
	problems, err = s.sealedFor(ctx, plane, p)
	if err != nil {
		return err
	}
	p.problems = append(p.problems, problems...)
	return nil
}

// sealedFor wants an envelope for the workspace's plane of every new secret, and
// refuses envelopes for planes outside the region: what they could open has no
// business there.
func (s *Service) sealedFor(ctx context.Context, plane store.Plane, p *plan) ([]fault.Problem, error) {
	if len(p.secrets) == 0 {
		return nil, nil
	}
	planes, err := s.cfg.Store.Planes(ctx, plane.Region)
	if err != nil {
		return nil, fmt.Errorf("find the planes of region %s: %w", plane.Region, err)
	}
	paths := map[secret.Name]string{}
	for ref := range p.config.Secrets() {
		paths[ref.Name] = ref.Path
	}
	var problems []fault.Problem
	for _, sealed := range p.secrets {
		path := paths[sealed.Name]
		for target := range sealed.Sealed {
			if !slices.ContainsFunc(planes, func(p store.Plane) bool { return p.ID == target }) {
				problems = append(problems, fault.Problem{Path: path, Code: "unknown_plane", Text: "The secret is sealed for something that is not a plane of this region."})
				break
			}
		}
		if _, ok := sealed.Sealed[plane.ID]; !ok {
			problems = append(problems, fault.Problem{Path: path, Code: "secret_not_sealed", Text: fmt.Sprintf("The secret is not sealed for plane %s (%s).", plane.Name, plane.ID)})
		}
	}
	return problems, nil
}

// tooOld lists the kinds, languages and additions to configurations that the plane's
// version lacks. Types that nobody knows are the whole-config check's.
func tooOld(c workspace.Config, plane store.Plane, specs []catalog.Spec) []fault.Problem {
	var problems []fault.Problem
	need := func(path, what, name string, families ...string) {
		for _, k := range plane.Kinds {
			if k.Name == (wire.Kind{}).Named(name).Name && slices.Contains(families, k.Family) {
				return
			}
		}
		problems = append(problems, fault.Problem{Path: path, Code: "too_old",
			Text: fmt.Sprintf("Plane %s (%s) runs version %s, which has no %s; upgrade the plane first.", plane.Name, plane.ID, cmp.Or(plane.Version, "unknown"), what)})
	}
	for i, source := range c.Sources {
		if _, ok := catalog.Find(specs, source.Type, catalog.Sources); ok {
			need(fmt.Sprintf("sources[%d].type", i), "source "+source.Type, source.Type, string(catalog.Sources))
		}
	}
	for i, t := range c.Transformations {
		if t.Language == "javascript" {
			need(fmt.Sprintf("transformations[%d].language", i), "transformation in "+t.Language, t.Language, "transformation")
		}
	}
	for i, d := range c.Destinations {
		if _, ok := catalog.Find(specs, d.Type, catalog.Destinations, catalog.Warehouses); ok {
			need(fmt.Sprintf("destinations[%d].type", i), "destination "+d.Type, d.Type, string(catalog.Destinations), string(catalog.Warehouses))
		}
	}
	for path, name := range c.Added() {
		need(path, path[strings.LastIndex(path, ".")+1:], name, "transformation")
	}
	return problems
}

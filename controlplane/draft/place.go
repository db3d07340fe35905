package draft

import (
	"context"
	"fmt"
	"slices"

	"weir/controlplane/draft/fit"
	"weir/controlplane/policy/rules"
	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// reviewPlace finds the plane, places a new workspace on it, and adds what
// policy and the plane's version have against it.
func (s *Service) reviewPlace(ctx context.Context, by Proposal, p *plan) error {
	var plane store.Plane
	var err error
	place := rules.Placement{Config: p.config}
	if p.former != nil {
		place.Former = p.workspace.Region
		plane, err = s.cfg.Store.Plane(ctx, p.workspace.Plane)
	} else {
		if !workspace.ValidRegion(p.config.Region) {
			return nil // the whole-config check says so
		}
		plane, err = s.cfg.Place(ctx, by.Organization, p.config.Region)
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
	place.Plane, place.PlaneRegion = plane.ID, plane.Region
	found, err := s.cfg.Review.Review(ctx, s.reviewed(by, p, place))
	if err != nil {
		return err
	}
	p.problems, p.needs = append(p.problems, found.Problems...), found.Needs
	p.problems = append(p.problems, fit.TooOld(p.config, plane, s.cfg.Catalog)...)
	p.problems = append(p.problems, fit.CanOpen(plane, p.config)...)
	problems, err := s.sealedFor(ctx, plane, p)
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

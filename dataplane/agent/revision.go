package agent

import (
	"context"
	"maps"

	"weir/dataplane/plan"
	"weir/shared/fault"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// revision is a body that was read, with what is wrong with it as such.
type revision struct {
	pointer  wire.Pointer
	body     []byte
	config   workspace.Config
	problems []fault.Problem
}

// revisionOf reads a body and holds it to its pointer, the region and the guard.
func revisionOf(cfg Config, p wire.Pointer, body []byte) revision {
	r := revision{pointer: p, body: body}
	if workspace.DigestOf(body) != p.Digest {
		r.problems = []fault.Problem{{Code: string(wire.BodyDamaged), Text: "The body does not have the digest of its pointer."}}
		return r
	}
	c, err := workspace.Decode(body)
	if err != nil {
		if r.problems = fault.ProblemsOf(err); len(r.problems) == 0 {
			r.problems = []fault.Problem{{Code: "malformed", Text: "The body cannot be read."}}
		}
		return r
	}
	r.config = c
	if c.Workspace != p.Workspace {
		r.problems = append(r.problems, fault.Problem{Path: "workspace", Code: plan.CodeWorkspace, Text: "The body belongs to another workspace than its pointer."})
	}
	if c.Region != cfg.Region || p.Region != cfg.Region {
		r.problems = append(r.problems, fault.Problem{Path: "region", Code: "region_mismatch", Text: "The workspace belongs to another region than this plane."})
	}
	r.problems = append(r.problems, cfg.Guard.Review(c)...)
	return r
}

// writeKeys lists the write keys in the body, nil when it cannot be read.
func (r revision) writeKeys() []string {
	if r.config.Workspace == "" {
		return nil
	}
	keys := make([]string, 0, len(r.config.Sources))
	for _, s := range r.config.Sources {
		keys = append(keys, s.WriteKey)
	}
	return keys
}

// maxRemoved is how many names of removed objects a workspace keeps.
const maxRemoved = 10_000

// removed returns the names that k knows of sources and destinations that are not in
// the revision: those of the revision before, and of those before that.
func (r revision) removed(k kept) map[string]string {
	names := maps.Clone(k.Removed)
	if names == nil {
		names = map[string]string{}
	}
	if before, err := workspace.Decode(k.Body); err == nil && len(names) < maxRemoved {
		each(before, func(key, name string) { names[key] = name })
	}
	each(r.config, func(key, _ string) { delete(names, key) })
	return names
}

// each calls fn for every source and destination of c.
func each(c workspace.Config, fn func(key, name string)) {
	for _, s := range c.Sources {
		fn(string(s.ID), s.Name)
	}
	for _, d := range c.Destinations {
		fn(string(d.ID), d.Name)
	}
}

// compile makes the plan; it takes over what the plan that runs has open. Errors
// are those of plan.Compile.
func (r revision) compile(ctx context.Context, cfg Config, secrets plan.Secrets) (*plan.Plan, []fault.Problem, error) {
	if len(r.problems) > 0 {
		return nil, r.problems, nil
	}
	return cfg.Plans.Plan(r.pointer.Workspace).Next(ctx, workspace.Revision{
		Workspace: r.pointer.Workspace, Number: r.pointer.Number, Digest: r.pointer.Digest, Config: r.config,
	}, cfg.Kinds, secrets)
}

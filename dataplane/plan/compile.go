package plan

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"weir/dataplane/destination"
	"weir/dataplane/ingest"
	"weir/dataplane/layout"
	"weir/dataplane/load"
	"weir/dataplane/pull"
	"weir/dataplane/warehouse"
	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/script"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
	"weir/shared/workspace/activation"
)

// Codes of Compile's own problems; the others are those of workspace.Check and
// of the kinds.
const (
	CodeSecretMissing = "secret_missing"     // a secret's value did not come
	CodeWorkspace     = "workspace_mismatch" // the configuration is another workspace's
	CodeOpen          = "open_failed"        // the kind refuses settings or secrets for a reason of its own
	CodeWriteKey      = "write_key_taken"    // another workspace of this plane has the write key
)

// Kinds is what this build can run.
type Kinds struct {
	Sources      []ingest.Kind
	Pulled       []pull.Kind // sources whose rows are pulled
	Destinations []destination.Kind
	Custom       func(spec string) (destination.Kind, error) // of destinations with a spec of their own; nil: there are none
	CustomSource func(spec string) (pull.Kind, error)        // of sources with a spec of their own; nil: there are none
	Warehouses   []warehouse.Kind
	Layouts      []*layout.Dialect // of kinds of warehouses, also of those that cannot be loaded yet
	Code         *script.Compiler  // of transformations; nil: a configuration with code is an error
}

// custom and customSource are the Specs of destinations and of sources with a spec of their
// own. They are looked for once: all kinds are decoded for them, and each revision asks.
var (
	custom       = sync.OnceValue(func() []catalog.Spec { return ownKind(catalog.Destinations) })
	customSource = sync.OnceValue(func() []catalog.Spec { return ownKind(catalog.Sources) })
)

func ownKind(f catalog.Family) []catalog.Spec {
	if s, ok := catalog.Find(catalog.All(), private.Type, f); ok {
		return []catalog.Spec{s}
	}
	return nil
}

// Specs returns the Spec of every kind, sources first.
func (k Kinds) Specs() []catalog.Spec {
	specs := make([]catalog.Spec, 0, len(k.Sources)+len(k.Destinations)+len(k.Warehouses))
	for _, s := range k.Sources {
		specs = append(specs, s.Spec)
	}
	for _, p := range k.Pulled {
		specs = append(specs, p.Spec)
	}
	if k.CustomSource != nil {
		specs = append(specs, customSource()...)
	}
	for _, d := range k.Destinations {
		specs = append(specs, d.Spec)
	}
	if k.Custom != nil {
		specs = append(specs, custom()...)
	}
	for _, w := range k.Warehouses {
		specs = append(specs, w.Spec)
	}
	return specs
}

// entry opens one source.
func (k Kinds) entry(ws id.Workspace, src workspace.Source, s Secrets, at string) (e ingest.Entry, problems []fault.Problem) {
	e = ingest.Entry{Workspace: ws, Source: src.ID, Name: src.Name, Type: src.Type, Disabled: src.Disabled}
	i := slices.IndexFunc(k.Sources, func(kind ingest.Kind) bool { return kind.Spec.Name == src.Type })
	if i < 0 { // workspace.Check refused it
		return e, nil
	}
	kind := k.Sources[i]
	settings := catalog.Fill(kind.Spec, src.Settings)
	e.Rate = kind.Rate(settings)
	secrets, problems := s.of(src.Secrets, at, func(field string, version uint64) secret.Name {
		return secret.OfSource(ws, src.ID, field, version)
	})
	if kind.Open == nil || len(problems) > 0 {
		return e, problems
	}
	if err := guarded(func() (err error) { e.Opened, err = kind.Open(settings, secrets); return err }); err != nil {
		return e, under(at, err)
	}
	return e, nil
}

// Secrets is the opened secrets of a configuration, by name.
type Secrets map[secret.Name]secret.String

// of returns the secrets of one object by field, and names those that did not
// come.
func (s Secrets) of(refs map[string]secret.Ref, at string, name func(field string, version uint64) secret.Name) (map[string]secret.String, []fault.Problem) {
	opened := make(map[string]secret.String, len(refs))
	var problems []fault.Problem
	for _, field := range slices.Sorted(maps.Keys(refs)) {
		clear, ok := s[name(field, refs[field].Version)]
		if !ok {
			problems = append(problems, fault.Problem{Path: at + ".secrets." + field, Code: CodeSecretMissing,
				Text: "The sealed value of this secret did not come to the data plane; apply it again with --reseal."})
		}
		opened[field] = clear
	}
	return opened, problems
}

// Plan is one workspace as this plane runs it. It is immutable and safe for
// concurrent use.
type Plan struct {
	Workspace id.Workspace
	Name      string
	Number    uint64
	Digest    workspace.Digest
	Removed   map[string]string // what sources and destinations were called that are no more, by id; set before anybody reads the plan

	Profiles []workspace.Profile

	entries map[string]ingest.Entry // by write key
	paths   map[string]string       // by write key: where it stands in the configuration
	sources map[id.Source]*Routing
	pulls   map[id.Source]pulled
	targets map[id.Destination]target
	models  []activation.Model
	syncs   []activation.Sync
}

// target is an opened destination and what it was opened with.
type target struct {
	*destination.Target
	warehouse warehouse.Opened // of a warehouse
	spec      string           // its own
	unopened  bool             // this build cannot read its spec: deliveries are parked
	settings  []byte
	secrets   map[string]secret.String
}

// SourceName returns the name that a source has, or had when it was removed; "": the
// workspace never had it.
func (p *Plan) SourceName(s id.Source) string {
	if r := p.sources[s]; r != nil {
		return r.SourceName
	}
	return p.Removed[string(s)]
}

// DestinationName returns the name that a destination has, or had when it was removed;
// "": the workspace never had it.
func (p *Plan) DestinationName(d id.Destination) string {
	if t, ok := p.targets[d]; ok {
		return t.Name
	}
	return p.Removed[string(d)]
}

// Compile makes the plan of a revision, or lists every reason why it cannot run
// here; the plan is then nil. Problems of different stages (shape; code; kinds and
// secrets) are not mixed: a later stage would only repeat an earlier one.
//
// fault.Unavailable, fault.Limited: the code could not be compiled now; nothing is
// known of the revision.
func Compile(ctx context.Context, r workspace.Revision, k Kinds, s Secrets) (*Plan, []fault.Problem, error) {
	return (*Plan)(nil).Next(ctx, r, k, s)
}

// Next is Compile that takes over the destinations of p, the plan that ran
// before, where type, settings and secrets are unchanged: a lane sees the same
// Target and keeps what it has open. p may be nil.
func (p *Plan) Next(ctx context.Context, r workspace.Revision, k Kinds, s Secrets) (*Plan, []fault.Problem, error) {
	c := r.Config
	if problems := check(r, k); len(problems) > 0 {
		return nil, problems, nil
	}
	steps, problems, err := workspace.Compile(ctx, k.Code, c)
	if err != nil || len(problems) > 0 {
		return nil, declared(problems), err
	}
	next := &Plan{
		Workspace: r.Workspace, Name: c.Name, Number: r.Number, Digest: r.Digest, Profiles: c.Profiles,
		entries: make(map[string]ingest.Entry, len(c.Sources)), paths: make(map[string]string, len(c.Sources)),
		targets: make(map[id.Destination]target, len(c.Destinations)), models: withMembers(c), syncs: c.Syncs, pulls: map[id.Source]pulled{},
	}
	next.sources, problems = routings(c, steps, r.Number)
	for i, src := range c.Sources {
		if x, ok, ps := p.pulledOf(c.Workspace, src, k, s, r.Number, fmt.Sprintf("sources[%d]", i)); ok { // its write key opens nothing
			problems = append(problems, ps...)
			next.pulls[src.ID] = x
			continue
		}
		next.paths[src.WriteKey] = fmt.Sprintf("sources[%d].writeKey", i)
		entry, ps := k.entry(c.Workspace, src, s, fmt.Sprintf("sources[%d]", i))
		problems = append(problems, ps...)
		next.entries[src.WriteKey] = entry
	}
	for i, d := range c.Destinations {
		t, ps := p.target(c.Workspace, d, k, s, fmt.Sprintf("destinations[%d]", i))
		problems = append(problems, ps...)
		next.targets[d.ID] = t
	}
	if len(problems) > 0 {
		return nil, declared(problems), nil
	}
	return next, nil, nil
}

// unopened are the places of specs that destinations and sources have themselves.
var unopened = regexp.MustCompile(`^(destinations|sources)\[[0-9]+\]\.spec(\.|$)`)

// check lists what is wrong with the configuration as such. A destination or source with a
// spec of its own that this build cannot read stops no other: see Holder.Unopened.
func check(r workspace.Revision, k Kinds) []fault.Problem {
	problems := slices.DeleteFunc(workspace.Check(r.Config, k.Specs()), func(p fault.Problem) bool {
		return unopened.MatchString(p.Path) && k.Custom != nil
	})
	if r.Workspace != r.Config.Workspace {
		problems = append(problems, fault.Problem{Path: "workspace", Code: CodeWorkspace, Text: "The configuration belongs to another workspace than its revision."})
	}
	return declared(problems)
}

// target opens one destination, or takes it over from p.
func (p *Plan) target(ws id.Workspace, d workspace.Destination, k Kinds, s Secrets, at string) (target, []fault.Problem) {
	made := destination.Target{Workspace: ws, ID: d.ID, Name: d.Name, Type: d.Type, Disabled: d.Disabled}
	spec, opener, ok := k.opener(d)
	if !ok && d.Type == private.Type && k.Custom != nil {
		made.Disabled = true
		return target{Target: &made, spec: d.Spec, unopened: true}, nil
	}
	if !ok {
		return target{}, []fault.Problem{{Path: at + ".type", Code: "unknown_type", Text: "This plane has no destination of this type."}}
	}
	secrets, problems := s.of(d.Secrets, at, func(field string, version uint64) secret.Name {
		return secret.OfDestination(ws, d.ID, field, version)
	})
	if len(problems) > 0 {
		return target{}, problems
	}
	if d.Type == private.Type {
		for _, code := range spec.Codes {
			made.Codes = append(made.Codes, code.Name)
		}
	}
	t := target{spec: d.Spec, settings: catalog.Fill(spec, d.Settings), secrets: secrets}
	if p != nil {
		if old, ok := p.targets[d.ID]; ok && old.equal(t, d.Type) {
			t.warehouse = old.warehouse
			if made.Opened = old.Opened; old.Name == d.Name && old.Disabled == d.Disabled {
				return old, nil
			}
			t.Target = &made
			return t, nil
		}
	}
	if err := guarded(func() (err error) { made.Opened, t.warehouse, err = opener(t.settings, t.secrets); return err }); err != nil {
		return target{}, declared(under(at, err))
	}
	t.Target = &made
	return t, nil
}

// equal reports whether t was opened with the same type, settings and secrets.
func (t target) equal(o target, kind string) bool {
	return t.Type == kind && t.spec == o.spec && !t.unopened && bytes.Equal(t.settings, o.settings) &&
		maps.EqualFunc(t.secrets, o.secrets, func(a, b secret.String) bool { return a.Reveal() == b.Reveal() })
}

// opener opens what lanes deliver to, and of a warehouse what loads work with.
type opener func(settings []byte, secrets map[string]secret.String) (destination.Opened, warehouse.Opened, error)

// opener finds the kind of a destination.
func (k Kinds) opener(d workspace.Destination) (catalog.Spec, opener, bool) {
	if d.Type == private.Type && k.Custom != nil {
		kind, err := k.Custom(d.Spec)
		return kind.Spec, func(settings []byte, secrets map[string]secret.String) (destination.Opened, warehouse.Opened, error) {
			opened, err := kind.Open(settings, secrets)
			return opened, warehouse.Opened{}, err
		}, err == nil
	}
	for _, kind := range k.Destinations {
		if kind.Spec.Name == d.Type {
			return kind.Spec, func(settings []byte, secrets map[string]secret.String) (destination.Opened, warehouse.Opened, error) {
				opened, err := kind.Open(settings, secrets)
				if err == nil && opened.Limits.Interval > 0 {
					stage := staged(d.ID, nothing)
					stage.Names = opened.Names
					return stage, written(opened), nil
				}
				return opened, warehouse.Opened{}, err
			}, true
		}
	}
	for _, kind := range k.Warehouses {
		if kind.Spec.Name == d.Type {
			return kind.Spec, func(settings []byte, secrets map[string]secret.String) (destination.Opened, warehouse.Opened, error) {
				opened, err := kind.Open(settings, secrets)
				return staged(d.ID, load.Refuses), opened, err
			}, true
		}
	}
	return catalog.Spec{}, nil, false
}

// guarded opens something; a kind that panics on a configuration refuses it.
func guarded(open func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = fault.New(fault.Internal, "The kind failed on this configuration.")
		}
	}()
	return open()
}

// under gives the problems of a kind's error their place in the configuration.
func under(at string, err error) []fault.Problem {
	problems := slices.Clone(fault.ProblemsOf(err))
	for i := range problems {
		problems[i].Path = at + "." + problems[i].Path
	}
	if len(problems) == 0 {
		problems = []fault.Problem{{Path: at, Code: CodeOpen, Text: "This cannot be opened with these settings and secrets."}}
	}
	return problems
}

// declared replaces codes that may not go up: those that a kind made up itself.
func declared(problems []fault.Problem) []fault.Problem {
	for i := range problems {
		if !wire.Code(problems[i].Code).Known() {
			problems[i].Code = CodeOpen
		}
	}
	return problems
}

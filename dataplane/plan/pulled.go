package plan

import (
	"bytes"
	"maps"
	"reflect"
	"slices"

	"weir/dataplane/pull"
	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// pulled is an opened source whose rows are pulled, and what it was opened with.
type pulled struct {
	*pull.Target
	spec     string // its own
	settings []byte
	secrets  map[string]secret.String
}

// pulledOf opens one source, or takes it over from p. ok is false for a source that takes
// what is sent to it.
func (p *Plan) pulledOf(ws id.Workspace, src workspace.Source, k Kinds, s Secrets, revision uint64, at string) (x pulled, ok bool, problems []fault.Problem) {
	var kind pull.Kind
	if src.Type == private.Type && k.CustomSource != nil {
		var err error
		if kind, err = k.CustomSource(src.Spec); err != nil { // of another release: nothing is pulled
			return pulled{Target: &pull.Target{Workspace: ws, ID: src.ID, Name: src.Name, Type: src.Type, Disabled: true, Revision: revision}, spec: src.Spec}, true, nil
		}
	} else {
		i := slices.IndexFunc(k.Pulled, func(kind pull.Kind) bool { return kind.Spec.Name == src.Type })
		if i < 0 {
			return pulled{}, false, nil
		}
		kind = k.Pulled[i]
	}
	secrets, problems := s.of(src.Secrets, at, func(field string, version uint64) secret.Name {
		return secret.OfSource(ws, src.ID, field, version)
	})
	if len(problems) > 0 {
		return pulled{}, true, problems
	}
	t := &pull.Target{Workspace: ws, ID: src.ID, Name: src.Name, Type: src.Type, Disabled: src.Disabled, Revision: revision}
	if src.Pull != nil {
		t.Pull = *src.Pull
	}
	t.Streams = t.Pull.Of(kind.Spec.StreamsIn(src.Settings))
	x = pulled{Target: t, spec: src.Spec, settings: catalog.Fill(kind.Spec, src.Settings), secrets: secrets}
	if p != nil {
		if old, there := p.pulls[src.ID]; there && old.equal(x) {
			return old, true, nil
		}
	}
	if err := guarded(func() (err error) { t.Opened, err = kind.Open(src.Settings, secrets); return err }); err != nil {
		return pulled{}, true, under(at, err)
	}
	return x, true, nil
}

// equal reports whether x is configured as o is.
func (x pulled) equal(o pulled) bool {
	return x.Name == o.Name && x.Type == o.Type && x.spec == o.spec && x.Disabled == o.Disabled && reflect.DeepEqual(x.Pull, o.Pull) && bytes.Equal(x.settings, o.settings) &&
		maps.EqualFunc(x.secrets, o.secrets, func(a, b secret.String) bool { return a.Reveal() == b.Reveal() })
}

// Pulls lists the sources of all workspaces whose rows are pulled.
func (h *Holder) Pulls() []*pull.Target {
	var all []*pull.Target
	for _, p := range h.now().plans {
		if p == nil {
			continue
		}
		for _, x := range p.pulls {
			all = append(all, x.Target)
		}
	}
	return all
}

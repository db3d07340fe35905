package workspace

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/secret"
)

// SecretRef is one reference of a configuration to a secret, and where in the
// configuration it stands, such as destinations[0].secrets.headers.
type SecretRef struct {
	secret.Ref
	Name secret.Name
	Path string
}

// Secrets yields every reference to a secret in the order of sources, then of
// destinations, each by field.
func (c Config) Secrets() iter.Seq[SecretRef] {
	return func(yield func(SecretRef) bool) {
		for i, s := range c.Sources {
			for r := range refs(s.Secrets, fmt.Sprintf("sources[%d]", i), func(field string, version uint64) secret.Name {
				return secret.OfSource(c.Workspace, s.ID, field, version)
			}) {
				if !yield(r) {
					return
				}
			}
		}
		for i, d := range c.Destinations {
			for r := range refs(d.Secrets, fmt.Sprintf("destinations[%d]", i), func(field string, version uint64) secret.Name {
				return secret.OfDestination(c.Workspace, d.ID, field, version)
			}) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Bindings returns where each secret of c is sent, by the kinds in specs. Secrets of
// objects whose kind is not there are left out.
func (c Config) Bindings(specs []catalog.Spec) map[secret.Name]secret.Binding {
	all := map[secret.Name]secret.Binding{}
	for _, s := range c.Sources {
		if spec, ok := private.Find(specs, s.Type, s.Spec, catalog.Sources); ok {
			for field, ref := range s.Secrets {
				all[secret.OfSource(c.Workspace, s.ID, field, ref.Version)] = secret.Binding(catalog.SentTo(spec, s.Settings))
			}
		}
	}
	for _, d := range c.Destinations {
		if spec, ok := private.Find(specs, d.Type, d.Spec, catalog.Destinations, catalog.Warehouses); ok {
			for field, ref := range d.Secrets {
				all[secret.OfDestination(c.Workspace, d.ID, field, ref.Version)] = secret.Binding(catalog.SentTo(spec, d.Settings))
			}
		}
	}
	return all
}

// refs yields the references of one object.
func refs(of map[string]secret.Ref, at string, name func(field string, version uint64) secret.Name) iter.Seq[SecretRef] {
	return func(yield func(SecretRef) bool) {
		for _, field := range slices.Sorted(maps.Keys(of)) {
			if !yield(SecretRef{of[field], name(field, of[field].Version), at + ".secrets." + field}) {
				return
			}
		}
	}
}

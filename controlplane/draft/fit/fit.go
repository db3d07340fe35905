// Package fit says whether a plane can run a configuration: whether its version has what
// is used, and whether it can open the secrets; and whether the tables of a warehouse stay
// in one layout.
package fit

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"weir/controlplane/store"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// BoundElsewhere lists the secrets of next that are sealed for another place than
// the one that the settings send them to now. The plane would not open them; those
// that a release before sealed for no place keep the settings that they had in
// former, nil for none, and no new ones are taken.
func BoundElsewhere(former *workspace.Config, next workspace.Config, sent []store.Secret, specs []catalog.Spec) []fault.Problem {
	known := map[secret.Name]string{}
	var were map[secret.Name]secret.Binding
	if former != nil {
		were = former.Bindings(specs)
		for ref := range former.Secrets() {
			known[ref.Name] = ref.Fingerprint
		}
	}
	bindings := next.Bindings(specs)
	var problems []fault.Problem
	for ref := range next.Secrets() {
		to, there := bindings[ref.Name]
		if !there {
			continue // the kind is not known, which the whole-config check says
		}
		is, same := secret.BoundTo(ref.Fingerprint, to)
		switch {
		case is && !same, !is && known[ref.Name] == ref.Fingerprint && were[ref.Name] != to:
			problems = append(problems, fault.Problem{Path: ref.Path, Code: "secret_elsewhere", Text: elsewhere(ref.Name, to)})
		case !is && slices.ContainsFunc(sent, func(s store.Secret) bool { return s.Name == ref.Name }):
			problems = append(problems, fault.Problem{Path: ref.Path, Code: "secret_unbound",
				Text: "The secret was sealed without the place that it is sent to, by a release of weir that is too old; upgrade weir and give the value again."})
		}
	}
	return problems
}

// long is a value of a binding, such as a certificate, of which the beginning is shown.
var long = regexp.MustCompile(`(=[^ ]{60})[^ ]{40,}`)

// elsewhere says why a secret has to be given again.
func elsewhere(n secret.Name, to secret.Binding) string {
	_, place, found := strings.Cut(string(to), " ")
	if !found {
		return fmt.Sprintf("The secret %s was sealed for another kind of %s; give its value again, from: env or from: file.", n.Field, n.Family)
	}
	place = long.ReplaceAllString(place, "$1…")
	return fmt.Sprintf("The settings send the secret %s to %s now, and it was sealed for another place; give its value again, from: env or from: file.", n.Field, place)
}

// CanOpen wants planes that know bindings for secrets that have one.
func CanOpen(plane store.Plane, c workspace.Config) []fault.Problem {
	if slices.Contains(plane.Kinds, wire.BoundSecrets()) {
		return nil
	}
	var problems []fault.Problem
	for ref := range c.Secrets() {
		if is, _ := secret.BoundTo(ref.Fingerprint, ""); is {
			problems = append(problems, fault.Problem{Path: ref.Path, Code: "too_old",
				Text: fmt.Sprintf("Plane %s (%s) runs version %s, which cannot open secrets that are sealed for a place; upgrade the plane first.", plane.Name, plane.ID, cmp.Or(plane.Version, "unknown"))})
		}
	}
	return problems
}

// TooOld lists the kinds, languages and additions to configurations that the plane's
// version lacks. Types that nobody knows are the whole-config check's.
func TooOld(c workspace.Config, plane store.Plane, specs []catalog.Spec) []fault.Problem {
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

package workspace

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/fault"
	"weir/shared/filter"
	"weir/shared/id"
	"weir/shared/script"
	"weir/shared/secret"
	"weir/shared/workspace/profiles"
)

// Limits of one workspace, beside those of its lists in Config. They keep a revision
// small enough to be pushed, compiled and rolled back in seconds.
const (
	maxChain    = 20        // transformations of one connection
	maxSettings = 64 << 10  // bytes of one object's settings
	maxVersion  = 1<<53 - 1 // of a secret; above it JavaScript rounds
	maxListed   = 200       // problems that one check lists
)

var (
	// Those below slug are long programs: a process that checks nothing compiles none of them.

	// slug names a workspace (it stands in addresses) and a region.
	slug = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	// name names objects: letters, digits, space, '_', '-' and '.', a letter or
	// digit at both ends.
	name = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[\p{L}\p{N}]([\p{L}\p{M}\p{N} _.-]{0,62}[\p{L}\p{M}\p{N}])?$`)
	})
	library     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,62}$`) }) // stands in import statements
	writeKey    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`) })        // fits Basic's user name and an address
	fingerprint = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_:+/=.-]{1,128}$`) })
)

// Codes lists every code that Check, Compile and Decode give beside the catalog's own.
func Codes() []string {
	return slices.Concat(filter.Codes(), profiles.Codes(), []string{
		"malformed", "too_new", "too_many", "too_large", "bad_id", "bad_name", "bad_region", "bad_write_key", "bad_version",
		"bad_fingerprint", "duplicate_id", "duplicate_name", "duplicate_write_key", "duplicate_connection",
		"duplicate_transformation", "unknown_type", "unknown_language", "unknown_source", "unknown_destination",
		"unknown_transformation", "unknown_category", "unknown_model", "unknown_audience", "unknown_object", "bad_sql", "bad_cron", "required", "too_many_problems",
		script.CodeSyntax, script.CodeImport, script.CodeExport, script.CodeExports, script.CodeTooComplex,
	})
}

// Check lists every problem of c at once, each with its path, in the order of
// the configuration; nil means that it may become a revision, if Compile finds
// nothing. specs are the kinds that may be used. Past 200 problems it says
// too_many_problems.
func Check(c Config, specs []catalog.Spec) []fault.Problem {
	k := check{specs: specs}
	k.head(c)
	if !k.counts(c) {
		return k.problems
	}
	sources := k.sources(c.Sources)
	k.libraries(c.Libraries)
	transformations := k.transformations(c.Transformations)
	destinations := k.destinations(c.Destinations)
	categories := k.consentCategories(c.ConsentCategories)
	k.profiles(c.Profiles, c.Destinations)
	k.syncs(c.Syncs, k.models(c.Models, c.Destinations, c.Profiles), c.Destinations, c.Profiles)
	k.connections(c.Connections, sources, destinations, transformations, categories)
	if len(k.problems) == 0 {
		if _, _, err := Encode(c); err != nil {
			k.problems = fault.ProblemsOf(err)
		}
	}
	if len(k.problems) > maxListed {
		k.problems = append(k.problems[:maxListed], fault.Problem{Code: "too_many_problems", Text: "There are more problems than these."})
	}
	return k.problems
}

// Choices lists sources and destinations that lack what their kinds need one way or the
// other, or have it twice. A configuration that has passed Check runs without it, as the
// kinds themselves look at what they cannot do without.
func Choices(c Config, specs []catalog.Spec) (problems []fault.Problem) {
	look := func(at, kind, text string, settings []byte, refs map[string]secret.Ref, families ...catalog.Family) {
		if spec, ok := private.Find(specs, kind, text, families...); ok && len(problems) < maxListed {
			isSecret := func(name string) bool {
				return slices.ContainsFunc(spec.Secrets, func(f catalog.Field) bool { return f.Name == name })
			}
			problems = append(problems, spec.Form.Problems(settings, slices.Collect(maps.Keys(refs)), isSecret, at)...)
		}
	}
	for i, s := range c.Sources {
		look(fmt.Sprintf("sources[%d]", i), s.Type, s.Spec, s.Settings, s.Secrets, catalog.Sources)
	}
	for i, d := range c.Destinations {
		look(fmt.Sprintf("destinations[%d]", i), d.Type, d.Spec, d.Settings, d.Secrets, catalog.Destinations, catalog.Warehouses)
	}
	return problems
}

// check gathers problems.
type check struct {
	specs    []catalog.Spec
	problems []fault.Problem
}

func (k *check) add(path, code, format string, args ...any) {
	if len(k.problems) <= maxListed {
		k.problems = append(k.problems, fault.Problem{Path: path, Code: code, Text: fmt.Sprintf(format, args...)})
	}
}

func (k *check) head(c Config) {
	switch {
	case c.Format > Format:
		k.add("format", "too_new", "This build knows formats up to %d.", Format)
	case c.Format < 1:
		k.add("format", "malformed", "The format is a number from 1.")
	}
	if !id.Valid(c.Workspace) {
		k.add("workspace", "bad_id", "An identifier is 1 to 64 of a-z, 0-9, '_' and '-'.")
	}
	if !slug.MatchString(c.Name) {
		k.add("name", "bad_name", "A workspace's name is 1 to 63 of a-z, 0-9 and '-', a letter first.")
	}
	if !ValidRegion(c.Region) {
		k.add("region", "bad_region", "A region's name is 1 to 63 of a-z, 0-9 and '-', a letter first, such as eu.")
	}
}

// ValidRegion reports whether s may name a region: 1 to 63 of a-z, 0-9 and '-',
// a letter first.
func ValidRegion(s string) bool { return slug.MatchString(s) }

// counts reports whether c is small enough to be looked at in detail.
func (k *check) counts(c Config) bool {
	before := len(k.problems)
	for field, list := range lists(&c) {
		path := key(field)
		most, _ := strconv.Atoi(field.Tag.Get("most")) // of every list, which a test holds
		if list.Len() > most {
			k.add(path, "too_many", "There are %d %s; a workspace has at most %d.", list.Len(), path, most)
		}
	}
	return len(k.problems) == before
}

// names checks identifier and name of one object against those seen before.
func (k *check) names(at, objectID, objectName string, valid bool, ids, names map[string]bool) {
	switch {
	case !valid:
		k.add(at+".id", "bad_id", "An identifier is 1 to 64 of a-z, 0-9, '_' and '-'.")
	case ids[objectID]:
		k.add(at+".id", "duplicate_id", "Another object of this kind has the identifier %s.", objectID)
	}
	switch {
	case !name().MatchString(objectName):
		k.add(at+".name", "bad_name", "A name is 1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last.")
	case names[objectName]:
		k.add(at+".name", "duplicate_name", "Another object of this kind is called %s.", objectName)
	}
	ids[objectID], names[objectName] = true, true
}

func (k *check) sources(list []Source) map[string]bool {
	ids, names, keys := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, s := range list {
		at := fmt.Sprintf("sources[%d]", i)
		k.names(at, string(s.ID), s.Name, id.Valid(s.ID), ids, names)
		switch {
		case !writeKey().MatchString(s.WriteKey):
			k.add(at+".writeKey", "bad_write_key", "A write key is 1 to 128 of A-Z, a-z, 0-9, '_', '-' and '.'.")
		case keys[s.WriteKey]:
			k.add(at+".writeKey", "duplicate_write_key", "Another source has this write key.")
		}
		keys[s.WriteKey] = true
		spec, ok := k.spec(at, s.Type, catalog.Sources)
		if ok {
			spec, ok = k.own(at, spec, s.Type, s.Spec, "source", private.ParseSource)
		}
		if ok {
			k.settings(at, spec, s.Settings)
			k.secrets(at, spec, s.Secrets)
			k.pull(at+".pull", spec, s.Settings, s.Pull)
		}
	}
	return ids
}

// secrets checks the references of one object.
func (k *check) secrets(at string, spec catalog.Spec, refs map[string]secret.Ref) {
	fields := slices.Sorted(maps.Keys(refs))
	k.problems = append(k.problems, catalog.CheckSecretNames(spec, fields, at+".secrets")...)
	for _, f := range fields {
		if r := refs[f]; r.Version == 0 || r.Version > maxVersion {
			k.add(at+".secrets."+f+".version", "bad_version", "A secret's version is a number from 1.")
		}
		if !fingerprint().MatchString(refs[f].Fingerprint) {
			k.add(at+".secrets."+f+".fingerprint", "bad_fingerprint", "A secret has the fingerprint that its client made.")
		}
	}
}

func (k *check) transformations(list []Transformation) map[string]bool {
	ids, names := map[string]bool{}, map[string]bool{}
	for i, t := range list {
		at := fmt.Sprintf("transformations[%d]", i)
		k.names(at, string(t.ID), t.Name, id.Valid(t.ID), ids, names)
		k.code(at, t.Language, t.Code)
		switch {
		case t.MaxOutputs > script.MaxOutputs:
			k.add(at+".maxOutputs", "too_large", "A transformation makes at most %d events of one; maxOutputs is 1 to %[1]d.", script.MaxOutputs)
		case t.MaxOutputs < 0:
			k.add(at+".maxOutputs", "malformed", "maxOutputs is 1 to %d; leave it out for %[1]d.", script.MaxOutputs)
		}
	}
	return ids
}

// code checks what transformations and libraries have in common.
func (k *check) code(at, language, code string) {
	if language != "javascript" {
		k.add(at+".language", "unknown_language", "The language is javascript.")
	}
	switch {
	case code == "":
		k.add(at+".code", "required", "Here the code is missing.")
	case !utf8.ValidString(code):
		k.add(at+".code", script.CodeSyntax, "The code is not UTF-8.")
	case len(code) > script.MaxCode:
		k.add(at+".code", "too_large", "The code is longer than %d bytes.", script.MaxCode)
	}
}

func (k *check) libraries(list []Library) {
	names := map[string]bool{}
	for i, l := range list {
		at := fmt.Sprintf("libraries[%d]", i)
		switch {
		case !library().MatchString(l.Name):
			k.add(at+".name", "bad_name", "A library's name is 1 to 63 of A-Z, a-z, 0-9, '_', '-' and '.', a letter first.")
		case names[l.Name]:
			k.add(at+".name", "duplicate_name", "Another library is called %s.", l.Name)
		}
		names[l.Name] = true
		k.code(at, l.Language, l.Code)
	}
}

func (k *check) destinations(list []Destination) map[string]bool {
	ids, names := map[string]bool{}, map[string]bool{}
	for i, d := range list {
		at := fmt.Sprintf("destinations[%d]", i)
		k.names(at, string(d.ID), d.Name, id.Valid(d.ID), ids, names)
		spec, ok := k.spec(at, d.Type, catalog.Destinations, catalog.Warehouses)
		if ok {
			spec, ok = k.own(at, spec, d.Type, d.Spec, "destination", private.Parse)
		}
		if !ok {
			continue
		}
		k.settings(at, spec, d.Settings)
		k.secrets(at, spec, d.Secrets)
	}
	return ids
}

// spec finds the kind of an object.
func (k *check) spec(at, kind string, families ...catalog.Family) (catalog.Spec, bool) {
	s, ok := catalog.Find(k.specs, kind, families...)
	if !ok {
		k.add(at+".type", "unknown_type", "There is no %s of this type%s.", families[0], k.known(families))
	}
	return s, ok
}

// own returns the kind that a destination or source of private.Type declares itself, and
// spec of all others.
func (k *check) own(at string, spec catalog.Spec, kind, text, family string, parse func(string) (catalog.Spec, error)) (catalog.Spec, bool) {
	if kind != private.Type {
		if text != "" {
			k.add(at+".spec", "not_allowed", "Only %ss of the type %s have a spec of their own.", family, private.Type)
		}
		return spec, true
	}
	if text == "" {
		k.add(at+".spec", "required", "Say what the %s does: a spec in the format of %[1]ss.", family)
		return spec, false
	}
	spec, err := parse(text)
	for _, p := range fault.ProblemsOf(err) {
		k.add(strings.TrimSuffix(at+".spec."+p.Path, "."), p.Code, "%s", p.Text)
	}
	return spec, err == nil
}

// known lists the types that there are, for the text of a problem.
func (k *check) known(families []catalog.Family) string {
	text, sep := "", "; there are "
	for _, s := range k.specs {
		if slices.Contains(families, s.Family) {
			text, sep = text+sep+s.Name, ", "
		}
	}
	return text
}

func (k *check) settings(at string, spec catalog.Spec, settings []byte) {
	if len(settings) > maxSettings {
		k.add(at+".settings", "too_large", "The settings are longer than %d bytes.", maxSettings)
		return
	}
	k.problems = append(k.problems, catalog.Check(spec, settings, at+".settings")...)
}

func (k *check) connections(list []Connection, sources, destinations, transformations, categories map[string]bool) {
	type pair struct {
		source      id.Source
		destination id.Destination
	}
	seen := map[pair]bool{}
	var expressions filter.Compiler
	for i, c := range list {
		at := fmt.Sprintf("connections[%d]", i)
		if !sources[string(c.Source)] {
			k.add(at+".source", "unknown_source", "This source is not in the workspace.")
		}
		if !destinations[string(c.Destination)] {
			k.add(at+".destination", "unknown_destination", "This destination is not in the workspace.")
		}
		p := pair{c.Source, c.Destination}
		if seen[p] {
			k.add(at, "duplicate_connection", "Another connection joins the same source and destination.")
		}
		seen[p] = true
		k.chain(at+".transformations", c.Transformations, transformations)
		k.consent(at, c, categories)
		if problems := c.Rules().Check(at, &expressions); len(k.problems) <= maxListed {
			k.problems = append(k.problems, problems...)
		}
	}
}

func (k *check) chain(at string, chain []id.Transformation, known map[string]bool) {
	if len(chain) > maxChain {
		k.add(at, "too_many", "A connection has at most %d transformations.", maxChain)
		return
	}
	seen := map[id.Transformation]bool{}
	for i, t := range chain {
		switch {
		case !known[string(t)]:
			k.add(fmt.Sprintf("%s[%d]", at, i), "unknown_transformation", "This transformation is not in the workspace.")
		case seen[t]:
			k.add(fmt.Sprintf("%s[%d]", at, i), "duplicate_transformation", "A connection applies a transformation once.")
		}
		seen[t] = true
	}
}

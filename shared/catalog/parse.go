package catalog

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/calls"
	"weir/shared/catalog/person"
	"weir/shared/catalog/streams"
	"weir/shared/fault"
)

// embedded is every Spec of this build, written by gen.
//
//go:embed catalog.gen.json
var embedded []byte

var (
	kindName  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`) // a folder and a `type`; without hyphens, a Go package. Warehouses have the names of their layouts, with "_"
	fieldName = regexp.MustCompile(`^[a-z][A-Za-z0-9]{0,63}$`)
	codeName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
)

// customType is the type of destinations and sources whose spec stands in their workspace;
// see private.
const customType = "custom"

// categories is what catalogues show kinds under, in their order; web/src/pages/object/kinds.ts has their titles.
var categories = []string{"warehouse", "analytics", "advertising", "engagement", "crm", "stream", "commerce", "development", "generic"}

// custom is what the catalog says of all of these: a plane that lists it takes them.
func custom() []Spec {
	return []Spec{
		{Family: Destinations, Name: customType, Title: "Your own (spec.yaml)", Category: "generic", Doc: "Sends events to any HTTP API, as the destination's own spec says."},
		{Family: Sources, Name: customType, Title: "Your own (spec.yaml)", Category: "generic", Doc: "Pulls rows from any HTTP API, as the source's own spec says."},
	}
}

// All returns the Spec of every kind of this build, by family and name. Each
// call decodes anew; the caller owns the result and keeps it.
func All() []Spec {
	var all []Spec
	if err := json.Unmarshal(embedded, &all); err != nil {
		panic("catalog.gen.json is damaged: " + err.Error()) // written by gen, compiled in
	}
	return append(all, custom()...)
}

// Find returns the Spec called name that belongs to one of the families.
func Find(specs []Spec, name string, families ...Family) (Spec, bool) {
	for _, s := range specs {
		if s.Name == name && slices.Contains(families, s.Family) {
			return s, true
		}
	}
	return Spec{}, false
}

// Parse reads a spec.yaml. It refuses unknown keys, a second document, and a
// Spec that is not complete in itself (fault.Invalid, with every problem);
// defaults come out in the form that JSON gives them, so a parsed Spec equals
// the embedded one, but for its Calls.
func Parse(text []byte) (Spec, error) {
	var file struct {
		Spec    `yaml:",inline"`
		Calls   yaml.Node `yaml:"calls"` // see docs/destination-format.md
		Lookups yaml.Node `yaml:"lookups"`
		Answers yaml.Node `yaml:"answers"`
		Test    yaml.Node `yaml:"test"`
		Streams yaml.Node `yaml:"streams"` // see docs/source-format.md
		Errors  yaml.Node `yaml:"errors"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var odd *yaml.TypeError
	if err := dec.Decode(&file); err != nil && !errors.As(err, &odd) {
		return Spec{}, fault.New(fault.Invalid, "The spec is not readable: %v.", err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return Spec{}, fault.New(fault.Invalid, "The spec holds more than one document.")
	}
	b, err := json.Marshal(file.Spec)
	if err != nil {
		return Spec{}, fault.New(fault.Invalid, "The spec has a default that JSON cannot hold: %v.", err)
	}
	var s Spec
	if err := json.Unmarshal(b, &s); err != nil {
		return Spec{}, fault.New(fault.Invalid, "The spec is not readable: %v.", err)
	}
	s = withTLS(withBase(s), !file.Calls.IsZero())
	problems := misread(odd)
	if !file.Streams.IsZero() || !file.Errors.IsZero() {
		read, more := streams.Parse(&file.Streams, &file.Errors, streamsKnown(s))
		s.Pull, problems = &read, append(problems, more...)
		if s.StreamsOf == "" {
			s.Streams = read.Outlines()
		}
	}
	problems = append(problems, person.Expand(&file.Calls, "calls")...)
	if !file.Calls.IsZero() || !file.Answers.IsZero() || !file.Lookups.IsZero() || !file.Test.IsZero() {
		read, more := calls.Parse(&file.Calls, &file.Lookups, &file.Answers, &file.Test, known(s))
		s.Calls, problems = &read, append(problems, more...)
	}
	problems = append(problems, checkSpec(s)...)
	if err := fault.Problems(fmt.Sprintf("The spec of %q has problems:", s.Name), problems); err != nil {
		return Spec{}, err
	}
	return withEvents(withOverrides(s)), nil
}

// unknownKey is what the YAML library says of a key that a spec does not have.
var unknownKey = regexp.MustCompile(`^line (\d+): field (.*) not found in type `)

// misread lists what does not fit the form of a spec, which err says by line.
func misread(err *yaml.TypeError) []fault.Problem {
	var c checker
	for i := 0; err != nil && i < len(err.Errors); i++ {
		line, _, _ := strings.Cut(err.Errors[i], ":")
		if m := unknownKey.FindStringSubmatch(err.Errors[i]); m != nil {
			c.add(m[2], "unknown_field", fmt.Sprintf("%s: %q is no word of this place.", line, m[2]))
		} else {
			c.add("", "wrong_type", line+": This is not of the type that belongs here.")
		}
	}
	return c.problems
}

// streamsKnown is what streams may refer to.
func streamsKnown(s Spec) streams.Known {
	k := streams.Known{Base: len(s.Base) > 0, Each: s.StreamsOf != ""}
	for _, f := range s.Fields {
		k.Settings = append(k.Settings, f.Name)
	}
	return k
}

// known is what calls may refer to.
func known(s Spec) calls.Known {
	k := calls.Known{Settings: map[string]string{}, Base: len(s.Base) > 0, Batch: s.Limits != nil && s.Limits.Batch != nil, Destination: s.Family == Destinations}
	var add func(fields []Field, prefix string)
	add = func(fields []Field, prefix string) {
		for _, f := range fields {
			k.Settings[prefix+f.Name] = string(f.Type)
			add(f.Fields, prefix+f.Name+".")
		}
	}
	add(s.Fields, "")
	for _, c := range s.Codes {
		k.Codes = append(k.Codes, c.Name)
	}
	return k
}

// Digest is the SHA-256, in hex, of what s accepts. Titles, docs, codes and what is
// said of requests do not count: two builds whose digests are equal take the same settings.
func Digest(s Spec) string {
	s.Title, s.Doc, s.Category = "", "", ""
	s.Fields, s.Secrets, s.Codes = bare(s.Fields), bare(s.Secrets), nil
	s.Streams = slices.Clone(s.Streams)
	for i := range s.Streams {
		s.Streams[i] = streams.Outline{Name: s.Streams[i].Name}
	}
	s.Base, s.Auth, s.Limits, s.Objects, s.Models, s.Profiles, s.StandIn, s.Setup, s.Form = nil, nil, nil, nil, false, false, "", nil, nil
	b, err := json.Marshal(s) // maps within defaults are written in the order of their keys
	if err != nil {
		panic("a spec that cannot be JSON: " + err.Error()) // Parse and All give none
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// bare returns fields without what is only for people.
func bare(fields []Field) []Field {
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i].Title, fields[i].Doc = "", ""
		fields[i].Fields = bare(fields[i].Fields)
	}
	return fields
}

// checkSpec lists what is wrong with a Spec itself.
func checkSpec(s Spec) []fault.Problem {
	var c checker
	if !slices.Contains([]Family{Sources, Destinations, Warehouses}, s.Family) {
		c.add("family", "not_in_enum", "The family is source, destination or warehouse.")
	}
	if !kindName.MatchString(s.Name) && (s.Family != Warehouses || !kindName.MatchString(strings.ReplaceAll(s.Name, "_", "-"))) || len(s.Name) > 32 {
		c.add("name", "bad_name", "The name is 1 to 32 of a-z and 0-9, a letter first, with single hyphens between words.")
	}
	if s.Title == "" {
		c.add("title", "required", "Give the kind a title.")
	}
	if s.Doc == "" {
		c.add("doc", "required", "Say in a sentence what the kind is.")
	}
	if s.Category != "" && !slices.Contains(categories, s.Category) {
		c.add("category", "not_in_enum", "The category is one of "+strings.Join(categories, ", ")+".")
	}
	c.specFields(s.Fields, "fields")
	c.specFields(s.Secrets, "secrets")
	if slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == "secrets" }) {
		c.add("fields", "not_allowed", "No field is called secrets: generated settings hold the opened secrets under that name.")
	}
	for i, f := range s.Secrets {
		if f.Default != nil {
			c.add(fmt.Sprintf("secrets[%d].default", i), "not_allowed", "A secret has no default.")
		}
	}
	c.specEvents(s)
	c.specSentTo(s)
	c.specCodes(s)
	c.specHTTP(s)
	c.specStreamsOf(s)
	c.specObjects(s)
	c.specOverrides(s)
	return append(c.problems, s.Form.Check(func(n string) bool {
		return slices.ContainsFunc(slices.Concat(s.Fields, s.Secrets), func(f Field) bool { return f.Name == n })
	})...)
}

// specSentTo wants the fields of a kind with secrets that can say where they are
// sent to be named: whoever may change another one would receive them. A kind that
// always sends to one server names none.
func (c *checker) specSentTo(s Spec) {
	if len(s.Secrets) > 0 && s.Family != Sources {
		c.addresses(s, s.Fields, "fields")
	}
	for i, name := range s.SentTo {
		at := fmt.Sprintf("sentTo[%d]", i)
		if slices.Index(s.SentTo, name) < i {
			c.add(at, "duplicate_name", "This field is named twice.")
		}
		if !slices.ContainsFunc(s.Fields, func(f Field) bool {
			return f.Name == name && slices.Contains([]Type{TypeString, TypeURL, TypeInteger, TypeBoolean, TypeEnum}, f.Type)
		}) {
			c.add(at, "unknown_field", "This is no field of the kind that holds one text, address, number, choice or boolean.")
		}
	}
}

// addresses reports fields that have the type or name of an address.
func (c *checker) addresses(s Spec, fields []Field, path string) {
	names := []string{"account", "baseUrl", "endpoint", "host", "port", "project", "region", "server", "sslMode"}
	for i, f := range fields {
		at := fmt.Sprintf("%s[%d]", path, i)
		if (f.Type == TypeURL || slices.Contains(names, f.Name)) && (path != "fields" || !slices.Contains(s.SentTo, f.Name)) {
			c.add(at, "required", "Secrets may be sent where "+f.Name+" says; name it in sentTo, which holds fields at the top.")
		}
		c.addresses(s, f.Fields, at+".fields")
	}
}

func (c *checker) specCodes(s Spec) {
	seen := map[string]bool{}
	for i, code := range s.Codes {
		at := fmt.Sprintf("codes[%d]", i)
		if rest, ok := strings.CutPrefix(code.Name, s.CodePrefix()); !ok || !codeName.MatchString(rest) {
			c.add(at+".name", "bad_name", "A code of the kind's own begins with "+s.CodePrefix()+" and goes on with 1 to 40 of a-z, 0-9 and _, a letter first.")
		}
		if seen[code.Name] {
			c.add(at+".name", "duplicate_name", "Two codes have this name.")
		}
		seen[code.Name] = true
		if code.Doc == "" {
			c.add(at+".doc", "required", "Say what the code means, as after the word because.")
		}
	}
}

func (c *checker) specFields(fields []Field, path string) {
	seen := map[string]bool{}
	for i, f := range fields {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !fieldName.MatchString(f.Name) {
			c.add(at+".name", "bad_name", "The name is in lower camel case, 1 to 64 of letters and digits.")
		}
		if seen[f.Name] {
			c.add(at+".name", "duplicate_name", "Two fields have this name.")
		}
		seen[f.Name] = true
		if f.Title == "" {
			c.add(at+".title", "required", "Give the field a title; it labels the form.")
		}
		c.specField(f, at)
	}
}

func (c *checker) specField(f Field, at string) {
	types := []Type{TypeString, TypeURL, TypeInteger, TypeBoolean, TypeDuration, TypeEnum, TypeStrings, TypeMap, TypeObject}
	if !slices.Contains(types, f.Type) {
		c.add(at+".type", "not_in_enum", "The type is one of string, url, integer, boolean, duration, enum, strings, map, object.")
		return
	}
	if (f.Type == TypeEnum) != (len(f.Enum) > 0) {
		c.add(at+".enum", "not_allowed", "An enum lists its values, and nothing else does.")
	}
	if (f.Type == TypeObject) != (len(f.Fields) > 0) {
		c.add(at+".fields", "not_allowed", "An object lists its fields, and nothing else does.")
	}
	if f.Min != nil && f.Max != nil && *f.Min > *f.Max {
		c.add(at+".min", "too_large", "The least value is above the greatest.")
	}
	if f.Required && f.Default != nil {
		c.add(at+".default", "not_allowed", "A required field has no default.")
	}
	if _, err := regexp.Compile(f.Pattern); err != nil {
		c.add(at+".pattern", "bad_pattern", "The pattern is not a regular expression in RE2 syntax.")
		return
	}
	if f.Type == TypeObject && f.Default != nil {
		c.add(at+".default", "not_allowed", "Give defaults to the fields of an object, not to the object.")
	}
	c.specFields(f.Fields, at+".fields")
	if f.Default == nil || f.Type == TypeObject {
		return
	}
	b, err := json.Marshal(f.Default)
	if err != nil {
		c.add(at+".default", "malformed", "The default is not a JSON value.")
		return
	}
	c.value(f, b, at+".default")
}

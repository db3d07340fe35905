package draft

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	stdjson "encoding/json"
	"fmt"
	"slices"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// resolved is a document with ids: the configuration that it asks for, the new
// secrets that came with it, and what could not be resolved.
type resolved struct {
	config   workspace.Config
	secrets  []store.Secret
	problems []fault.Problem
}

func (r *resolved) problem(path, code, format string, args ...any) {
	r.problems = append(r.problems, fault.Problem{Path: path, Code: code, Text: fmt.Sprintf(format, args...)})
}

// resolve gives ids to what doc names. former is the newest configuration, nil
// for a new workspace. Without prune, objects and connections that doc does not
// name are kept, after those that it names.
func resolve(doc Document, former *workspace.Config, prune bool) resolved {
	r := resolved{config: workspace.Config{Format: workspace.Format, Name: doc.Workspace, Region: doc.Region, Workspace: doc.ID}}
	if former == nil {
		former = &workspace.Config{}
	}
	if doc.ID != "" && former.Workspace != "" && doc.ID != former.Workspace {
		r.problem("id", "id_mismatch", "This workspace has the id %s; leave the id out.", former.Workspace)
	}
	if former.Workspace != "" {
		r.config.Workspace = former.Workspace
	}
	if r.config.Workspace == "" {
		r.config.Workspace = id.New[id.Workspace]()
	}
	r.sources(doc, former, prune)
	r.libraries(doc, former, prune)
	r.transformations(doc, former, prune)
	r.destinations(doc, former, prune)
	r.connections(doc, former, prune)
	return r
}

func (r *resolved) sources(doc Document, former *workspace.Config, prune bool) {
	known := objects[id.Source]{kind: "source"}
	for _, s := range former.Sources {
		known.add(s.ID, s.Name)
	}
	ids := claim(r, known, "sources", doc.Sources, func(s Source) (id.Source, string, string) { return s.ID, s.Name, s.Was })
	for i, s := range doc.Sources {
		var was workspace.Source
		if at := slices.IndexFunc(former.Sources, func(f workspace.Source) bool { return f.ID == ids[i] }); at >= 0 {
			was = former.Sources[at]
		}
		if s.WriteKey == "" {
			s.WriteKey = was.WriteKey
		}
		if s.WriteKey == "" {
			s.WriteKey = newWriteKey()
		}
		name := func(field string, version uint64) secret.Name {
			return secret.OfSource(r.config.Workspace, ids[i], field, version)
		}
		r.config.Sources = append(r.config.Sources, workspace.Source{
			ID: ids[i], Name: s.Name, Type: s.Type, WriteKey: s.WriteKey, Disabled: s.Disabled, Settings: settings(s.Settings),
			Secrets: r.refs(fmt.Sprintf("sources[%d].secrets", i), name, s.Secrets, was.Secrets),
		})
	}
	if !prune {
		for _, f := range former.Sources {
			if !slices.Contains(ids, f.ID) {
				r.config.Sources = append(r.config.Sources, f)
			}
		}
	}
}

// libraries are known by their names alone.
func (r *resolved) libraries(doc Document, former *workspace.Config, prune bool) {
	named := map[string]bool{}
	for _, l := range doc.Libraries {
		named[l.Name] = true
		r.config.Libraries = append(r.config.Libraries, workspace.Library(l))
	}
	for _, f := range former.Libraries {
		if !prune && !named[f.Name] {
			r.config.Libraries = append(r.config.Libraries, f)
		}
	}
}

func (r *resolved) transformations(doc Document, former *workspace.Config, prune bool) {
	known := objects[id.Transformation]{kind: "transformation"}
	for _, t := range former.Transformations {
		known.add(t.ID, t.Name)
	}
	ids := claim(r, known, "transformations", doc.Transformations, func(t Transformation) (id.Transformation, string, string) { return t.ID, t.Name, t.Was })
	for i, t := range doc.Transformations {
		r.config.Transformations = append(r.config.Transformations, workspace.Transformation{ID: ids[i], Name: t.Name, Language: t.Language, Code: t.Code, MaxOutputs: t.MaxOutputs})
	}
	if !prune {
		for _, f := range former.Transformations {
			if !slices.Contains(ids, f.ID) {
				r.config.Transformations = append(r.config.Transformations, f)
			}
		}
	}
}

func (r *resolved) destinations(doc Document, former *workspace.Config, prune bool) {
	known := objects[id.Destination]{kind: "destination"}
	for _, d := range former.Destinations {
		known.add(d.ID, d.Name)
	}
	ids := claim(r, known, "destinations", doc.Destinations, func(d Destination) (id.Destination, string, string) { return d.ID, d.Name, d.Was })
	for i, d := range doc.Destinations {
		var refs map[string]secret.Ref
		if at := slices.IndexFunc(former.Destinations, func(f workspace.Destination) bool { return f.ID == ids[i] }); at >= 0 {
			refs = former.Destinations[at].Secrets
		}
		name := func(field string, version uint64) secret.Name {
			return secret.OfDestination(r.config.Workspace, ids[i], field, version)
		}
		r.config.Destinations = append(r.config.Destinations, workspace.Destination{
			ID: ids[i], Name: d.Name, Type: d.Type, Disabled: d.Disabled, Settings: settings(d.Settings),
			Secrets: r.refs(fmt.Sprintf("destinations[%d].secrets", i), name, d.Secrets, refs),
		})
	}
	if !prune {
		for _, f := range former.Destinations {
			if !slices.Contains(ids, f.ID) {
				r.config.Destinations = append(r.config.Destinations, f)
			}
		}
	}
}

// connections replaces names by ids. A name that is not there becomes an id
// that cannot be one, which the whole-config check reports in its place.
func (r *resolved) connections(doc Document, former *workspace.Config, prune bool) {
	sources, destinations, transformations := map[string]id.Source{}, map[string]id.Destination{}, map[string]id.Transformation{}
	for _, s := range r.config.Sources {
		sources[s.Name] = s.ID
	}
	for _, d := range r.config.Destinations {
		destinations[d.Name] = d.ID
	}
	for _, t := range r.config.Transformations {
		transformations[t.Name] = t.ID
	}
	for _, c := range doc.Connections {
		var chain []id.Transformation
		for _, name := range c.Transformations {
			chain = append(chain, find(transformations, name))
		}
		r.config.Connections = append(r.config.Connections, workspace.Connection{
			Source: find(sources, c.Source), Destination: find(destinations, c.Destination), Transformations: chain,
		})
	}
	if prune {
		return
	}
	named := map[[2]string]bool{}
	for _, c := range r.config.Connections {
		named[pair(c)] = true
	}
	for _, f := range former.Connections {
		if !named[pair(f)] {
			r.config.Connections = append(r.config.Connections, f)
		}
	}
}

// unknown begins the stand-in for a name that is not there: no id begins so.
const unknown = "?"

func find[ID ~string](ids map[string]ID, name string) ID {
	if known, ok := ids[name]; ok {
		return known
	}
	return ID(unknown + name)
}

// pair is what a connection is known by.
func pair(c workspace.Connection) [2]string {
	return [2]string{string(c.Source), string(c.Destination)}
}

// settings gives the absent, the null and the empty object one form.
func settings(sent stdjson.RawMessage) stdjson.RawMessage {
	trimmed := bytes.TrimSpace(sent)
	if len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		return nil
	}
	if members, ok := flatten(trimmed); ok && len(members) == 0 {
		return nil
	}
	return trimmed
}

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newWriteKey returns a write key with 120 random bits.
func newWriteKey() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return "wk_" + letters.EncodeToString(b[:])
}

// objects are the former ones of a kind, by id and by name.
type objects[ID ~string] struct {
	kind   string
	names  map[ID]string
	byName map[string]ID
}

func (o *objects[ID]) add(object ID, name string) {
	if o.names == nil {
		o.names, o.byName = map[ID]string{}, map[string]ID{}
	}
	o.names[object], o.byName[name] = name, object
}

package draft

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// resolved is a document with ids: the configuration that it asks for, the new
// secrets that came with it, and what could not be resolved.
type resolved struct {
	config   workspace.Config
	secrets  []store.Secret
	problems []fault.Problem
	ids      table // by name
}

func (r *resolved) problem(path, code, format string, args ...any) {
	r.problems = append(r.problems, fault.Problem{Path: path, Code: code, Text: fmt.Sprintf(format, args...)})
}

// resolve gives ids to what doc names. former is the newest configuration, nil
// for a new workspace. Without prune, objects that doc does not name are kept,
// after those that it names.
func resolve(doc document.Document, former *workspace.Config, prune bool) resolved {
	r := resolved{config: workspace.Config{Format: workspace.Format, Name: doc.Workspace, Region: doc.Region, Workspace: doc.ID}, ids: table{}}
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
	for _, k := range document.Kinds() {
		r.list(k, &doc, former, prune)
	}
	for i := range r.config.Sources {
		if s := &r.config.Sources[i]; s.WriteKey == "" {
			s.WriteKey = writeKey(*former, s.ID)
		}
	}
	return r
}

// list resolves the objects of one kind, whose names those of later kinds may use.
func (r *resolved) list(k document.Kind, doc *document.Document, former *workspace.Config, prune bool) {
	items, were, now := listOf(doc, k), listOf(former, k), listOf(&r.config, k)
	known := map[string]reflect.Value{}
	for i := range were.Len() {
		known[keyOf(were.Index(i))] = were.Index(i)
	}
	ids, named := r.claim(k, items, were), map[string]bool{}
	for i := range items.Len() {
		object := reflect.New(now.Type().Elem()).Elem()
		if ids != nil {
			idOf(object).SetString(ids[i])
		}
		r.object(object, items.Index(i))
		key := keyOf(object)
		if sent, ok := secretsOf(items.Index(i)); ok {
			var kept map[string]secret.Ref
			if f, there := known[key]; there {
				kept = f.FieldByName("Secrets").Interface().(map[string]secret.Ref)
			}
			of := secret.Name{Workspace: r.config.Workspace, Family: secret.Family(k.Name), Object: key}
			object.FieldByName("Secrets").Set(reflect.ValueOf(r.refs(fmt.Sprintf("%s[%d].secrets", k.List, i), of, sent, kept)))
		}
		now.Set(reflect.Append(now, object))
		named[key] = true
	}
	for i := range were.Len() {
		if f := were.Index(i); !prune && !named[keyOf(f)] {
			now.Set(reflect.Append(now, f))
		}
	}
	for i := range now.Len() {
		if own := idOf(now.Index(i)); own.IsValid() {
			r.ids.add(own.Type(), now.Index(i).FieldByName("Name").String(), own.String())
		}
	}
}

// object writes what a document's object says, all but its identifier and secrets.
func (r *resolved) object(to, from reflect.Value) {
	if to.Type() == from.Type() {
		to.Set(from)
		return
	}
	for i := range to.NumField() {
		switch field := to.Type().Field(i); field.Name {
		case "ID", "Secrets":
		case "Settings":
			to.Field(i).SetBytes(settings(from.FieldByName(field.Name).Bytes()))
		default:
			r.value(to.Field(i), from.FieldByName(field.Name))
		}
	}
}

// value writes a value of a document, in which names become identifiers. A name that
// is not there becomes an id that cannot be one, which the whole-config check reports
// in its place.
func (r *resolved) value(to, from reflect.Value) {
	switch {
	case to.Type() == from.Type():
		to.Set(from)
	case to.Kind() == reflect.String:
		object, there := r.ids[to.Type()][from.String()]
		if !there {
			object = unknown + from.String()
		}
		to.SetString(object)
	case from.Len() > 0:
		to.Set(reflect.MakeSlice(to.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			r.value(to.Index(i), from.Index(i))
		}
	}
}

// unknown begins the stand-in for a name that is not there: no id begins so.
const unknown = "?"

// writeKey returns the write key that a source has, else a new one.
func writeKey(former workspace.Config, source id.Source) string {
	for _, f := range former.Sources {
		if f.ID == source {
			return f.WriteKey
		}
	}
	return newWriteKey()
}

// settings gives the absent, the null and the empty object one form.
func settings(sent json.RawMessage) json.RawMessage {
	trimmed := bytes.TrimSpace(sent)
	if len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		return nil
	}
	if members, ok := flatten(trimmed); ok && len(members) == 0 {
		return nil
	}
	return trimmed
}

// newWriteKey returns a write key with 128 random bits or more.
func newWriteKey() string { return "wk_" + strings.ToLower(rand.Text()) }

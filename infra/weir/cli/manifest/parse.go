package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/private"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/workspace/document"
	"weir/shared/workspace/profiles/scores"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 8 << 20

// Parse reads a file of one or more documents; name is how errors call it.
//
// fault.Invalid: the file is no YAML, is empty, or has problems;
// fault.ProblemsOf lists every one with its line, and what could be read is returned
// with it, so that more problems can be found in that.
func Parse(name string, in io.Reader) ([]*File, error) {
	limited := &io.LimitedReader{R: in, N: MaxSize + 1}
	dec := yaml.NewDecoder(limited)
	r := &reader{file: name}
	var files []*File
	owner := map[string]string{}
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if limited.N <= 0 {
			return nil, fault.New(fault.Invalid, "%s is over %d MiB; split it into several files", name, MaxSize>>20)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syntax(name, err)
		}
		if len(doc.Content) == 0 || isNull(doc.Content[0]) {
			continue
		}
		f := r.document(doc.Content[0])
		if w := f.Document.Workspace; w != "" {
			if former, ok := owner[w]; ok {
				r.wrong(doc.Content[0], "workspace", "repeated_workspace", "workspace %q stands in this file twice, first at %s; join the two documents", w, former)
			}
			owner[w] = f.At("workspace")
		}
		files = append(files, f)
	}
	if len(r.problems) > 0 {
		return files, fault.Problems(name+" cannot be read", r.problems)
	}
	if len(files) == 0 {
		return nil, fault.New(fault.Invalid, "%s holds no workspace; begin it with\n  workspace: NAME\n  region: eu", name)
	}
	return files, nil
}

// ParseSettings reads the settings file of a preview: an object with the keys
// settings and secrets, the latter in clear, a string each.
func ParseSettings(name string, in io.Reader) (settings json.RawMessage, secrets map[string]string, err error) {
	limited := &io.LimitedReader{R: in, N: MaxSize + 1}
	var doc yaml.Node
	err = yaml.NewDecoder(limited).Decode(&doc)
	if errors.Is(err, io.EOF) || (err == nil && (len(doc.Content) == 0 || isNull(doc.Content[0]))) {
		return json.RawMessage("{}"), nil, nil
	}
	if err != nil {
		return nil, nil, syntax(name, err)
	}
	r := &reader{file: name, lines: map[string]int{}}
	settings = json.RawMessage("{}")
	secrets = map[string]string{}
	r.object(doc.Content[0], "",
		field{"settings", r.settings(&settings)},
		field{"secrets", func(n *yaml.Node, path string) {
			r.each(n, path, func(key string, v *yaml.Node, at string) {
				var s string
				r.text(&s)(v, at)
				secrets[key] = s
			})
		}},
	)
	if err := fault.Problems(name+" cannot be read", r.problems); err != nil {
		return nil, nil, err
	}
	return settings, secrets, nil
}

// syntax turns the YAML library's error into ours.
func syntax(name string, err error) error {
	return fault.New(fault.Invalid, "%s is not YAML: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
}

// document reads one document.
func (r *reader) document(n *yaml.Node) *File {
	r.lines = map[string]int{}
	f := &File{name: r.file, lines: r.lines}
	listProfiles(n)
	r.record(f, reflect.ValueOf(&f.Document).Elem(), n, "", Wanted{})
	return f
}

// listProfiles makes profiles that stand alone, as an object, a list of one. Without a
// name they are called profiles.
func listProfiles(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 1; i < len(n.Content); i += 2 {
		one := n.Content[i]
		if n.Content[i-1].Value != "profiles" || one.Kind != yaml.MappingNode {
			continue
		}
		named := false
		for k := 0; k < len(one.Content); k += 2 {
			named = named || one.Content[k].Value == "name"
		}
		if !named {
			one.Content = append([]*yaml.Node{text("name"), text("profiles")}, one.Content...)
		}
		n.Content[i] = &yaml.Node{Kind: yaml.SequenceNode, Line: one.Line, Column: one.Column, Content: []*yaml.Node{one}}
	}
}

// record reads an object into a struct, and wants what its fields require. of says
// which object's secrets stand in it.
func (r *reader) record(f *File, to reflect.Value, n *yaml.Node, path string, of Wanted) {
	declared := document.Fields(to.Type())
	fields := make([]field, len(declared))
	for i, d := range declared {
		fields[i] = field{d.Name, r.value(f, to.FieldByIndex(d.Index), of)}
		if d.Name == "spec" && (to.Type() == reflect.TypeFor[document.Destination]() || to.Type() == reflect.TypeFor[document.Source]()) {
			fields[i].read = r.spec(to.FieldByIndex(d.Index), "a spec", "./crm.yaml", ReadSpec)
		}
		if to.Type() == reflect.TypeFor[scores.Score]() && (d.Name == "lightgbm" || d.Name == "xgboost") {
			fields[i].read = r.spec(to.FieldByIndex(d.Index), "a model", "./churn.txt", readModel)
		}
	}
	if to.Type() == reflect.TypeFor[document.Transformation]() {
		fields = append(fields, field{"tests", func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) { f.Tests = append(f.Tests, r.test(of.Index, n, path)) })
		}})
	}
	r.object(n, path, fields...)
	for _, d := range declared {
		if d.Required && to.FieldByIndex(d.Index).Kind() == reflect.String {
			r.need(n, join(path, d.Name), to.FieldByIndex(d.Index).String())
		}
	}
}

// value returns a reader into to, by its type.
func (r *reader) value(f *File, to reflect.Value, of Wanted) func(*yaml.Node, string) {
	switch to.Interface().(type) {
	case json.RawMessage:
		return r.settings(to.Addr().Interface().(*json.RawMessage))
	case map[string]document.Secret:
		return r.secrets(f, of)
	case map[string]string:
		return r.texts(to.Addr().Interface().(*map[string]string))
	}
	switch to.Kind() {
	case reflect.String:
		return func(n *yaml.Node, path string) {
			var s string
			r.text(&s)(n, path)
			to.SetString(s)
		}
	case reflect.Bool:
		return r.yes(to.Addr().Interface().(*bool))
	case reflect.Float64:
		return r.number(to.Addr().Interface().(*float64))
	case reflect.Int:
		return func(n *yaml.Node, path string) {
			var v uint64
			r.count(&v)(n, path)
			to.SetInt(int64(v))
		}
	case reflect.Slice:
		return func(n *yaml.Node, path string) { r.members(f, to, n, path, of) }
	case reflect.Pointer:
		return func(n *yaml.Node, path string) {
			to.Set(reflect.New(to.Type().Elem()))
			r.value(f, to.Elem(), of)(n, path)
		}
	default:
		return func(n *yaml.Node, path string) { r.record(f, to, n, path, of) }
	}
}

// members reads a list. An object of a list of the document is whose secrets and tests
// follow.
func (r *reader) members(f *File, to reflect.Value, n *yaml.Node, path string, of Wanted) {
	kinds := document.Kinds()
	kind := slices.IndexFunc(kinds, func(k document.Kind) bool { return k.List == path })
	r.list(n, path, func(n *yaml.Node, at string) {
		if kind >= 0 {
			of = Wanted{Family: secret.Family(kinds[kind].Name), Index: to.Len()}
		}
		one := reflect.New(to.Type().Elem()).Elem()
		r.value(f, one, of)(n, at)
		to.Set(reflect.Append(to, one))
	})
}

func (r *reader) test(of int, n *yaml.Node, path string) Test {
	t := Test{Transformation: of, Path: path}
	expects := false
	r.object(n, path,
		field{"event", r.settings(&t.Event)},
		field{"expect", func(n *yaml.Node, path string) {
			expects = true
			r.list(n, path, func(n *yaml.Node, path string) {
				var e json.RawMessage
				r.settings(&e)(n, path)
				t.Expect = append(t.Expect, e)
			})
		}},
		field{"error", r.text(&t.Error)})
	r.need(n, join(path, "event"), string(t.Event))
	if expects == (t.Error != "") {
		r.wrong(n, path, "missing", "a test expects events, expect: [...] ([] when the event is dropped), or an error: CODE")
	}
	return t
}

// secrets returns a reader of the secrets of an object.
func (r *reader) secrets(f *File, of Wanted) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		r.each(n, path, func(key string, v *yaml.Node, at string) {
			of.Field, of.Path = key, at
			f.Secrets = append(f.Secrets, r.secret(of, v))
		})
	}
}

// secret reads where the secret w comes from: {from: env, name}, {from: file,
// path} or {sealed, version}.
func (r *reader) secret(w Wanted, n *yaml.Node) Wanted {
	path := w.Path
	if at, ok := r.follow(n, path); ok && at.Kind == yaml.ScalarNode {
		r.wrong(at, path, "secret_in_clear", "a secret's value must not stand in this file; write { from: env, name: WEIR_SECRET_... } or { from: file, path: ... }")
		return w
	}
	var from, file string
	before := len(r.problems)
	r.object(n, path,
		field{"from", r.text(&from)}, field{"name", r.text(&w.Name)}, field{"path", r.text(&file)},
		field{"sealed", r.text(&w.Fingerprint)}, field{"version", r.count(&w.Version)})
	if len(r.problems) > before {
		return w
	}
	env := from == "env" && w.Name != "" && file == ""
	disk := from == "file" && (w.Name == "") != (file == "")
	kept := from == "" && w.Name == "" && file == ""
	switch {
	case (env || disk) && w.Fingerprint == "" && w.Version == 0:
		w.From, w.Name = Origin(from), w.Name+file
	case kept && w.Fingerprint != "" && w.Version > 0:
		w.From = Kept
	default:
		r.wrong(n, path, "wrong_secret", "a secret is { from: env, name: WEIR_SECRET_... }, { from: file, path: ... } or, as export writes it, { sealed: ..., version: ... }")
	}
	return w
}

// texts returns a reader of texts by name.
func (r *reader) texts(to *map[string]string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		all := map[string]string{}
		r.each(n, path, func(key string, v *yaml.Node, at string) {
			var s string
			r.text(&s)(v, at)
			all[key] = s
		})
		*to = all
	}
}

// spec returns a reader of a kind of one's own, or a model: its text, or { from: file, path }, a path
// from where the file is that is read.
func (r *reader) spec(to reflect.Value, what, such string, read func(file string) (string, error)) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		at, ok := r.follow(n, path)
		if !ok {
			return
		}
		if at.Kind != yaml.MappingNode {
			var s string
			r.text(&s)(n, path)
			to.SetString(s)
			return
		}
		var from, file string
		before := len(r.problems)
		r.object(n, path, field{"from", r.text(&from)}, field{"path", r.text(&file)})
		if len(r.problems) > before {
			return
		}
		if from != "file" || file == "" {
			r.wrong(n, path, "wrong_spec", "%s is its text, or { from: file, path: %s }", what, such)
			return
		}
		if !filepath.IsAbs(file) {
			file = filepath.Join(filepath.Dir(r.file), file)
		}
		text, err := read(file)
		if err != nil {
			r.wrong(n, path, "unreadable_spec", "%s", err)
		}
		to.SetString(text)
	}
}

// ReadSpec reads a file with a kind of one's own.
func ReadSpec(file string) (string, error) { return include(file, "spec", private.MaxBytes) }

// readModel reads a file with a model of a score.
func readModel(file string) (string, error) { return include(file, "model", scores.MaxModel) }

// include reads a file of at most so many bytes.
func include(file, what string, most int) (string, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("the %s cannot be read: %w", what, err)
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	if err != nil {
		return "", fmt.Errorf("the %s cannot be read: %w", what, err)
	}
	if len(text) > most {
		return "", fmt.Errorf("the %s %s is over %d KiB", what, file, most>>10)
	}
	return string(text), nil
}

// each reads a mapping of any keys.
func (r *reader) each(n *yaml.Node, path string, read func(key string, v *yaml.Node, path string)) {
	n, ok := r.follow(n, path)
	if !ok {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, path, "wrong_type", "here stands %s, not an object", kindOf(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !r.key(key, path, seen) {
			continue
		}
		at := join(path, key.Value)
		r.lines[at] = key.Line
		read(key.Value, n.Content[i+1], at)
	}
}

// need notes a missing value. n is the object that should have it; when it is
// none, that was said already.
func (r *reader) need(n *yaml.Node, path, value string) {
	n, ok := r.follow(n, path)
	if !ok || value != "" || n.Kind != yaml.MappingNode {
		return
	}
	if _, there := r.lines[path]; there && r.reported(path) {
		return
	}
	name := path[strings.LastIndex(path, ".")+1:]
	r.wrong(n, path, "missing", "%s is missing; add a line \"%s: ...\"", name, name)
}

// reported says whether a problem at path was noted already.
func (r *reader) reported(path string) bool {
	for _, p := range r.problems {
		if strings.HasSuffix(p.Path, " "+path) {
			return true
		}
	}
	return false
}

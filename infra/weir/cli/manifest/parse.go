package manifest

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"gopkg.in/yaml.v3"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
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
	d := &f.Document
	var key string
	r.object(n, "",
		field{"workspace", r.text(&d.Workspace)},
		field{"region", r.text(&d.Region)},
		field{"id", r.text(&key)},
		field{"sources", func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) { r.source(f, n, path) })
		}},
		field{"libraries", func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) { d.Libraries = append(d.Libraries, r.library(n, path)) })
		}},
		field{"transformations", func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) {
				d.Transformations = append(d.Transformations, r.transformation(f, n, path))
			})
		}},
		field{"destinations", func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) { r.destination(f, n, path) })
		}},
		field{"connections", func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) { d.Connections = append(d.Connections, r.connection(n, path)) })
		}},
	)
	d.ID = id.Workspace(key)
	r.need(n, "workspace", d.Workspace)
	r.need(n, "region", d.Region)
	return f
}

func (r *reader) source(f *File, n *yaml.Node, path string) {
	var s Source
	var key string
	r.object(n, path,
		field{"name", r.text(&s.Name)}, field{"type", r.text(&s.Type)}, field{"writeKey", r.text(&s.WriteKey)},
		field{"disabled", r.yes(&s.Disabled)}, field{"settings", r.settings(&s.Settings)},
		r.secrets(f, secret.Source, len(f.Document.Sources)),
		field{"was", r.text(&s.Was)}, field{"id", r.text(&key)})
	s.ID = id.Source(key)
	r.need(n, join(path, "name"), s.Name)
	r.need(n, join(path, "type"), s.Type)
	f.Document.Sources = append(f.Document.Sources, s)
}

func (r *reader) library(n *yaml.Node, path string) Library {
	var l Library
	r.object(n, path, field{"name", r.text(&l.Name)}, field{"language", r.text(&l.Language)}, field{"code", r.text(&l.Code)})
	r.need(n, join(path, "name"), l.Name)
	r.need(n, join(path, "language"), l.Language)
	r.need(n, join(path, "code"), l.Code)
	return l
}

func (r *reader) transformation(f *File, n *yaml.Node, path string) Transformation {
	var t Transformation
	var key string
	r.object(n, path,
		field{"name", r.text(&t.Name)}, field{"language", r.text(&t.Language)}, field{"code", r.text(&t.Code)},
		field{"maxOutputs", r.count(&t.MaxOutputs)}, field{"was", r.text(&t.Was)}, field{"id", r.text(&key)},
		field{"tests", func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) {
				f.Tests = append(f.Tests, r.test(len(f.Document.Transformations), n, path))
			})
		}})
	t.ID = id.Transformation(key)
	r.need(n, join(path, "name"), t.Name)
	r.need(n, join(path, "language"), t.Language)
	r.need(n, join(path, "code"), t.Code)
	return t
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

func (r *reader) destination(f *File, n *yaml.Node, path string) {
	var d Destination
	var key string
	r.object(n, path,
		field{"name", r.text(&d.Name)}, field{"type", r.text(&d.Type)},
		field{"disabled", r.yes(&d.Disabled)}, field{"settings", r.settings(&d.Settings)},
		r.secrets(f, secret.Destination, len(f.Document.Destinations)),
		field{"was", r.text(&d.Was)}, field{"id", r.text(&key)})
	d.ID = id.Destination(key)
	r.need(n, join(path, "name"), d.Name)
	r.need(n, join(path, "type"), d.Type)
	f.Document.Destinations = append(f.Document.Destinations, d)
}

func (r *reader) connection(n *yaml.Node, path string) Connection {
	var c Connection
	r.object(n, path,
		field{"source", r.text(&c.Source)}, field{"destination", r.text(&c.Destination)},
		field{"transformations", func(n *yaml.Node, path string) {
			r.list(n, path, func(n *yaml.Node, path string) {
				var name string
				r.text(&name)(n, path)
				c.Transformations = append(c.Transformations, name)
			})
		}})
	r.need(n, join(path, "source"), c.Source)
	r.need(n, join(path, "destination"), c.Destination)
	return c
}

// secrets is the member that lists the secrets of an object, which is number
// index of its family.
func (r *reader) secrets(f *File, family secret.Family, index int) field {
	return field{"secrets", func(n *yaml.Node, path string) {
		r.each(n, path, func(key string, v *yaml.Node, at string) {
			f.Secrets = append(f.Secrets, r.secret(Wanted{Family: family, Index: index, Field: key, Path: at}, v))
		})
	}}
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

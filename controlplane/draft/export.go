package draft

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// export writes a configuration as a document, ordered by name. order gives, for each
// list, the position in c of each object of the document.
func export(c workspace.Config) (doc document.Document, order map[string][]int) {
	doc, order = document.Document{ID: c.Workspace, Workspace: c.Name, Region: c.Region}, map[string][]int{}
	names := namesOf(c)
	for _, k := range document.Kinds() {
		from, to := listOf(&c, k), listOf(&doc, k)
		titles, at := make([]string, from.Len()), make([]int, from.Len())
		for i := range at {
			titles[i], at[i] = called(from.Index(i), names), i
		}
		slices.SortStableFunc(at, func(a, b int) int { return strings.Compare(titles[a], titles[b]) })
		for _, i := range at {
			item := reflect.New(to.Type().Elem()).Elem()
			write(item, from.Index(i), names)
			to.Set(reflect.Append(to, item))
		}
		order[k.List] = at
	}
	return doc, order
}

// write writes a revision's object as a document's: identifiers of others become names.
func write(to, from reflect.Value, names table) {
	if to.Type() == from.Type() {
		to.Set(from)
		return
	}
	for i := range from.NumField() {
		field, value := from.Type().Field(i), from.Field(i)
		target := to.FieldByName(field.Name)
		switch {
		case target.Type() == value.Type():
			target.Set(value)
		case target.Kind() == reflect.String:
			target.SetString(names.named(value))
		case target.Kind() == reflect.Slice:
			for i := range value.Len() {
				target.Set(reflect.Append(target, reflect.ValueOf(names.named(value.Index(i)))))
			}
		default:
			target.Set(reflect.ValueOf(references(value.Interface().(map[string]secret.Ref))))
		}
	}
}

// references writes what the control plane knows of an object's secrets, nil for
// none.
func references(refs map[string]secret.Ref) map[string]document.Secret {
	var out map[string]document.Secret
	for field, ref := range refs {
		if out == nil {
			out = map[string]document.Secret{}
		}
		out[field] = document.Secret{Version: ref.Version, Fingerprint: ref.Fingerprint}
	}
	return out
}

// Explain turns what a plane has against a revision, paths into the revision's
// encoding, into problems of the document that Export gives: objects stand
// there in another order, and the text names the one that is meant.
func Explain(c workspace.Config, rejected []wire.Problem) []fault.Problem {
	_, order := export(c)
	problems := make([]fault.Problem, 0, len(rejected))
	for _, p := range rejected {
		path, name := documentPath(c, order, p.Path)
		text := fmt.Sprintf("The plane refuses this: %s.", p.Code.Explained())
		if name != "" {
			text = fmt.Sprintf("The plane refuses this in %s: %s.", name, p.Code.Explained())
		}
		problems = append(problems, fault.Problem{Path: path, Code: string(p.Code), Text: text})
	}
	return problems
}

// documentPath gives "destinations[0].type" of c the place that it has in the document
// of that order, and the object's name. A path about no object of c comes back as it is.
func documentPath(c workspace.Config, order map[string][]int, path string) (there, name string) {
	list, rest, _ := strings.Cut(path, "[")
	digits, rest, ok := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return path, ""
	}
	at := slices.Index(order[list], i)
	if at < 0 {
		return path, ""
	}
	k := document.Kinds()[slices.IndexFunc(document.Kinds(), func(k document.Kind) bool { return k.List == list })]
	return fmt.Sprintf("%s[%d]%s", list, at, rest), called(listOf(&c, k).Index(i), namesOf(c))
}

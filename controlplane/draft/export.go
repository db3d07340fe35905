package draft

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// export writes a configuration as a Document, ordered by name.
func export(c workspace.Config) Document {
	doc := Document{ID: c.Workspace, Workspace: c.Name, Region: c.Region}
	sources, destinations, transformations := map[id.Source]string{}, map[id.Destination]string{}, map[id.Transformation]string{}
	for _, s := range c.Sources {
		sources[s.ID] = s.Name
		doc.Sources = append(doc.Sources, Source{ID: s.ID, Name: s.Name, Type: s.Type, WriteKey: s.WriteKey, Disabled: s.Disabled, Settings: s.Settings, Secrets: references(s.Secrets)})
	}
	for _, l := range c.Libraries {
		doc.Libraries = append(doc.Libraries, Library(l))
	}
	for _, t := range c.Transformations {
		transformations[t.ID] = t.Name
		doc.Transformations = append(doc.Transformations, Transformation{ID: t.ID, Name: t.Name, Language: t.Language, Code: t.Code, MaxOutputs: t.MaxOutputs})
	}
	for _, d := range c.Destinations {
		destinations[d.ID] = d.Name
		doc.Destinations = append(doc.Destinations, Destination{ID: d.ID, Name: d.Name, Type: d.Type, Disabled: d.Disabled, Settings: d.Settings, Secrets: references(d.Secrets)})
	}
	for _, conn := range c.Connections {
		out := Connection{Source: sources[conn.Source], Destination: destinations[conn.Destination]}
		for _, t := range conn.Transformations {
			out.Transformations = append(out.Transformations, transformations[t])
		}
		doc.Connections = append(doc.Connections, out)
	}
	slices.SortFunc(doc.Sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(doc.Libraries, func(a, b Library) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(doc.Transformations, func(a, b Transformation) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(doc.Destinations, func(a, b Destination) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(doc.Connections, func(a, b Connection) int {
		return strings.Compare(a.Source+"\x00"+a.Destination, b.Source+"\x00"+b.Destination)
	})
	return doc
}

// references writes what the control plane knows of an object's secrets, nil for
// none.
func references(refs map[string]secret.Ref) map[string]Secret {
	var out map[string]Secret
	for field, ref := range refs {
		if out == nil {
			out = map[string]Secret{}
		}
		out[field] = Secret{Version: ref.Version, Fingerprint: ref.Fingerprint}
	}
	return out
}

// Explain turns what a plane has against a revision, paths into the revision's
// encoding, into problems of the document that Export gives: objects stand
// there in another order, and the text names the one that is meant.
func Explain(c workspace.Config, rejected []wire.Problem) []fault.Problem {
	doc := export(c)
	problems := make([]fault.Problem, 0, len(rejected))
	for _, p := range rejected {
		path, name := documentPath(c, doc, p.Path)
		text := fmt.Sprintf("The plane refuses this: %s.", p.Code)
		if name != "" {
			text = fmt.Sprintf("The plane refuses this in %s: %s.", name, p.Code)
		}
		problems = append(problems, fault.Problem{Path: path, Code: string(p.Code), Text: text})
	}
	return problems
}

// documentPath gives "destinations[0].type" of c the place that it has in doc,
// and the object's name. A path about no object of c comes back as it is.
func documentPath(c workspace.Config, doc Document, path string) (there, name string) {
	list, rest, ok := strings.Cut(path, "[")
	if !ok {
		return path, ""
	}
	digits, rest, ok := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || i < 0 {
		return path, ""
	}
	at := -1
	switch {
	case list == "sources" && i < len(c.Sources):
		at = slices.IndexFunc(doc.Sources, func(s Source) bool { return s.ID == c.Sources[i].ID })
		name = c.Sources[i].Name
	case list == "libraries" && i < len(c.Libraries):
		name = c.Libraries[i].Name
		at = slices.IndexFunc(doc.Libraries, func(l Library) bool { return l.Name == name })
	case list == "transformations" && i < len(c.Transformations):
		at = slices.IndexFunc(doc.Transformations, func(t Transformation) bool { return t.ID == c.Transformations[i].ID })
		name = c.Transformations[i].Name
	case list == "destinations" && i < len(c.Destinations):
		at = slices.IndexFunc(doc.Destinations, func(d Destination) bool { return d.ID == c.Destinations[i].ID })
		name = c.Destinations[i].Name
	case list == "connections" && i < len(c.Connections):
		name = connectionParts(c)[i].name
		at = slices.IndexFunc(doc.Connections, func(d Connection) bool { return d.Source+" -> "+d.Destination == name })
	}
	if at < 0 {
		return path, ""
	}
	return fmt.Sprintf("%s[%d]%s", list, at, rest), name
}

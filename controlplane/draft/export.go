package draft

import (
	"slices"
	"strings"

	"weir/shared/id"
	"weir/shared/workspace"
)

// export writes a configuration as a Document, ordered by name.
func export(c workspace.Config) Document {
	doc := Document{ID: c.Workspace, Workspace: c.Name, Region: c.Region}
	sources, destinations, transformations := map[id.Source]string{}, map[id.Destination]string{}, map[id.Transformation]string{}
	for _, s := range c.Sources {
		sources[s.ID] = s.Name
		doc.Sources = append(doc.Sources, Source{ID: s.ID, Name: s.Name, Type: s.Type, WriteKey: s.WriteKey, Disabled: s.Disabled, Settings: s.Settings})
	}
	for _, t := range c.Transformations {
		transformations[t.ID] = t.Name
		doc.Transformations = append(doc.Transformations, Transformation{ID: t.ID, Name: t.Name, Language: t.Language, Code: t.Code})
	}
	for _, d := range c.Destinations {
		destinations[d.ID] = d.Name
		out := Destination{ID: d.ID, Name: d.Name, Type: d.Type, Disabled: d.Disabled, Settings: d.Settings}
		for field, ref := range d.Secrets {
			if out.Secrets == nil {
				out.Secrets = map[string]Secret{}
			}
			out.Secrets[field] = Secret{Version: ref.Version, Fingerprint: ref.Fingerprint}
		}
		doc.Destinations = append(doc.Destinations, out)
	}
	for _, conn := range c.Connections {
		out := Connection{Source: sources[conn.Source], Destination: destinations[conn.Destination]}
		for _, t := range conn.Transformations {
			out.Transformations = append(out.Transformations, transformations[t])
		}
		doc.Connections = append(doc.Connections, out)
	}
	slices.SortFunc(doc.Sources, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(doc.Transformations, func(a, b Transformation) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(doc.Destinations, func(a, b Destination) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(doc.Connections, func(a, b Connection) int {
		return strings.Compare(a.Source+"\x00"+a.Destination, b.Source+"\x00"+b.Destination)
	})
	return doc
}

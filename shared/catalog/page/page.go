// Package page writes what people read about a kind: what it does with events, its
// settings, secrets, limits and codes, from its spec alone.
package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/shared/catalog"
	"weir/shared/catalog/calls"
	"weir/shared/catalog/objects"
	"weir/shared/catalog/streams"
)

// Example is an event and what is sent of it; its zero value stands for none.
type Example struct {
	Event   string // JSON
	Request string // method, address and body
}

// Write returns the page of a kind as Markdown. Equal specs and examples give equal bytes.
func Write(s catalog.Spec, e Example) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n%s\n\n", s.Title, s.Doc)
	if s.StandIn != "" {
		fmt.Fprintf(&b, "**Proven against a stand-in:** %s\n\n", s.StandIn)
	}
	configuration(&b, s)
	if len(s.Setup) > 0 {
		b.WriteString("## Set-up\n")
		for i, step := range s.Setup {
			fmt.Fprintf(&b, "%d. %s\n", i+1, strings.ReplaceAll(strings.TrimSpace(step), "\n", "\n   "))
		}
		b.WriteString("\n")
	}
	if s.Calls != nil {
		whatBecomes(&b, s.Calls.Calls)
		named(&b, s.Calls.Calls)
	}
	records(&b, s.Objects)
	pulled(&b, s.Streams)
	if s.StreamsOf != "" {
		fmt.Fprintf(&b, "## Streams\nEach entry of the setting `%s` is a stream: its name is the entry's in lower case, with `_` for other signs. Rows are events of the type `record`; a warehouse keeps the newest state of each in the table `<source>_<stream>`.\n\n", s.StreamsOf)
	}
	table(&b, "Settings", s.Fields, "")
	table(&b, "Secrets", s.Secrets, "Sealed for the data plane before they leave your machine; the control plane cannot read them.\n\n")
	limits(&b, s)
	if len(s.Codes) > 0 {
		b.WriteString("## Codes\nBeside those that all kinds share, an event can end with one of these, because\n\n| code | because |\n|---|---|\n")
		for _, c := range s.Codes {
			fmt.Fprintf(&b, "| `%s` | %s |\n", c.Name, cell(c.Doc))
		}
		b.WriteString("\n")
	}
	if e.Request != "" {
		fmt.Fprintf(&b, "## Example\nThis event\n```json\n%s\n```\nis sent as\n```\n%s\n```\n", e.Event, e.Request)
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

// records writes what syncs can keep in the kind.
func records(b *bytes.Buffer, all []objects.Object) {
	if len(all) == 0 {
		return
	}
	b.WriteString("## Objects\n[Syncs](../activation.md) keep rows of models as records of these:\n\n| object | is | can be | known by | fields |\n|---|---|---|---|---|\n")
	list := func(fields []objects.Field) string {
		var names []string
		for _, f := range fields {
			names = append(names, "`"+f.Name+"`")
		}
		return strings.Join(names, ", ")
	}
	for _, o := range all {
		fields := list(o.Fields)
		if !o.Closed {
			fields = strings.TrimPrefix(fields+", others", ", ")
		}
		known := list(o.Identifiers)
		if known == "" {
			known = "what the sync says"
		}
		fmt.Fprintf(b, "| `%s` | %s: %s | %s | %s | %s |\n", o.Name, cell(o.Title), cell(o.Doc), strings.Join(o.Actions, ", "), known, fields)
	}
	b.WriteString("\n")
}

// pulled writes what rows a source has.
func pulled(b *bytes.Buffer, all []streams.Outline) {
	if len(all) == 0 {
		return
	}
	b.WriteString("## Streams\nRows are events of the type `record`; a warehouse keeps the newest state of each in the table `<source>_<stream>`.\n\n| stream | has | a row is known by | changes by | deleted rows |\n|---|---|---|---|---|\n")
	deleted := map[string]string{"flag": "are marked", "feed": "are marked", "unseen": "stay: the vendor does not tell"}
	for _, s := range all {
		doc := s.Doc
		if s.Parent != "" {
			doc += " Asked for each row of `" + s.Parent + "`."
		}
		if s.Off {
			doc += " Pulled only where a configuration names it."
		}
		changes := "reading all rows again"
		if s.Cursor != "" {
			changes = "`" + s.Cursor + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | `%s` | %s | %s |\n", s.Name, cell(doc), strings.Join(s.Key, "`, `"), changes, deleted[s.Deletes])
	}
	b.WriteString("\n")
}

// configuration writes an object of the kind as `weir apply` takes it.
func configuration(b *bytes.Buffer, s catalog.Spec) {
	part := "destinations"
	if s.Family == catalog.Sources {
		part = "sources"
	}
	fmt.Fprintf(b, "```yaml\n%s:\n  - name: my-%s\n    type: %s\n", part, s.Name, s.Name)
	if required := slices.DeleteFunc(slices.Clone(s.Fields), func(f catalog.Field) bool { return !f.Required }); len(required) > 0 {
		b.WriteString("    settings:\n")
		for _, f := range required {
			fmt.Fprintf(b, "      %s: %s\n", f.Name, sample(f))
		}
	}
	if len(s.Secrets) > 0 {
		b.WriteString("    secrets:\n")
		for _, f := range s.Secrets {
			fmt.Fprintf(b, "      %s: { from: env, name: WEIR_SECRET_%s }%s\n", f.Name, strings.ToUpper(f.Name), unlessRequired(f))
		}
	}
	b.WriteString("```\n\n")
}

func unlessRequired(f catalog.Field) string {
	if f.Required {
		return ""
	}
	return " # may be left out"
}

// sample is a value that shows the form of a required field.
func sample(f catalog.Field) string {
	switch f.Type {
	case catalog.TypeEnum:
		return f.Enum[0]
	case catalog.TypeInteger:
		return "1"
	case catalog.TypeBoolean:
		return "true"
	case catalog.TypeDuration:
		return "1m"
	case catalog.TypeURL:
		return "https://example.com"
	case catalog.TypeStrings:
		return "[…]"
	case catalog.TypeMap, catalog.TypeObject:
		return "{ … }"
	}
	return "…"
}

// whatBecomes writes a row for each call of a kind that is a file.
func whatBecomes(b *bytes.Buffer, all []calls.Call) {
	b.WriteString("## What becomes of events\nThe first row that fits decides; events that fit none are dropped with `unsupported_event`.\n\n| events | become |\n|---|---|\n")
	for i := range all {
		c := &all[i]
		what := "dropped: `" + c.Drop + "`"
		switch {
		case c.Retry != "":
			what = "tried again later: `" + c.Retry + "`"
		case c.Drop == "":
			what = request(&c.Request) + each(c)
			for j := range c.Then {
				what += ", then " + request(&c.Then[j].Request) + each(&c.Then[j])
			}
		}
		fmt.Fprintf(b, "| %s | %s |\n", cell(which(c)), cell(what))
	}
	b.WriteString("\n")
}

func each(c *calls.Call) string {
	if c.Each == nil {
		return ""
	}
	return " for each of its elements"
}

// named writes what the names of events are called there.
func named(b *bytes.Buffer, all []calls.Call) {
	names := map[string]string{}
	var walk func(v *calls.Value)
	walk = func(v *calls.Value) {
		if v == nil {
			return
		}
		if len(v.From) == 1 && slices.Contains([]string{"{event}", "{$name}"}, written(v.From[0])) {
			for _, t := range v.Names {
				for from, to := range t.Names {
					names[from] = to
				}
			}
		}
		walk(v.Body)
		for i := range v.List {
			walk(&v.List[i])
		}
		for i := range v.Members {
			walk(&v.Members[i].Value)
		}
	}
	for i := range all {
		walk(all[i].Body)
		for j := range all[i].Parts {
			walk(&all[i].Parts[j])
		}
		for j := range all[i].Then {
			walk(all[i].Then[j].Body)
		}
	}
	if len(names) == 0 {
		return
	}
	b.WriteString("Names of events, and of their synonyms, that are known there under others:\n\n| event | there |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(b, "| %s | %s |\n", cell(name), cell(names[name]))
	}
	b.WriteString("\n")
}

// which are the events that a call matches.
func which(c *calls.Call) string {
	text := strings.Join(c.Types, ", ")
	if text == "" {
		text = "all"
	}
	var names []string
	for _, t := range c.EventIn {
		names = append(names, "those of `"+written(t)+"`")
	}
	names = append(names, c.Events...)
	if len(names) > 0 {
		text += ": " + strings.Join(names, ", ")
	}
	if len(c.When) > 0 {
		text += " (with conditions)"
	}
	return text
}

func request(r *calls.Request) string {
	if r.URL != nil {
		return "`" + r.Method + " " + written(*r.URL) + "`"
	}
	return "`" + r.Method + " " + written(r.Path) + "`"
}

// written is a template as it stands in a file.
func written(t calls.Template) string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.Text)
		var refs []string
		for _, r := range p.Refs {
			path := r.Path
			if r.Root != "" {
				path = append([]string{r.Root}, path...)
			}
			refs = append(refs, strings.Join(path, "."))
		}
		if len(refs) > 0 {
			b.WriteString("{" + strings.Join(refs, " | ") + "}")
		}
	}
	return b.String()
}

// table writes fields, and those of objects below them.
func table(b *bytes.Buffer, title string, fields []catalog.Field, above string) {
	if len(fields) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n%s| name | type | default | |\n|---|---|---|---|\n", title, above)
	rows(b, fields, "")
	b.WriteString("\n")
}

func rows(b *bytes.Buffer, fields []catalog.Field, before string) {
	for _, f := range fields {
		typ := string(f.Type)
		if len(f.Enum) > 0 {
			typ = strings.Join(f.Enum, ", ")
		}
		value := ""
		if f.Default != nil {
			text, _ := json.Marshal(f.Default) // defaults were read from YAML
			value = "`" + strings.Trim(string(text), `"`) + "`"
		}
		if f.Required {
			value = "required"
		}
		doc := f.Doc
		if doc == "" {
			doc = f.Title
		}
		if f.Common() && !f.Lists {
			doc += " See [the format](../destination-format.md#overrides)."
		} else if f.Lists && f.Type == catalog.TypeMap {
			doc += " With lists as their values, `allow` and `deny` say which events are sent, see [filters](../filters.md)."
		} else if f.Lists && f.Type == catalog.TypeBoolean {
			doc += " As an object with the lists `allow` and `deny` it says which events are sent, see [filters](../filters.md)."
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", before, f.Name, cell(typ), cell(value), cell(doc))
		rows(b, f.Fields, before+f.Name+".")
	}
}

func limits(b *bytes.Buffer, s catalog.Spec) {
	if s.Limits == nil || s.Limits.Batch == nil && s.Limits.Rate == nil {
		return
	}
	b.WriteString("## Limits\n")
	if l := s.Limits.Batch; l != nil && l.Size > 1 {
		fmt.Fprintf(b, "- A batch has at most %d events", l.Size)
		if l.Bytes > 0 {
			fmt.Fprintf(b, " and a request %d bytes", l.Bytes)
		}
		b.WriteString(".\n")
	} else if l != nil && l.Bytes > 0 {
		fmt.Fprintf(b, "- A request has at most %d bytes.\n", l.Bytes)
	}
	if r := s.Limits.Rate; r != nil {
		fmt.Fprintf(b, "- At most %d requests within %s, from all partitions of a data plane together.\n", r.Requests, r.Per.Std())
	}
	b.WriteString("\n")
}

// cell is a text within a row of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

package catalog

import "encoding/json"

// schema is the part of JSON Schema 2020-12 that specs need; as a struct it is
// always written in the same order.
type schema struct {
	Schema               string            `json:"$schema,omitempty"`
	Title                string            `json:"title,omitempty"`
	Description          string            `json:"description,omitempty"`
	Type                 string            `json:"type,omitempty"`
	AnyOf                []schema          `json:"anyOf,omitempty"`
	Format               string            `json:"format,omitempty"`
	Default              any               `json:"default,omitempty"`
	Enum                 []string          `json:"enum,omitempty"`
	Minimum              *int64            `json:"minimum,omitempty"`
	Maximum              *int64            `json:"maximum,omitempty"`
	MinLength            *int64            `json:"minLength,omitempty"`
	MaxLength            *int64            `json:"maxLength,omitempty"`
	Pattern              string            `json:"pattern,omitempty"`
	Items                *schema           `json:"items,omitempty"`
	Properties           map[string]schema `json:"properties,omitempty"`
	Required             []string          `json:"required,omitempty"`
	AdditionalProperties any               `json:"additionalProperties,omitempty"` // false, or a schema
}

// durationPattern is days, or what time.ParseDuration reads, without a sign.
// Source: https://pkg.go.dev/time#ParseDuration
const durationPattern = `^([0-9]{1,5}d|(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+)$`

// JSONSchema describes the settings of s for editors and forms. Check is the
// judge: lengths count bytes there and characters in JSON Schema.
func JSONSchema(s Spec) []byte {
	out := objectSchema(s.Fields)
	out.Schema = "https://json-schema.org/draft/2020-12/schema"
	out.Title, out.Description = s.Title, s.Doc
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic("a spec that cannot be JSON: " + err.Error()) // Parse and All give none
	}
	return b
}

func objectSchema(fields []Field) schema {
	out := schema{Type: "object", Properties: map[string]schema{}, AdditionalProperties: false}
	for _, f := range fields {
		out.Properties[f.Name] = fieldSchema(f)
		if f.Required {
			out.Required = append(out.Required, f.Name)
		}
	}
	return out
}

// withLists adds the lists of events to the schema of a field of a kind's own; text is
// that of its texts.
func withLists(f Field, own, text schema) schema {
	of := objectSchema(lists())
	if f.Type != TypeMap {
		return schema{AnyOf: []schema{own, of}}
	}
	own.Properties = map[string]schema{}
	for name, list := range of.Properties {
		own.Properties[name] = schema{AnyOf: []schema{text, list}}
	}
	return own
}

func fieldSchema(f Field) schema {
	text := schema{Type: "string", MinLength: f.Min, MaxLength: f.Max}
	if f.Pattern != "" {
		text.Pattern = `^(?:` + f.Pattern + `)$`
	}
	out := text
	switch f.Type {
	case TypeURL:
		out.Format = "uri"
	case TypeInteger:
		out = schema{Type: "integer", Minimum: f.Min, Maximum: f.Max}
	case TypeBoolean:
		out = schema{Type: "boolean"}
	case TypeDuration:
		out = schema{Type: "string", Pattern: durationPattern}
	case TypeEnum:
		out = schema{Type: "string", Enum: f.Enum}
	case TypeStrings:
		out = schema{Type: "array", Items: &text}
	case TypeMap:
		out = schema{Type: "object", AdditionalProperties: text}
	case typeValues:
		out = schema{Type: "object", AdditionalProperties: true}
	case TypeObject:
		out = objectSchema(f.Fields)
	}
	if f.Lists && f.Type != TypeObject {
		out = withLists(f, out, text)
	}
	out.Title, out.Description, out.Default = f.Title, f.Doc, f.Default
	return out
}

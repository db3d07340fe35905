package main

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"weir/shared/workspace/document"
)

// schemas describes a document and everything in it as components of OpenAPI, and the
// names of the kinds in changes.
func schemas() []byte {
	var b bytes.Buffer
	kinds := []string{"workspace"}
	for _, k := range document.Kinds() {
		kinds = append(kinds, k.Name)
	}
	fmt.Fprintf(&b, "    ObjectKind: { type: string, enum: [%s] }\n", strings.Join(kinds, ", "))
	component(&b, reflect.TypeFor[document.Document](), map[reflect.Type]bool{})
	return b.Bytes()
}

// component describes a struct, and after it those that it refers to and that are not
// in done.
func component(b *bytes.Buffer, of reflect.Type, done map[reflect.Type]bool) {
	if done[of] {
		return
	}
	done[of] = true
	fields := document.Fields(of)
	fmt.Fprintf(b, "    %s:\n      type: object\n", of.Name())
	var required []string
	for _, f := range fields {
		if f.Required {
			required = append(required, f.Name)
		}
	}
	if len(required) > 0 {
		fmt.Fprintf(b, "      required: [%s]\n", strings.Join(required, ", "))
	}
	b.WriteString("      additionalProperties: false\n      properties:\n")
	for _, f := range fields {
		says := ""
		if f.Doc != "" {
			says = fmt.Sprintf(", description: %q", f.Doc)
		}
		fmt.Fprintf(b, "        %s: { %s%s }\n", f.Name, shape(f, f.Type), says)
	}
	for _, f := range fields {
		if t := within(f.Type); t.Kind() == reflect.Struct {
			component(b, t, done)
		}
	}
}

// within is what the lists, maps and pointers of a type are of.
func within(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// shape describes a type, by the members of a schema.
func shape(f document.Field, t reflect.Type) string {
	switch {
	case t.Name() == "RawMessage":
		return "type: object, additionalProperties: true"
	case t == reflect.TypeFor[[]byte]():
		return "type: string, contentEncoding: base64"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shape(f, t.Elem())
	case reflect.Struct:
		return fmt.Sprintf("$ref: \"#/components/schemas/%s\"", t.Name())
	case reflect.Slice:
		return "type: array, items: { " + shape(f, t.Elem()) + " }"
	case reflect.Map:
		return "type: object, additionalProperties: { " + shape(f, t.Elem()) + " }"
	case reflect.String:
		if f.One != "" {
			return "type: string, enum: [" + strings.ReplaceAll(f.One, ",", ", ") + "]"
		}
		return "type: string"
	case reflect.Bool:
		return "type: boolean"
	case reflect.Float64:
		return "type: number"
	}
	bounds := ""
	if f.Least != 0 {
		bounds = fmt.Sprintf(", minimum: %d", f.Least)
	}
	if f.Most != 0 {
		bounds += fmt.Sprintf(", maximum: %d", f.Most)
	}
	return "type: integer" + bounds
}

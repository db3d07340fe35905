package document

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// Kind is one kind of configuration object: a list of Document.
type Kind struct {
	Name   string // of one object, as changes call it: source
	List   string // the key of the list: sources
	Field  string // the list's field in Document, and in workspace.Config
	Doc    string
	Fields []Field // of an object, in the order in which people write them
}

// Field is one key of an object.
type Field struct {
	Name     string // the key
	Doc      string
	Required bool
	Least    int    // of a number; 0 for no bound
	Most     int    // of a number; 0 for no bound
	One      string // of a text: what it is one of, between commas; empty for any
	Type     reflect.Type
	Index    []int // in the Go type
}

// Kinds lists the kinds in the order of Document. Callers share the list and do not
// change it.
func Kinds() []Kind { return declared() }

// declared reads the kinds once: each comparison of two configurations asks for them.
var declared = sync.OnceValue(func() []Kind {
	var kinds []Kind
	for _, f := range Fields(reflect.TypeFor[Document]()) {
		if f.Type.Kind() == reflect.Slice {
			kinds = append(kinds, Kind{
				Name: lower(f.Type.Elem().Name()), List: f.Name, Field: reflect.TypeFor[Document]().FieldByIndex(f.Index).Name,
				Doc: f.Doc, Fields: Fields(f.Type.Elem()),
			})
		}
	}
	return kinds
})

// Fields lists the keys of the object that a struct of this package or of package
// workspace stands for. Those of an embedded struct are its own.
func Fields(of reflect.Type) []Field {
	var fields []Field
	for _, f := range reflect.VisibleFields(of) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			continue
		}
		least, _ := strconv.Atoi(f.Tag.Get("least")) // absent: 0
		most, _ := strconv.Atoi(f.Tag.Get("most"))
		fields = append(fields, Field{Name: name, Doc: f.Tag.Get("doc"), Required: options == "", Least: least, Most: most, One: f.Tag.Get("one"), Type: f.Type, Index: f.Index})
	}
	return fields
}

// lower returns a Go name as a key: Source is source.
func lower(name string) string {
	for i, r := range name {
		return string(unicode.ToLower(r)) + name[i+len(string(r)):]
	}
	return name
}

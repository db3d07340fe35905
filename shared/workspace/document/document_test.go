package document_test

import (
	"reflect"
	"slices"
	"testing"

	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// TestEveryKindHasBothForms holds each kind's form with names to the one with
// identifiers: what one lacks would be lost without a word.
func TestEveryKindHasBothForms(t *testing.T) {
	t.Parallel()
	config, doc := reflect.TypeFor[workspace.Config](), reflect.TypeFor[document.Document]()
	lists := func(of reflect.Type) (names []string) {
		for i := range of.NumField() {
			if of.Field(i).Type.Kind() == reflect.Slice {
				names = append(names, of.Field(i).Name+" "+of.Field(i).Tag.Get("json"))
			}
		}
		return names
	}
	if got, want := lists(doc), lists(config); !slices.Equal(got, want) {
		t.Fatalf("a document has the lists %v, a revision %v", got, want)
	}
	for _, k := range document.Kinds() {
		stored, _ := config.FieldByName(k.Field)
		named, _ := doc.FieldByName(k.Field)
		if !stored.Type.Elem().Implements(reflect.TypeFor[workspace.Object]()) {
			t.Errorf("%s is no Object", stored.Type.Elem())
		}
		keys := map[string]string{}
		for _, f := range document.Fields(stored.Type.Elem()) {
			keys[f.Name] = stored.Type.Elem().FieldByIndex(f.Index).Name
		}
		if k.Doc == "" {
			t.Errorf("%s lacks doc", k.List)
		}
		for _, f := range k.Fields {
			name := named.Type.Elem().FieldByIndex(f.Index).Name
			if f.Doc == "" || f.Name == "" {
				t.Errorf("%s.%s lacks json or doc", k.List, name)
			}
			if keys[f.Name] != name && f.Name != "was" {
				t.Errorf("%s.%s is no field %s of a revision", k.List, f.Name, name)
			}
			delete(keys, f.Name)
		}
		for name := range keys {
			t.Errorf("%s.%s of a revision is not in a document", k.List, name)
		}
	}
}

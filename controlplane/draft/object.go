package draft

import (
	"reflect"
	"strings"

	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// listOf returns the list of a kind in a *document.Document or *workspace.Config.
func listOf(of any, k document.Kind) reflect.Value {
	return reflect.ValueOf(of).Elem().FieldByName(k.Field)
}

// keyOf is what an object of a configuration is known by.
func keyOf(object reflect.Value) string { return object.Interface().(workspace.Object).Key() }

// idOf returns an object's identifier; it is not valid when its kind has none.
func idOf(object reflect.Value) reflect.Value { return object.FieldByName("ID") }

// table is one name or identifier for each, by the type of identifier.
type table map[reflect.Type]map[string]string

func (t table) add(of reflect.Type, from, to string) {
	if t[of] == nil {
		t[of] = map[string]string{}
	}
	t[of][from] = to
}

// namesOf returns the names of all objects that have identifiers.
func namesOf(c workspace.Config) table {
	names := table{}
	for _, k := range document.Kinds() {
		list := listOf(&c, k)
		for i := range list.Len() {
			if own := idOf(list.Index(i)); own.IsValid() {
				names.add(own.Type(), own.String(), list.Index(i).FieldByName("Name").String())
			}
		}
	}
	return names
}

// called is what people call an object: its name, else the names of what it joins.
func called(object reflect.Value, names table) string {
	if name := object.FieldByName("Name"); name.IsValid() {
		return name.String()
	}
	var ends []string
	for i := range object.NumField() {
		if f := object.Field(i); f.Kind() == reflect.String && f.Type() != reflect.TypeFor[string]() {
			ends = append(ends, names.named(f))
		}
	}
	return strings.Join(ends, " -> ")
}

// named returns the name of the object with an identifier; of one that is not there,
// the name under which it was looked for.
func (t table) named(object reflect.Value) string {
	if name, ok := t[object.Type()][object.String()]; ok {
		return name
	}
	return strings.TrimPrefix(object.String(), unknown)
}

// newID makes an identifier of a type.
func newID(of reflect.Type) string {
	made, ok := id.NewLike(reflect.Zero(of).Interface())
	if !ok {
		panic("no identifiers are made of type " + of.String()) // a kind was declared without a prefix
	}
	return made
}

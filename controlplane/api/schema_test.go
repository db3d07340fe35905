package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// schema is the API's document, as far as the tests need it: enough of JSON
// Schema to see that an answer is what the document promises.
type schema struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas   map[string]shape
		Responses map[string]response
	}
	operations map[string]operation // as "METHOD /path"
}

type operation struct {
	OperationID string `json:"operationId"`
	Security    *[]any
	Responses   map[string]response
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema shape }
}

type shape struct {
	Ref        string `json:"$ref"`
	Type       any
	Const      any
	Enum       []any
	Required   []string
	Properties map[string]shape
	Additional any `json:"additionalProperties"`
	Items      *shape
}

// lastRead is the document that was read last: most APIs of the tests serve the same.
var lastRead struct {
	sync.Mutex
	text   string
	schema *schema
}

func readSchema(t *testing.T, h http.Handler) *schema {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/openapi.json", nil))
	lastRead.Lock()
	defer lastRead.Unlock()
	if text := rec.Body.String(); text != lastRead.text {
		var s schema
		if err := json.Unmarshal([]byte(text), &s); err != nil || len(s.Paths) == 0 {
			t.Fatalf("openapi.json: %v", err)
		}
		s.operations = s.list(t)
		lastRead.text, lastRead.schema = text, &s
	}
	return lastRead.schema
}

// list returns every operation as "METHOD /path".
func (s *schema) list(t *testing.T) map[string]operation {
	t.Helper()
	all := map[string]operation{}
	for path, methods := range s.Paths {
		for method, text := range methods {
			if method == "parameters" {
				continue
			}
			var op operation
			if err := json.Unmarshal(text, &op); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			all[strings.ToUpper(method)+" "+path] = op
		}
	}
	return all
}

// check holds an answer to the document.
func (s *schema) check(t *testing.T, method, path string, a answer) {
	t.Helper()
	for key, op := range s.operations {
		m, template, _ := strings.Cut(key, " ")
		if m != method || !fits(template, path) {
			continue
		}
		r, ok := op.Responses[fmt.Sprint(a.status)]
		if !ok {
			r, ok = op.Responses["default"]
		}
		if !ok {
			t.Errorf("%s answered %d, which its document does not know", key, a.status)
			return
		}
		if r.Ref != "" {
			r = s.Components.Responses[r.Ref[strings.LastIndex(r.Ref, "/")+1:]]
		}
		kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
		content, ok := r.Content[kind]
		if !ok && len(a.text) > 0 {
			t.Errorf("%s answered %d with %s, which its document does not know", key, a.status, kind)
			return
		}
		if len(a.text) == 0 || kind == "text/markdown" {
			return
		}
		var v any
		if err := json.Unmarshal(a.text, &v); err != nil {
			t.Errorf("%s: %v", key, err)
			return
		}
		s.hold(t, key, content.Schema, v)
		return
	}
}

// fits reports whether path is one of template; literal segments win because
// the document has no two templates that both fit.
func fits(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !strings.HasPrefix(want[i], "{") && want[i] != got[i] {
			return false
		}
	}
	return true
}

// hold reports where v is not of the shape.
func (s *schema) hold(t *testing.T, at string, want shape, v any) {
	t.Helper()
	if want.Ref != "" {
		want = s.Components.Schemas[want.Ref[strings.LastIndex(want.Ref, "/")+1:]]
	}
	if !typed(want.Type, v) {
		t.Errorf("%s is %T %v, want %v", at, v, v, want.Type)
		return
	}
	if want.Const != nil && want.Const != v || len(want.Enum) > 0 && !slices.Contains(want.Enum, v) {
		t.Errorf("%s is %v, want one of %v%v", at, v, want.Const, want.Enum)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range want.Required {
			if _, ok := v[name]; !ok {
				t.Errorf("%s lacks %s", at, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if member, ok := want.Properties[name]; ok {
				s.hold(t, at+"."+name, member, v[name])
			} else if len(want.Properties) > 0 {
				t.Errorf("%s has %s, which its document does not know", at, name)
			}
		}
	case []any:
		for i, item := range v {
			if want.Items != nil {
				s.hold(t, fmt.Sprintf("%s[%d]", at, i), *want.Items, item)
			}
		}
	}
}

func typed(want, v any) bool {
	if list, ok := want.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return typed(one, v) })
	}
	switch want {
	case "object":
		_, ok := v.(map[string]any)
		return ok
	case "array":
		_, ok := v.([]any)
		return ok
	case "string":
		_, ok := v.(string)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "integer":
		n, ok := v.(float64)
		return ok && n == float64(int64(n))
	case "null":
		return v == nil
	}
	return true
}

package api

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// TestRoutesAndDocumentAreTheSame holds every route to a line of the document
// and every line to a route.
func TestRoutesAndDocumentAreTheSame(t *testing.T) {
	t.Parallel()
	text, err := documentJSON()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			Security *[]any
		}
	}
	var loose struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &loose); err != nil {
		t.Fatal(err)
	}
	for _, methods := range loose.Paths {
		delete(methods, "parameters")
	}
	if text, err = json.Marshal(loose); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{} // and whether it is open
	for path, methods := range document.Paths {
		for method, op := range methods {
			described[strings.ToUpper(method)+" "+path] = op.Security != nil && len(*op.Security) == 0
		}
	}
	parameter := regexp.MustCompile(`:([a-z]+)`)
	for _, r := range (&API{}).routes() {
		key := r.method + " " + parameter.ReplaceAllString(r.path, "{$1}")
		open, ok := described[key]
		if !ok {
			t.Errorf("the document lacks %s", key)
		}
		if open != (r.action == "") {
			t.Errorf("%s is open=%v in the document, and its action is %q", key, open, r.action)
		}
		delete(described, key)
	}
	for key := range described {
		t.Errorf("the document has %s, which is no route", key)
	}
}

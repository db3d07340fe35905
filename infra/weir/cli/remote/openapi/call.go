// Package openapi is the control plane's API in Go: its types, and a call for each operation
// that the command line makes. Both are generated from controlplane/api/openapi.yaml, so
// that a type stands once. Calls are data; package remote makes them.
package openapi

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"time"
)

// Call is one request whose answer is a T.
type Call[T any] struct {
	Method string
	Path   string // with what it names, escaped
	Scoped bool   // about an organization: the caller's, else the one below /api/v1/orgs/{org}
	Query  url.Values
	Header http.Header
	Body   any  // nil for none
	Keyed  bool // takes an Idempotency-Key: sent again under the same one, it gets the first answer
}

// None is the answer of a call that has none.
type None struct{}

// All reads all pages of a list: read returns one, and the cursor of the next.
func All[T any](read func(cursor string) (page []T, next string, err error)) ([]T, error) {
	all, cursor := []T{}, ""
	for {
		page, next, err := read(cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" || next == cursor {
			return all, nil
		}
		cursor = next
	}
}

// put adds a parameter unless it is its type's zero value, which is an absent one. A list is
// added value by value.
func put(add func(name, value string), name string, v any) {
	if reflect.ValueOf(v).IsZero() {
		return
	}
	switch v := v.(type) {
	case time.Time:
		add(name, v.UTC().Format(time.RFC3339Nano))
	case []string:
		for _, one := range v {
			add(name, one)
		}
	default:
		add(name, fmt.Sprint(v))
	}
}

// Package bodies fills in the bodies of requests.
package bodies

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"weir/dataplane/destination/fields"
	"weir/shared/catalog/streams"
)

// Fill fills in the texts of a body by what value returns of a reference; see streams.Expand.
// One that is a single setting is its value as it stands; one that is a single reference with
// the form names is a list of objects, with a name each, of the names between commas.
func Fill(body []byte, value func(root, name, as string) (string, bool), settings fields.Value) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("read a body: %w", err)
	}
	var fill func(any) any
	fill = func(v any) any {
		switch x := v.(type) {
		case string:
			if name, ok := strings.CutPrefix(x, "{settings."); ok && strings.Count(x, "{") == 1 && strings.HasSuffix(x, "}") {
				if v := settings.Get(strings.TrimSuffix(name, "}")); v != nil {
					return json.RawMessage(v)
				}
			}
			if of, ok := strings.CutSuffix(x, "|names}"); ok && strings.Count(x, "{") == 1 {
				text, _ := streams.Expand(of+"}", value)
				return named(text)
			}
			text, _ := streams.Expand(x, value)
			if streams.Whole(x) {
				return json.Number(text)
			}
			return text
		case []any:
			for i := range x {
				x[i] = fill(x[i])
			}
		case map[string]any:
			for k := range x {
				x[k] = fill(x[k])
			}
		}
		return v
	}
	return json.Marshal(fill(v))
}

// named are the names of a text, with commas between them, as objects with a name each.
func named(text string) []map[string]string {
	all := []map[string]string{}
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, map[string]string{"name": name})
		}
	}
	return all
}

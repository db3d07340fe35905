package destinationtest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// minSecret is the fewest characters of a made-up secret. A shorter one would be
// found by chance in a request that does not hold it.
const minSecret = 6

// secretText is a text that is secret. Its name is the secret's, with the keys and
// indices that lead to the text when the secret is an object or a list.
type secretText struct{ name, text string }

// secretTexts returns the texts and numbers of a secret, empty ones left out.
func secretTexts(name string, raw json.RawMessage) []secretText {
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil
	}
	var all []secretText
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case string:
			if v != "" {
				all = append(all, secretText{name, v})
			}
		case json.Number:
			all = append(all, secretText{name, v.String()})
		case []any:
			for i, e := range v {
				walk(name+"."+strconv.Itoa(i), e)
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(name+"."+key, v[key])
			}
		}
	}
	walk(name, value)
	return all
}

// in returns the form in which the secret stands in text, and whether it does.
// Unpadded base64 is a part of padded base64.
func (s secretText) in(text string) (form string, found bool) {
	if text == "" {
		return "", false
	}
	for _, f := range []struct{ name, text string }{
		{"in clear", s.text},
		{"escaped for a URL's query", url.QueryEscape(s.text)},
		{"escaped for a URL's path", url.PathEscape(s.text)},
		{"in base64", base64.RawStdEncoding.EncodeToString([]byte(s.text))},
		{"in base64 for URLs", base64.RawURLEncoding.EncodeToString([]byte(s.text))},
	} {
		if strings.Contains(text, f.text) {
			return f.name, true
		}
	}
	return "", false
}

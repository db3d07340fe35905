package catalog

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"weir/shared/catalog/requests"
)

// BaseURL is where the requests of a kind with a Base go: settings.baseUrl, else the
// Base of settings.region. It ends without a slash. settings are those that Fill returned.
func BaseURL(s Spec, settings []byte) string {
	var given struct {
		BaseURL string `json:"baseUrl"`
		Region  string `json:"region"`
	}
	_ = json.Unmarshal(settings, &given) // Check refuses what is not readable
	base, ok := s.Base[given.Region]
	if !ok {
		base = s.Base["any"]
	}
	if given.BaseURL != "" {
		base = given.BaseURL
	}
	text, _ := requests.Expand(base, func(_, name string) string { return setting(settings, name) })
	return strings.TrimRight(text, "/")
}

// setting is the text of a field of settings, a JSON object; "" when it is not there.
func setting(settings []byte, name string) string {
	given, _ := members(settings)
	raw, there := given[name]
	if !there {
		return ""
	}
	value := string(raw)
	_ = json.Unmarshal(raw, &value) // numbers and booleans stay as they stand
	return value
}

// withBase gives a kind with a Base the field baseUrl, and binds its secrets to that
// and to its region.
func withBase(s Spec) Spec {
	if len(s.Base) == 0 || slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == "baseUrl" }) {
		return s
	}
	most := int64(2048)
	s.Fields = append(slices.Clip(s.Fields), Field{
		Name: "baseUrl", Type: TypeURL, Title: "Address", Max: &most,
		Doc: "Where requests go instead of to the vendor: a proxy, a test, an address of a region.",
	})
	s.SentTo = append(slices.Clip(s.SentTo), "baseUrl")
	if slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == "region" }) && !slices.Contains(s.SentTo, "region") {
		s.SentTo = append(s.SentTo, "region")
	}
	return s
}

// specHTTP checks what a Spec says of requests.
func (c *checker) specHTTP(s Spec) {
	if len(s.Streams) > 0 && s.Family != Sources {
		c.add("family", "not_allowed", "Only sources have streams.")
	}
	if (len(s.Auth) > 0 || s.Limits != nil) && s.Family != Destinations && !s.Pulled() || len(s.Base) > 0 && s.Family == Sources && !s.Pulled() {
		c.add("family", "not_allowed", "Only destinations, and sources with streams, have base, auth and limits; warehouses have base alone.")
	}
	c.specBase(s)
	for i, a := range s.Auth {
		c.specAuth(s, a, fmt.Sprintf("auth[%d]", i))
	}
	if l := s.Limits; l != nil {
		if b := l.Batch; b != nil && (b.Size < 1 || b.Bytes < 0) {
			c.add("limits.batch", "too_small", "A batch has one event or more.")
		}
		if r := l.Rate; r != nil && (r.Requests < 1 || r.Per <= 0) {
			c.add("limits.rate", "too_small", "A rate is one request or more within some time.")
		}
	}
}

func (c *checker) specBase(s Spec) {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == "region" })
	for _, key := range slices.Sorted(maps.Keys(s.Base)) {
		at := "base." + key
		if key != "any" && (i < 0 || !slices.Contains(s.Fields[i].Enum, key)) {
			c.add(at, "not_in_enum", "Addresses stand under any, or under the values of the enum region.")
		}
		if s.wholeBase(s.Base[key]) {
			continue
		}
		example, _ := requests.Expand(s.Base[key], func(string, string) string { return "x" })
		u, err := url.Parse(example)
		if err != nil || u.Scheme != "https" || u.Host == "" || strings.HasSuffix(s.Base[key], "/") {
			c.add(at, "bad_url", "Give an https address that does not end with a slash.")
		}
		c.references(s, s.Base[key], at)
		for _, m := range requests.References(s.Base[key]) {
			f := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == m[1] })
			if m[0] == "secrets" || f >= 0 && (s.Fields[f].Pattern == "" && s.Fields[f].Type != TypeEnum || !slices.Contains(s.SentTo, m[1])) {
				c.add(at, "not_allowed", "A part of an address is an enum or a field with a pattern, and stands in sentTo.")
			}
		}
	}
	if _, any := s.Base["any"]; len(s.Base) > 0 && !any && (i < 0 || s.Fields[i].Default == nil && !s.Fields[i].Required || len(s.Base) < len(s.Fields[i].Enum)) {
		c.add("base", "required", "There is no address for every region, or region may be missing: add one under any.")
	}
}

// wholeBase reports whether an address is a setting: required, an address with a pattern,
// and one that secrets are sealed for.
func (s Spec) wholeBase(address string) bool {
	refs := requests.References(address)
	return len(refs) == 1 && refs[0][0] == "settings" && address == "{settings."+refs[0][1]+"}" && slices.Contains(s.SentTo, refs[0][1]) &&
		slices.ContainsFunc(s.Fields, func(f Field) bool {
			return f.Name == refs[0][1] && f.Type == TypeURL && f.Required && f.Pattern != ""
		})
}

func (c *checker) specAuth(s Spec, a requests.Auth, at string) {
	if !slices.Contains(requests.AuthTypes(), a.Type) {
		c.add(at+".type", "not_in_enum", "The type is one of "+strings.Join(requests.AuthTypes(), ", ")+".")
		return
	}
	if !slices.Contains([]string{"", "sha1", "sha256", "sha512"}, a.Hash) || !slices.Contains([]string{"", "hex", "base64"}, a.Encoding) || !slices.Contains([]string{"", "body", "header"}, a.ClientIn) {
		c.add(at, "not_in_enum", "The hash is sha1, sha256 or sha512, the encoding hex or base64, and clientIn body or header.")
	}
	if slices.Contains([]string{"Host", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection"}, http.CanonicalHeaderKey(a.Name)) && (a.Type == "header" || a.Type == "hmac") {
		c.add(at+".name", "not_allowed", "The engine sets this header.")
	}
	if refs := requests.References(a.Value); a.Type == "url" && (len(s.Base) == 0 || len(refs) != 1 || refs[0][0] != "secrets" || a.Value != "{secrets."+refs[0][1]+"}" ||
		!slices.ContainsFunc(s.Secrets, func(f Field) bool { return f.Name == refs[0][1] && f.Type == TypeURL })) {
		c.add(at+".value", "bad_url", "The value is one secret of type url, such as {secrets.webhookUrl}, and there is a base.")
	}
	required, optional := a.Texts()
	for _, text := range required {
		if text == "" {
			c.add(at, "required", "Something is missing that "+a.Type+" needs.")
		}
	}
	for _, text := range append(required, optional...) {
		c.references(s, text, at)
	}
}

// references wants the fields that a template names to be there.
func (c *checker) references(s Spec, template, at string) {
	for _, m := range requests.References(template) {
		fields := s.Fields
		if m[0] == "secrets" {
			fields = s.Secrets
		}
		if !slices.ContainsFunc(fields, func(f Field) bool { return f.Name == m[1] }) {
			c.add(at, "unknown_field", "There is no "+m[0]+"."+m[1]+".")
		}
	}
}

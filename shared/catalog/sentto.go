package catalog

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// SentTo says, in one form, where the secrets of an object with these settings are
// sent: a text that secrets are sealed for, so that they open for no other address.
// Two settings with one text send to one place. It is the kind's name, then for each
// field that the Spec names in its SentTo, in that order, a space, the field's name,
// '=' and its value; with the default when settings lack the field, and nothing for
// one that has none. The addresses that a private spec names stand before the fields, with
// the name custom: whoever may change them would receive the secrets. Of an address only scheme, host and port count. The settings
// are a JSON object that Check has nothing against.
//
// Browsers compute the same text (web/src/api/sent-to.ts); testdata/sentto.json
// in the folders of kinds holds both to it. A change of the form closes every secret that was sealed before.
func SentTo(s Spec, settings []byte) string {
	text := s.Name
	if s.Private {
		text = customType + places(s)
	}
	sent, _ := members(Fill(s, settings)) // Check refuses what is no object
	for _, name := range s.SentTo {
		value, there := sent[name]
		i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
		if !there || i < 0 {
			continue
		}
		plain := string(value)
		_ = json.Unmarshal(value, &plain) // numbers and booleans stay as they stand
		if s.Fields[i].Type == TypeURL {
			plain = origin(plain)
		}
		text += " " + name + "=" + escaped(plain)
	}
	return text
}

// authority is what net/url makes scheme, host and port of.
var authority = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)`)

// origin is scheme, host and port of an address, in lower case, the port always
// said. What is no address stays as it is.
func origin(address string) string {
	m := authority.FindStringSubmatch(address)
	if m == nil {
		return address
	}
	scheme, host := lower(m[1]), lower(m[2])
	if i := strings.LastIndexByte(host, ':'); i < 0 || strings.Trim(host[i+1:], "0123456789") != "" {
		host += ":"
	}
	if strings.HasSuffix(host, ":") {
		host += map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + host
}

// lower changes ASCII letters alone: others have rules of their own in every language.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// escaped writes every byte of UTF-8 that is no ASCII letter, digit or one of
// ._:/[]- as %XX.
func escaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("._:/[]-", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		if c < 16 {
			b.WriteByte('0')
		}
		b.WriteString(strings.ToUpper(strconv.FormatUint(uint64(c), 16)))
	}
	return b.String()
}

// places is where the secrets of a private spec are sent beside what its settings say.
func places(s Spec) string {
	text := ""
	for _, key := range slices.Sorted(maps.Keys(s.Base)) {
		text += " base." + key + "=" + escaped(s.Base[key])
	}
	for _, a := range s.Auth {
		if a.TokenURL != "" {
			text += " tokenUrl=" + escaped(a.TokenURL)
		}
	}
	return text
}

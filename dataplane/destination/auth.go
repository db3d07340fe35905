package destination

import (
	"net/url"
	"strings"

	"weir/dataplane/destination/fields"
	"weir/shared/catalog"
	"weir/shared/catalog/requests"
	"weir/shared/secret"
)

// Auth is a requests.Auth of a destination with its values. What prints it shows none.
type Auth struct {
	Type string
	Base string // of url: where requests are built to
	// Machine is of sigv4 and serviceAccount: the plane's machine signs in, without keys.
	Machine bool
	texts   requests.Auth
	filled  map[string]secret.String // by template
}

// Value is what the text that of returns stands for.
func (a Auth) Value(of func(requests.Auth) string) string {
	text := of(a.texts)
	if v, ok := a.filled[text]; ok {
		return v.Reveal()
	}
	return text
}

// authOf fills in what the spec says of authorising requests. What needs a value that
// is not given is left out.
//
// Only settings that are said, not a default, choose the machine's role: the guard looks at
// those.
func authOf(spec catalog.Spec, given, settings []byte, secrets map[string]secret.String) []Auth {
	var all []Auth
	for _, texts := range spec.Auth {
		a, complete := Auth{Type: texts.Type, texts: texts, filled: map[string]secret.String{}}, true
		required, optional := texts.Texts()
		for i, text := range append(required, optional...) {
			value, ok := requests.Expand(text, func(family, name string) string {
				if family == "secrets" {
					return secrets[name].Reveal()
				}
				return fields.Value(settings).Get(name).Text()
			})
			if base := "{base}"; strings.HasPrefix(text, base) {
				value = catalog.BaseURL(spec, settings) + strings.TrimPrefix(value, base)
			}
			if texts.Type == "url" {
				a.Base = catalog.BaseURL(spec, settings)
				value = instead(value, fields.Value(settings).Get("baseUrl").Text())
			}
			if value != text {
				a.filled[text] = secret.NewString(value)
			}
			complete = complete && (ok || i >= len(required))
		}
		if texts.Machine != "" && fields.Value(given).Get("machineRole").Text() == "true" {
			a.Machine, complete = true, true
		}
		if complete {
			all = append(all, a)
		}
	}
	return all
}

// instead is an address whose scheme and host are those of another one, unless that is "".
func instead(address, of string) string {
	u, err := url.Parse(address)
	if of == "" || err != nil {
		return address
	}
	return strings.TrimRight(of, "/") + u.RequestURI()
}

// Authorised is o with what a spec says of authorising requests, for settings as they were
// given and with defaults filled in.
func (o Opened) Authorised(spec catalog.Spec, given, filled []byte, secrets map[string]secret.String) Opened {
	o.Auth = authOf(spec, given, filled, secrets)
	return o
}

// Package requests is what a spec says of the requests of a destination: how they are
// authorised, and what the vendor allows.
package requests

import (
	"regexp"
	"strings"

	"weir/shared/catalog/duration"
)

// Auth is one way in which the requests of a destination are authorised. Texts are
// templates: {settings.NAME} and {secrets.NAME} stand for a field's value. An Auth
// that needs a secret or setting which is not given is left out.
type Auth struct {
	Type string `json:"type" yaml:"type"` // a word of AuthTypes

	Name  string `json:"name,omitempty" yaml:"name"`   // of the header, of the parameter in the query, or of the member at the top of a JSON body
	Value string `json:"value,omitempty" yaml:"value"` // what stands there; bearer: the token; url: the address that takes the place of the base

	User     string `json:"user,omitempty" yaml:"user"` // basic
	Password string `json:"password,omitempty" yaml:"password"`

	Key      string `json:"key,omitempty" yaml:"key"`           // hmac: of the body as it is sent; Name is the header, Value what stands before the signature; serviceAccount: its JSON file
	Hash     string `json:"hash,omitempty" yaml:"hash"`         // sha1, sha256 (when none is said) or sha512
	Encoding string `json:"encoding,omitempty" yaml:"encoding"` // hex (when none is said) or base64

	TokenURL     string `json:"tokenUrl,omitempty" yaml:"tokenUrl"` // oauth2; {base} stands for the kind's address
	ClientID     string `json:"clientId,omitempty" yaml:"clientId"`
	ClientSecret string `json:"clientSecret,omitempty" yaml:"clientSecret"`
	RefreshToken string `json:"refreshToken,omitempty" yaml:"refreshToken"` // without one, or where its secret is not given, the grant is client_credentials
	Scope        string `json:"scope,omitempty" yaml:"scope"`
	ClientIn     string `json:"clientIn,omitempty" yaml:"clientIn"` // where clientId and clientSecret stand: body (when none is said) or header

	Service      string `json:"service,omitempty" yaml:"service"` // sigv4
	Region       string `json:"region,omitempty" yaml:"region"`
	AccessKey    string `json:"accessKey,omitempty" yaml:"accessKey"`
	SecretKey    string `json:"secretKey,omitempty" yaml:"secretKey"`
	SessionToken string `json:"sessionToken,omitempty" yaml:"sessionToken"`
	Machine      string `json:"machine,omitempty" yaml:"machine"` // the setting machineRole: true in the place of keys for those of the plane's machine
}

// Texts returns the templates of a, those that have to be there first.
func (a Auth) Texts() (required, optional []string) {
	switch a.Type {
	case "header", "query", "body":
		return []string{a.Name, a.Value}, nil
	case "bearer", "url":
		return []string{a.Value}, nil
	case "basic":
		return []string{a.User}, []string{a.Password}
	case "hmac":
		return []string{a.Name, a.Key}, []string{a.Value}
	case "oauth2":
		switch {
		case a.RefreshToken != "" && a.ClientID != "":
			return []string{a.TokenURL, a.ClientID}, []string{a.ClientSecret, a.RefreshToken, a.Scope}
		case a.RefreshToken != "":
			return []string{a.TokenURL, a.RefreshToken}, []string{a.Scope}
		}
		return []string{a.TokenURL, a.ClientID, a.ClientSecret}, []string{a.Scope}
	case "serviceAccount":
		return []string{a.Key, a.Scope}, []string{a.Machine}
	case "sigv4":
		return []string{a.Service, a.Region, a.AccessKey, a.SecretKey}, []string{a.SessionToken, a.Machine}
	}
	return nil, nil
}

// AuthTypes are the ways of authorising a request.
func AuthTypes() []string {
	return []string{"header", "bearer", "basic", "query", "body", "hmac", "oauth2", "serviceAccount", "sigv4", "url"}
}

// Limits is what a vendor allows. Settings may ask for less: fields called batch
// {size, wait} and rate {requests, per}.
type Limits struct {
	Batch *Batch `json:"batch,omitempty" yaml:"batch"` // without it, a request has one event
	Rate  *Rate  `json:"rate,omitempty" yaml:"rate"`   // without it, what the vendor's answers say counts alone
	Gzip  bool   `json:"gzip,omitempty" yaml:"gzip"`   // the vendor takes compressed bodies
}

// Batch is how large a request may be.
type Batch struct {
	Size  int               `json:"size" yaml:"size"`             // events
	Bytes int64             `json:"bytes,omitempty" yaml:"bytes"` // of the body, before it is compressed; 0: no limit
	Wait  duration.Duration `json:"wait,omitempty" yaml:"wait"`   // how long events gather
}

// Rate is how many requests a destination may get within a time, from one plane.
type Rate struct {
	Requests int               `json:"requests" yaml:"requests"`
	Per      duration.Duration `json:"per" yaml:"per"`
}

// reference is what stands in a template for the value of a setting or secret; its
// submatches are settings or secrets, and the field's name.
var reference = regexp.MustCompile(`\{(settings|secrets)\.([A-Za-z0-9]+)\}`)

// References returns the fields that a template names, each as settings or secrets and
// its name.
func References(template string) [][2]string {
	var all [][2]string
	for _, m := range reference.FindAllStringSubmatch(template, -1) {
		all = append(all, [2]string{m[1], m[2]})
	}
	return all
}

// Expand fills in a template by what value returns of a field of settings or secrets.
// It reports whether each is not empty.
func Expand(template string, value func(family, name string) string) (text string, all bool) {
	if !strings.Contains(template, "{") {
		return template, true
	}
	all = true
	text = reference.ReplaceAllStringFunc(template, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		v := value(m[1], m[2])
		all = all && v != ""
		return v
	})
	return text, all
}

// Overrides is where in the body of requests the setting overrides reaches.
type Overrides struct {
	// Parts is the list in the body whose elements are made of events, such as events; ""
	// for a body that is a list.
	Parts string `json:"parts,omitempty" yaml:"parts"`
	// Whole says that fields begin at the body, not at a part: what stands beside the parts
	// can be replaced too.
	Whole bool `json:"whole,omitempty" yaml:"whole"`
	// Event says that the event is what is changed, within whatever carries it. So it is of
	// each Sink.
	Event bool `json:"event,omitempty" yaml:"event"`
	// Only are the values of settings with which there is a body that has fields.
	Only map[string][]string `json:"only,omitempty" yaml:"only"`
}

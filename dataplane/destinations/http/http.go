// Package http sends events to any HTTP API, in a form that the settings say: templates
// of the address, parameters, headers and members of the body, as in
// docs/destination-format.md.
package http

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"maps"
	nethttp "net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/destination"
	"weir/dataplane/destination/address"
	"weir/dataplane/destination/values"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind http.
var Kind = destination.Define(spec, New)

type api struct {
	settings             Settings
	reads                *values.Reads
	url                  values.Template
	query, headers, body []named
	memory               sync.Pool
}

// named is a template and its name.
type named struct {
	name string
	values.Template
}

// New refuses templates that are not right, and what does not go together.
func New(s Settings) (destination.Destination, error) {
	c := values.NewCompiler(nil, nil)
	a := &api{settings: s, memory: sync.Pool{New: func() any { return &values.Memory{} }}}
	varies := c.Varies(func() {
		a.url = c.UserTemplate(address.Moved(s.URL, s.BaseURL), "settings.url")
		a.query, a.headers = templates(c, s.Query, "query"), templates(c, s.Headers, "headers")
	})
	a.body = templates(c, s.Body, "body")
	a.reads = c.Reads()
	problems := c.Problems()
	refuse := func(at, code, text string) {
		problems = append(problems, fault.Problem{Path: "settings." + at, Code: code, Text: text})
	}
	if _, rest, _ := strings.Cut(s.URL, "://"); strings.Contains(strings.SplitN(rest, "/", 2)[0], "{") {
		refuse("url", "bad_url", "The host of an address is the same for all events.")
	}
	if s.Format != "json" && len(s.Body) == 0 {
		refuse("body", "required", "Say the members of the body: only as JSON it can be the event.")
	}
	if s.Batch != nil && (varies || s.Format != "json") {
		refuse("batch", "malformed", "Batches are JSON, and their address, parameters and headers refer to no event.")
	}
	s.authorised(refuse)
	if strings.ContainsAny(s.BaseURL, "{}?#") {
		refuse("baseUrl", "bad_url", "Give a scheme, a host and perhaps a path, without parameters and references.")
	}
	for name := range s.Headers {
		if !headerName().MatchString(name) || slices.Contains(engines, nethttp.CanonicalHeaderKey(name)) {
			refuse("headers."+name, "bad_name", "This is no header that can be set here.")
		}
	}
	for name := range s.Body {
		if s.Format == "xml" && !element.MatchString(name) {
			refuse("body."+name, "bad_name", "This is no name of an XML element.")
		}
	}
	return a, fault.Problems("The settings cannot be used:", problems)
}

// authorised refuses what does not belong to the way of authorising requests that auth
// names: it would be sent, too, or left out without a word.
func (s Settings) authorised(refuse func(at, code, text string)) {
	if s.Username != "" && s.Secrets.Username.Reveal() != "" {
		refuse("username", "not_allowed", "The user is given twice: as a setting and as a secret.")
	}
	for _, credential := range []struct {
		name, of string
		given    bool
	}{
		{"username", "basic", s.Username != "" || s.Secrets.Username.Reveal() != ""}, {"password", "basic", s.Secrets.Password.Reveal() != ""},
		{"token", "bearer", s.Secrets.Token.Reveal() != ""}, {"apiKey", "apiKey", s.Secrets.APIKey.Reveal() != ""},
		{"tokenUrl", "oauth2", s.TokenURL != ""}, {"clientId", "oauth2", s.ClientID != ""}, {"clientSecret", "oauth2", s.Secrets.ClientSecret.Reveal() != ""},
	} {
		if s.Auth != "" && s.Auth != credential.of && credential.given {
			refuse("auth", "not_allowed", "With the authentication "+s.Auth+" nothing is sent of "+credential.name+": leave it out, or choose "+credential.of+".")
		}
	}
	if s.Auth == "oauth2" && (s.TokenURL == "" || s.ClientID == "") {
		refuse("auth", "required", "OAuth 2 needs tokenUrl and clientId.")
	}
}

var (
	headerName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}$`) })
	element    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)
	engines    = []string{"Content-Length", "Transfer-Encoding", "Connection", "Host", "Content-Encoding"}
)

// templates compiles the templates of a map, in the order of their names.
func templates(c *values.Compiler, all map[string]string, setting string) []named {
	var out []named
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, named{name, c.UserTemplate(all[name], "settings."+setting+"."+name)})
	}
	return out
}

// Build makes a request for each event, or one for all of a batch.
func (a *api) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	m, _ := a.memory.Get().(*values.Memory)
	defer func() { m.Forget(); a.memory.Put(m) }()
	var reqs []destination.Request
	var verdicts []destination.Verdict
	for i := range b.Items {
		s := m.Read(a.reads, &b.Items[i], b.Now)
		if !a.url.Whole(s) {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dropped, Code: "missing_field"})
			continue
		}
		content := a.content(&b.Items[i], s)
		if a.settings.Batch != nil && len(reqs) > 0 {
			reqs[0].Body = append(append(reqs[0].Body, ','), content...)
			reqs[0].Items = append(reqs[0].Items, i)
			continue
		}
		r := destination.Request{Method: a.settings.Method, URL: a.address(s), Header: a.header(s), Body: content, Items: []int{i}}
		if a.settings.Batch != nil {
			r.Body = append([]byte{'['}, content...)
		}
		reqs = append(reqs, r)
	}
	if a.settings.Batch != nil && len(reqs) > 0 {
		reqs[0].Body = append(reqs[0].Body, ']')
	}
	return reqs, verdicts
}

// Judge goes by what HTTP itself says.
func (a *api) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	return destination.Classify(req, res)
}

// address is the address with its parameters; what references stand for is escaped.
func (a *api) address(s *values.Scope) string {
	text := a.url.Text(s, segment)
	parameters := url.Values{}
	for i := range a.query {
		if v := a.query[i].Get(s).Whole(); v != "" {
			parameters.Set(a.query[i].name, v)
		}
	}
	switch {
	case len(parameters) == 0:
		return text
	case strings.Contains(text, "?"):
		return text + "&" + parameters.Encode()
	}
	return text + "?" + parameters.Encode()
}

// parameter escapes what is allowed in a path and parts a parameter.
var parameter = strings.NewReplacer("&", "%26", "=", "%3D", "+", "%2B")

// segment escapes a text in a path or a parameter. One that is . or .. would lead elsewhere.
func segment(text string) string {
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return parameter.Replace(url.PathEscape(text))
}

func (a *api) header(s *values.Scope) nethttp.Header {
	h := nethttp.Header{}
	if a.settings.Method != nethttp.MethodGet {
		h.Set("Content-Type", map[string]string{"json": "application/json", "form": "application/x-www-form-urlencoded", "xml": "application/xml"}[a.settings.Format])
	}
	for i := range a.headers {
		text := strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, a.headers[i].Get(s).Whole())
		if text != "" {
			h.Set(a.headers[i].name, text)
		}
	}
	return h
}

// content is the body for one event.
func (a *api) content(it *destination.Item, s *values.Scope) []byte {
	switch {
	case a.settings.Method == nethttp.MethodGet:
		return nil
	case len(a.body) == 0:
		return it.Event.JSON
	case a.settings.Format == "form":
		form := url.Values{}
		for i := range a.body {
			if text := a.body[i].Get(s).Whole(); text != "" {
				form.Set(a.body[i].name, text)
			}
		}
		return []byte(form.Encode())
	case a.settings.Format == "xml":
		return a.xml(s)
	}
	out := []byte{'{'}
	for i := range a.body {
		v := a.body[i].Get(s)
		if !v.There() {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, a.body[i].name) // settings are UTF-8
		out = v.Append(append(out, ':'))
	}
	return append(out, '}')
}

// xml is the body as an element with one element for each member.
func (a *api) xml(s *values.Scope) []byte {
	b := bytes.NewBufferString(xml.Header + "<" + a.settings.Root + ">")
	for i := range a.body {
		text := a.body[i].Get(s).Whole()
		if text == "" {
			continue
		}
		b.WriteString("<" + a.body[i].name + ">")
		_ = xml.EscapeText(b, []byte(text)) // a buffer
		b.WriteString("</" + a.body[i].name + ">")
	}
	b.WriteString("</" + a.settings.Root + ">")
	return b.Bytes()
}

package calls

import (
	"net/http"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/document"
)

// trial reads the request by which a connection is tested, and which answers to it are
// good. There is no event: it refers to settings alone.
func (p *parser) trial(n *yaml.Node, at string) (*Request, Answer) {
	r := &Request{Method: http.MethodGet, Format: "json"}
	good := Answer{At: at, Status: []int{2}}
	var addressed, body bool
	words := p.request(r, scope{}, &addressed, &body)
	words["status"] = func(m document.Pair) { good.Status = p.statuses(m) }
	words["when"] = func(m document.Pair) { good.When = p.condition(m.Node, m.At, scope{answer: true}) }
	given := p.Words(n, at, words)
	if !addressed {
		p.Add(at, "required", "Say the path behind base, or the url, of a request that changes nothing.")
	}
	if r.Body == nil {
		r.Format = "none"
	} else if !given["method"] {
		r.Method = http.MethodPost
	}
	return r, good
}

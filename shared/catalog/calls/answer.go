package calls

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"weir/shared/catalog/calls/reference"
	"weir/shared/catalog/document"
)

// outcomes are what an answer can mean.
var outcomes = []string{"dead", "delivered", "retry", "dropped", "split"}

// answer reads what an answer means.
func (p *parser) answer(n *yaml.Node, at string) Answer {
	a := Answer{At: at, Unit: time.Second}
	whole, element := scope{answer: true}, scope{answer: true, element: true}
	path := func(to *[]string) func(document.Pair) {
		return func(m document.Pair) {
			if text := p.Text(m); text == "." {
				*to = []string{} // the element itself
			} else {
				*to = reference.Split(text)
			}
		}
	}
	given := p.Words(n, at, map[string]func(document.Pair){
		"status":   func(m document.Pair) { a.Status = p.statuses(m) },
		"contains": func(m document.Pair) { a.Contains = p.Text(m) },
		"when":     func(m document.Pair) { a.When = p.condition(m.Node, m.At, whole) },
		"is":       func(m document.Pair) { a.Is = p.OneOf(m, outcomes...) },
		"code":     func(m document.Pair) { a.Code = p.code(m) },
		"detail":   func(m document.Pair) { a.Detail = p.sources(m.Node, m.At, whole) },
		"after":    func(m document.Pair) { p.after(&a, m) },
		"items": func(m document.Pair) {
			for _, text := range p.Texts(m) {
				a.Items = append(a.Items, reference.Split(text))
				if !strings.Contains(text, "*") {
					p.Add(m.At, "malformed", "A path to refused items has * for each element of a list, such as failed.*.")
				}
			}
		},
		"index": func(m document.Pair) {
			if a.Position = p.Text(m) == "$index"; !a.Position {
				path(&a.Index)(m)
			}
		},
		"id":     path(&a.ID),
		"part":   func(m document.Pair) { a.Part = reference.All(p.Texts(m)) },
		"where":  func(m document.Pair) { a.Where = p.condition(m.Node, m.At, element) },
		"reason": path(&a.Reason),
		"reasons": func(m document.Pair) {
			a.Reasons = map[string]Answer{}
			for _, r := range p.Mapping(m.Node, m.At) {
				a.Reasons[r.Key] = p.reason(r)
			}
		},
		"others": func(m document.Pair) { a.Others = p.OneOf(m, outcomes...) },
	})
	p.fits(&a, given)
	return a
}

// fits reports what does not go together in an answer.
func (p *parser) fits(a *Answer, given map[string]bool) {
	if len(a.Status) == 0 {
		p.Add(a.At, "required", "Say the status, such as 200, 4xx or [400, 422].")
	}
	if a.Is == "" {
		p.Add(a.At, "required", "Say what the answer is: delivered, retry, dead, dropped or split.")
		a.Is = "retry"
	}
	plain := a.Is == "delivered" || a.Is == "split"
	for _, s := range a.Status {
		if s < 4 || s >= 100 && s < 400 {
			if a.Code == "" && !plain {
				p.Add(a.At, "required", "Say the code: an answer that is no error has none of its own.")
				break
			}
		}
		if (s == 5 || s >= 500) && a.Is != "retry" {
			p.Add(a.At+".is", "not_allowed", "A 5xx is always a retry.")
		}
	}
	for _, word := range []string{"index", "id", "part", "where", "reason", "reasons", "others"} {
		if given[word] && a.Items == nil {
			p.Add(a.At+"."+word, "not_allowed", "This is said of items.")
		}
	}
	if (a.ID == nil) != (a.Part == nil) || a.ID != nil && (a.Index != nil || a.Position) {
		p.Add(a.At, "not_allowed", "An element names its part by an index, or by an id: then part says where the part has it.")
	}
}

// statuses reads statuses; 4xx stands for a hundred of them.
func (p *parser) statuses(m document.Pair) []int {
	var all []int
	for _, text := range p.Texts(m) {
		if len(text) == 3 && text[1:] == "xx" && text[0] >= '1' && text[0] <= '5' {
			all = append(all, int(text[0]-'0'))
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 100 || n > 599 {
			p.Add(m.At, "wrong_type", "A status is 100 to 599, or such as 4xx.")
			continue
		}
		all = append(all, n)
	}
	return all
}

// after reads where an answer says how long to wait.
func (p *parser) after(a *Answer, m document.Pair) {
	p.Words(m.Node, m.At, map[string]func(document.Pair){
		"from": func(m document.Pair) { a.After = p.sources(m.Node, m.At, scope{answer: true}) },
		"unit": func(m document.Pair) {
			a.Unit = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond, "m": time.Minute}[p.OneOf(m, "s", "ms", "m")]
		},
	})
	if a.After == nil {
		p.Add(m.At, "required", "Say from: where the answer says it.")
	}
}

func (p *parser) reason(m document.Pair) Answer {
	var r Answer
	if m.Node.Kind == yaml.ScalarNode {
		r.Code = p.code(m)
		return r
	}
	p.Words(m.Node, m.At, map[string]func(document.Pair){
		"is":   func(m document.Pair) { r.Is = p.OneOf(m, outcomes...) },
		"code": func(m document.Pair) { r.Code = p.code(m) },
	})
	return r
}

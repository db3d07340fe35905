package own

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"weir/shared/fault"
)

// Limits of what a policy says.
const (
	longestText = 500 // bytes of a message or path
	longestCode = 63  // bytes
	mostReasons = 100 // of one policy for one configuration
)

// bounded cuts a text and takes out what a terminal would obey.
func bounded(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > longestText {
		text = strings.ToValidUTF8(text[:longestText], "") + "..."
	}
	return text
}

// failed is the reason that a policy is which could not be asked.
func failed(name, why string) []fault.Problem {
	return []fault.Problem{{Code: CodeFailed, Text: fmt.Sprintf("The policy %s could not be asked: %s. Whoever may write policies mends, disables or removes it.", name, why)}}
}

// ask asks a policy about an input.
func (c compiled) ask(ctx context.Context, name string, input ast.Value) []fault.Problem {
	results, err := c.query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil {
		if ctx.Err() != nil {
			return failed(name, slow)
		}
		return failed(name, bounded(err.Error()))
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return failed(name, "it gave no answer")
	}
	list, ok := results[0].Expressions[0].Value.([]any)
	if !ok {
		return failed(name, "its deny is no set")
	}
	var out []fault.Problem
	for _, item := range list {
		p, why := reason(name, item)
		if why != "" {
			return failed(name, why)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b fault.Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Text, b.Text))
	})
	return out[:min(len(out), mostReasons)]
}

// reason reads one member of deny; why is what is wrong with it.
func reason(name string, item any) (p fault.Problem, why string) {
	o, ok := item.(map[string]any)
	if !ok {
		return p, "a member of deny is no object"
	}
	texts := map[string]string{}
	for key, value := range o {
		text, ok := value.(string)
		if !ok || !slices.Contains([]string{"path", "message", "code"}, key) {
			return p, "a member of deny has path, message and code, which are texts"
		}
		texts[key] = text
	}
	if texts["message"] == "" {
		return p, "a member of deny has no message"
	}
	if code := texts["code"]; code != "" && (len(code) > longestCode || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz0123456789_") != "") {
		return p, "a code has lower-case letters, digits and underscores"
	}
	return fault.Problem{Path: bounded(texts["path"]), Code: cmp.Or(texts["code"], CodeDenied), Text: fmt.Sprintf("Policy %s: %s", name, bounded(texts["message"]))}, ""
}

// parsed is an input as policies see it.
func parsed(input json.RawMessage) (ast.Value, error) {
	var v any
	if err := json.Unmarshal(input, &v); err != nil {
		return nil, err
	}
	return ast.InterfaceToValue(v)
}

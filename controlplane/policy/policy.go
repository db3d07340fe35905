package policy

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"weir/shared/fault"
)

//go:embed access.rego
var accessRules string

// Policy holds the compiled rules. It is safe for concurrent use.
type Policy struct {
	actions map[Action]rule
	allow   rego.PreparedEvalQuery
	beyond  rego.PreparedEvalQuery
	answers *cache // of allow
}

// New compiles the rules.
func New(ctx context.Context) (*Policy, error) {
	p := &Policy{answers: newCache()}
	var err error
	if p.actions, err = readActions(); err != nil {
		return nil, err
	}
	if p.allow, err = prepare(ctx, p.actions, "access.rego", accessRules, "data.weir.access.allow"); err != nil {
		return nil, err
	}
	if p.beyond, err = prepare(ctx, p.actions, "access.rego", accessRules, "data.weir.access.beyond"); err != nil {
		return nil, err
	}
	return p, nil
}

// table is the data of the rules: the roles of each line as a set, which is looked up in
// one step.
func table(actions map[Action]rule) map[string]any {
	lines := map[string]any{}
	for action, r := range actions {
		roles := map[string]any{}
		for _, role := range r.Roles {
			roles[string(role)] = true
		}
		lines[string(action)] = map[string]any{"at": r.At, "roles": roles}
	}
	return map[string]any{"weir": map[string]any{"actions": lines}}
}

// prepare compiles a query over rules and the table of actions.
func prepare(ctx context.Context, actions map[Action]rule, file, rules, query string) (rego.PreparedEvalQuery, error) {
	data := inmem.NewFromObjectWithOpts(table(actions), inmem.OptReturnASTValuesOnRead(true))
	q, err := rego.New(rego.Query(query), rego.Module(file, rules), rego.Store(data), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
	if err != nil {
		return q, fmt.Errorf("compile %s: %w", file, err)
	}
	return q, nil
}

// Allow says whether who may do action to on. fault.Denied: it may not.
func (p *Policy) Allow(ctx context.Context, who Subject, action Action, on Resource) error {
	q := question{who.key(), action, on}
	allowed, known := p.answers.find(q)
	if !known {
		results, err := p.allow.Eval(ctx, rego.EvalParsedInput(ast.NewObject(
			ast.Item(ast.InternedTerm("subject"), subjectTerm(who)),
			ast.Item(ast.InternedTerm("action"), ast.StringTerm(string(action))),
			ast.Item(ast.InternedTerm("resource"), resourceTerm(on)))))
		if err != nil {
			return fmt.Errorf("evaluate access: %w", err)
		}
		allowed = results.Allowed()
		p.answers.keep(q, allowed)
	}
	if !allowed {
		return p.refuse(who, action, on)
	}
	return nil
}

// refuse says what stood against an action, without a word on what the caller may not see.
func (p *Policy) refuse(who Subject, action Action, on Resource) error {
	switch {
	case who.Scopes != nil && !slices.Contains(who.Scopes, action):
		return fault.New(fault.Denied, "the token's scopes do not have %s", action)
	case len(who.Grants) == 0:
		return fault.New(fault.Denied, "nothing was granted to you: ask an owner of your organization for a role")
	}
	for _, g := range who.Grants {
		if g.Organization == on.Organization && (g.Workspace == "" || g.Workspace == on.Workspace) && g.Object == "" {
			return fault.New(fault.Denied, "the role %s does not allow %s", g.Role, action)
		}
	}
	return fault.New(fault.Denied, "%s is not allowed there: your roles are for elsewhere", action)
}

// Anywhere reports whether an action is done to nothing in particular: its answer holds
// what the caller may read.
func (p *Policy) Anywhere(action Action) bool { return p.actions[action].At == "any" }

// Beyond returns the actions that a grant would give and who does not have there: whoever
// gives or takes a role has all of it. Ordered.
func (p *Policy) Beyond(ctx context.Context, who Subject, given Grant) ([]Action, error) {
	results, err := p.beyond.Eval(ctx, rego.EvalParsedInput(ast.NewObject(
		ast.Item(ast.InternedTerm("subject"), subjectTerm(who)),
		ast.Item(ast.InternedTerm("given"), grantTerm(given)))))
	if err != nil {
		return nil, fmt.Errorf("evaluate access: %w", err)
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return nil, fault.New(fault.Internal, "the access rules gave no answer")
	}
	list, ok := results[0].Expressions[0].Value.([]any)
	if !ok {
		return nil, fault.New(fault.Internal, "the access rules gave no list")
	}
	var out []Action
	for _, item := range list {
		name, ok := item.(string)
		if !ok {
			return nil, fault.New(fault.Internal, "the access rules gave no action")
		}
		out = append(out, Action(name))
	}
	slices.Sort(out)
	return out, nil
}

// Actions lists all actions, ordered: what a token's scopes choose from.
func (p *Policy) Actions() []Action { return slices.Sorted(maps.Keys(p.actions)) }

// OfInstallation reports whether an action is done to the installation, which no role of an
// organization reaches.
func (p *Policy) OfInstallation(action Action) bool { return p.actions[action].At == "installation" }

// ActionsOf lists the actions of a role, ordered.
func (p *Policy) ActionsOf(role Role) []Action {
	var out []Action
	for action, r := range p.actions {
		if slices.Contains(r.Roles, role) {
			out = append(out, action)
		}
	}
	slices.Sort(out)
	return out
}

// Roles lists the roles that are granted in an organization, ordered.
func (p *Policy) Roles() []Role {
	all := map[Role]bool{}
	for _, r := range p.actions {
		for _, role := range r.Roles {
			all[role] = true
		}
	}
	delete(all, Operator)
	return slices.Sorted(maps.Keys(all))
}

func subjectTerm(who Subject) *ast.Term {
	grants := make([]*ast.Term, len(who.Grants))
	for i, g := range who.Grants {
		grants[i] = grantTerm(g)
	}
	o := ast.NewObject(ast.Item(ast.InternedTerm("grants"), ast.ArrayTerm(grants...)))
	if who.Scopes != nil {
		o.Insert(ast.InternedTerm("scopes"), actionTerms(who.Scopes))
	}
	return ast.NewTerm(o)
}

func grantTerm(g Grant) *ast.Term {
	return ast.ObjectTerm(
		ast.Item(ast.InternedTerm("role"), ast.StringTerm(string(g.Role))),
		ast.Item(ast.InternedTerm("organization"), ast.StringTerm(g.Organization)),
		ast.Item(ast.InternedTerm("workspace"), ast.StringTerm(g.Workspace)),
		ast.Item(ast.InternedTerm("object"), ast.StringTerm(g.Object)),
		ast.Item(ast.InternedTerm("actions"), actionTerms(g.Actions)))
}

func actionTerms(list []Action) *ast.Term {
	terms := make([]*ast.Term, len(list))
	for i, a := range list {
		terms[i] = ast.StringTerm(string(a))
	}
	return ast.ArrayTerm(terms...)
}

func resourceTerm(on Resource) *ast.Term {
	return ast.ObjectTerm(
		ast.Item(ast.InternedTerm("organization"), ast.StringTerm(on.Organization)),
		ast.Item(ast.InternedTerm("workspace"), ast.StringTerm(on.Workspace)),
		ast.Item(ast.InternedTerm("object"), ast.StringTerm(on.Object)))
}

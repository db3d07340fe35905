package policy

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/rego"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// Role is what an actor is trusted with. Its rights are in access.rego.
type Role string

// The roles, each with the rights of those after it.
const (
	Admin  Role = "admin"
	Editor Role = "editor"
	Viewer Role = "viewer"
)

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return r == Admin || r == Editor || r == Viewer }

// Action is one thing that an actor may be allowed to do, named in access.rego.
type Action string

// The actions. A capability's action is its plane's action behind "capability:".
const (
	ReadSelf        Action = "self:read"
	ReadCatalog     Action = "catalog:read"
	ReadPlanes      Action = "plane:read"
	InvitePlane     Action = "plane:invite"
	ListWorkspaces  Action = "workspace:list" // those that the caller may read
	ReadWorkspace   Action = "workspace:read"
	DiffWorkspace   Action = "workspace:diff"
	WriteWorkspace  Action = "workspace:write"
	DeleteWorkspace Action = "workspace:delete"
	ReadStatus      Action = "status:read"
	ReadTokens      Action = "token:read"
	WriteTokens     Action = "token:write"
	ReadAudit       Action = "audit:read"
)

// Subject is who asks: a role, and the workspace that it is bound to, empty for
// a role in the whole installation.
type Subject struct {
	Role      Role
	Workspace id.Workspace
}

// Resource is what an action is done to: a workspace, or, empty, the
// installation.
type Resource struct {
	Workspace id.Workspace
}

// Capability names the action of asking for a capability to do what on a plane.
func Capability(what string) Action { return Action("capability:" + what) }

//go:embed access.rego
var accessRules string

//go:embed review.rego
var reviewRules string

// Policy holds the compiled rules. It is safe for concurrent use.
type Policy struct {
	allow  rego.PreparedEvalQuery
	review rego.PreparedEvalQuery
}

// New compiles the rules.
func New(ctx context.Context) (*Policy, error) {
	allow, err := prepare(ctx, "access.rego", accessRules, "data.weir.access.allow")
	if err != nil {
		return nil, err
	}
	review, err := prepare(ctx, "review.rego", reviewRules, "data.weir.review.problems")
	if err != nil {
		return nil, err
	}
	return &Policy{allow: allow, review: review}, nil
}

func prepare(ctx context.Context, file, rules, query string) (rego.PreparedEvalQuery, error) {
	q, err := rego.New(rego.Query(query), rego.Module(file, rules), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
	if err != nil {
		return q, fmt.Errorf("compile %s: %w", file, err)
	}
	return q, nil
}

// Allow says whether who may do action to on. fault.Denied: it may not.
func (p *Policy) Allow(ctx context.Context, who Subject, action Action, on Resource) error {
	input := map[string]any{
		"subject":  map[string]any{"role": string(who.Role), "workspace": string(who.Workspace)},
		"action":   string(action),
		"resource": map[string]any{"workspace": string(on.Workspace)},
	}
	results, err := p.allow.Eval(ctx, rego.EvalInput(input))
	if err != nil {
		return fmt.Errorf("evaluate access: %w", err)
	}
	switch {
	case results.Allowed():
		return nil
	case who.Workspace != "" && who.Workspace != on.Workspace:
		return fault.New(fault.Denied, "the role %s in one workspace does not allow %s elsewhere", who.Role, action)
	}
	return fault.New(fault.Denied, "the role %s does not allow %s", who.Role, action)
}

// Placement is a configuration and the plane it is about to run on. Former is
// the region of the revision before, empty for a new workspace.
type Placement struct {
	Config      workspace.Config
	Former      string
	Plane       id.Plane
	PlaneRegion string
}

// Review returns every reason why the configuration may not exist there,
// ordered by path and code; none means that it may.
func (p *Policy) Review(ctx context.Context, at Placement) ([]fault.Problem, error) {
	input := map[string]any{
		"region": at.Config.Region,
		"former": at.Former,
		"plane":  map[string]any{"id": string(at.Plane), "region": at.PlaneRegion},
	}
	results, err := p.review.Eval(ctx, rego.EvalInput(input))
	if err != nil {
		return nil, fmt.Errorf("evaluate review: %w", err)
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return nil, fault.New(fault.Internal, "the review rules gave no answer")
	}
	list, ok := results[0].Expressions[0].Value.([]any)
	if !ok {
		return nil, fault.New(fault.Internal, "the review rules gave no list")
	}
	problems := make([]fault.Problem, 0, len(list))
	for _, item := range list {
		problem, ok := item.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Internal, "the review rules gave no problem")
		}
		path, _ := problem["path"].(string)
		code, _ := problem["code"].(string)
		text, _ := problem["text"].(string)
		problems = append(problems, fault.Problem{Path: path, Code: code, Text: text})
	}
	slices.SortFunc(problems, func(a, b fault.Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Code, b.Code))
	})
	return problems, nil
}

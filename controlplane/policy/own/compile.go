package own

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"weir/shared/fault"
)

// MaxText is the longest policy, in bytes.
const MaxText = 64 << 10

// Policy is one policy: a module of Rego v1, under the name by which people know it.
type Policy struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// allowed are the built-in functions that policies may call: pure ones alone.
var allowed = []string{
	"abs", "all", "and", "any", "array.concat", "array.flatten", "array.reverse", "array.slice", "assign",
	"base64.decode", "base64.encode", "base64.is_valid", "base64url.decode", "base64url.encode", "base64url.encode_no_pad",
	"bits.and", "bits.lsh", "bits.negate", "bits.or", "bits.rsh", "bits.xor", "ceil", "concat", "contains", "count", "crypto.sha256",
	"div", "endswith", "eq", "equal", "floor", "format_int", "glob.match", "glob.quote_meta", "graph.reachable", "graph.reachable_paths",
	"gt", "gte", "hex.decode", "hex.encode", "indexof", "indexof_n", "internal.member_2", "internal.member_3", "internal.print", "internal.template_string", "internal.test_case", "intersection",
	"is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string",
	"json.filter", "json.is_valid", "json.marshal", "json.patch", "json.remove", "json.unmarshal",
	"lower", "lt", "lte", "max", "min", "minus", "mul", "neq", "net.cidr_contains", "net.cidr_contains_matches", "net.cidr_intersects", "net.cidr_is_valid", "net.cidr_overlap",
	"numbers.range", "numbers.range_step", "object.filter", "object.get", "object.keys", "object.remove", "object.subset", "object.union", "object.union_n", "or",
	"plus", "print", "product", "regex.find_all_string_submatch_n", "regex.find_n", "regex.is_valid", "regex.match", "regex.replace", "regex.split",
	"rem", "replace", "round", "semver.compare", "semver.is_valid", "set_diff", "sort", "split", "sprintf", "startswith",
	"strings.any_prefix_match", "strings.any_suffix_match", "strings.count", "strings.replace_n", "strings.reverse", "substring", "sum",
	"time.parse_duration_ns", "time.parse_rfc3339_ns", "to_number", "trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix", "type_name",
	"union", "units.parse", "units.parse_bytes", "upper", "uri.is_valid", "uri.parse", "urlquery.decode", "urlquery.decode_object", "urlquery.encode", "urlquery.encode_object", "walk",
}

// capabilities are what the compiler lets policies use.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return b.Nondeterministic || !slices.Contains(allowed, b.Name) })
	c.AllowNet = []string{} // no host, also for schemas
	return c
}

// The codes of problems with policies.
const (
	CodeRego   = "bad_rego"        // it does not compile
	CodeShape  = "no_deny"         // it has no deny of the right shape
	CodeLarge  = "too_large"       // longer than MaxText
	CodeName   = "bad_name"        // of a policy
	CodeFailed = "policy_failed"   // it could not be asked
	CodeDenied = "policy_denied"   // it denies, and says no code of its own
	CodeHeavy  = "policy_too_slow" // it takes too long or too much memory to compile
)

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// ValidName reports whether a policy may be called so.
func ValidName(name string) bool { return validName.MatchString(name) }

// compiler is one for policies.
func compiler() *ast.Compiler {
	return ast.NewCompiler().WithCapabilities(capabilities()).WithEnablePrintStatements(false)
}

// compiled is a policy that can be asked.
type compiled struct{ query rego.PreparedEvalQuery }

// compile compiles a policy, or lists what is wrong with it.
func compile(ctx context.Context, p Policy) (compiled, []fault.Problem) {
	file := p.Name + ".rego"
	module, err := ast.ParseModuleWithOpts(file, p.Text, ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities()})
	if err != nil {
		return compiled{}, regoProblems(err)
	}
	c := compiler()
	if c.Compile(map[string]*ast.Module{file: module}); c.Failed() {
		return compiled{}, regoProblems(c.Errors)
	}
	if problems := shape(module); problems != nil {
		return compiled{}, problems
	}
	query, err := rego.New(rego.ParsedQuery(ast.NewBody(ast.NewExpr(ast.NewTerm(module.Package.Path.Append(ast.StringTerm("deny")))))),
		rego.Compiler(c), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
	if err != nil {
		return compiled{}, regoProblems(err)
	}
	return compiled{query}, nil
}

// shape wants a set deny of a module: `deny contains {...} if {...}`.
func shape(module *ast.Module) []fault.Problem {
	found := false
	for _, rule := range module.Rules {
		if rule.Head.Name != "deny" && !rule.Head.Ref().HasPrefix(ast.Ref{ast.VarTerm("deny")}) {
			continue
		}
		if rule.Default || rule.Head.RuleKind() != ast.MultiValue || len(rule.Head.Ref()) != 1 {
			return []fault.Problem{{Path: place(rule.Location), Code: CodeShape, Text: `A policy denies by a set: deny contains {"path": "...", "message": "..."} if { ... }.`}}
		}
		found = true
	}
	if !found {
		return []fault.Problem{{Code: CodeShape, Text: `The policy has no rule: deny contains {"path": "...", "message": "..."} if { ... }.`}}
	}
	return nil
}

// mostErrors is how many mistakes of one policy are listed.
const mostErrors = 10

// regoProblems is what the compiler says, each with its line.
func regoProblems(err error) []fault.Problem {
	var list ast.Errors
	if !errors.As(err, &list) {
		return []fault.Problem{{Code: CodeRego, Text: bounded(err.Error())}}
	}
	var out []fault.Problem
	for _, e := range list[:min(len(list), mostErrors)] {
		out = append(out, fault.Problem{Path: place(e.Location), Code: CodeRego, Text: bounded(e.Message)})
	}
	return out
}

func place(at *ast.Location) string {
	if at == nil {
		return ""
	}
	return fmt.Sprintf("line %d", at.Row)
}

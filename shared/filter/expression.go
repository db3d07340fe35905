package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"weir/shared/fault"
)

// CodeExpression is the code of an expression that cannot be compiled.
const CodeExpression = "bad_expression"

// Limits of expressions.
const (
	maxExpressions = 500     // different ones of one workspace
	maxExpression  = 4 << 10 // bytes
	maxNodes       = 500
	maxDeep        = 24   // levels
	maxRegexp      = 1000 // instructions of a regular expression
	// maxCost is where an evaluation ends with an error, in the units of CEL: about one
	// for each step, and one for ten bytes of text that are read.
	maxCost = 10_000
)

// variable is what an expression calls the event.
const variable = "event"

// environment is what expressions may use: CEL without the macros that build lists,
// with optional selection such as event.?properties.plan.orValue("free"). All numbers of
// an event are doubles; they compare with whole numbers.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.Variable(variable, cel.MapType(cel.StringType, cel.DynType)),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxDeep*4),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ExpressionNestingDepthLimit(maxDeep),
		cel.RegexProgramSizeLimit(maxRegexp),
	)
})

// Expression is a compiled expression. It is immutable and safe for concurrent use.
type Expression struct {
	program cel.Program
	// Members are the members at the top of an event that the expression looks at, sorted;
	// nil: it may look at all of them.
	Members []string
}

// Compiler compiles the expressions of one workspace, each text once. The zero Compiler
// is ready. It is for one goroutine.
type Compiler struct{ made map[string]compiled }

type compiled struct {
	expression *Expression
	problem    *fault.Problem
}

// Compile is the function Compile; a further expression past 500 is too_many.
func (c *Compiler) Compile(text string) (*Expression, *fault.Problem) {
	if m, ok := c.made[text]; ok {
		return m.expression, m.problem
	}
	if len(c.made) >= maxExpressions {
		return nil, &fault.Problem{Code: "too_many", Text: fmt.Sprintf("The connections of a workspace have at most %d different expressions.", maxExpressions)}
	}
	if c.made == nil {
		c.made = map[string]compiled{}
	}
	x, problem := Compile(text)
	c.made[text] = compiled{x, problem}
	return x, problem
}

// Compile compiles an expression that is true for events that may go. The variable event
// is the event's JSON: objects are maps, numbers doubles. A problem has no path and the
// code too_large, or CodeExpression with line and column.
func Compile(text string) (*Expression, *fault.Problem) {
	refuse := func(code, text string) (*Expression, *fault.Problem) {
		return nil, &fault.Problem{Code: code, Text: text}
	}
	if len(text) > maxExpression {
		return refuse("too_large", fmt.Sprintf("An expression is at most %d bytes long.", maxExpression))
	}
	if !utf8.ValidString(text) {
		return refuse(CodeExpression, "The expression is not UTF-8.")
	}
	env, err := environment()
	if err != nil {
		return refuse(CodeExpression, "This build cannot compile expressions.")
	}
	parsed, issues := env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return refuse(CodeExpression, fmt.Sprintf("%d:%d: %s.", first.Location.Line(), first.Location.Column()+1, strings.TrimSuffix(first.Message, ".")))
	}
	if t := parsed.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return refuse(CodeExpression, "The expression gives "+t.String()+"; it has to be true or false, such as event.type == \"track\".")
	}
	program, err := env.Program(parsed, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return refuse(CodeExpression, "The expression cannot be compiled: "+err.Error()+".")
	}
	return &Expression{program: program, Members: members(parsed.NativeRep())}, nil
}

// members lists the members of the event that an expression selects; nil when it uses the
// event in another way too.
func members(a *ast.AST) []string {
	root := ast.NavigateAST(a)
	names := []string{}
	for _, e := range ast.MatchDescendants(root, ast.KindMatcher(ast.IdentKind)) {
		if e.AsIdent() != variable {
			continue
		}
		parent, ok := e.Parent()
		switch {
		case ok && parent.Kind() == ast.SelectKind:
			names = append(names, parent.AsSelect().FieldName())
		case ok && parent.Kind() == ast.CallKind && parent.AsCall().FunctionName() == "_?._":
			name, text := parent.AsCall().Args()[1].AsLiteral().(types.String)
			if !text {
				return nil
			}
			names = append(names, string(name))
		default:
			return nil
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// noSuchKey is how CEL's errors say that something is not there; they have no type.
const noSuchKey = "no such key: "

// errNoTruth is why an event is not judged whose expression gives another value.
var errNoTruth = errors.New("the expression gives neither true nor false")

// Holds evaluates the expression over an event: what encoding/json makes of its Members.
// It is false where its answer depends on something that is not there. An error says that
// there is no answer: something is of another type, or the evaluation costs too much. Its
// text may hold parts of the event.
func (x *Expression) Holds(event map[string]any) (bool, error) {
	out, _, err := x.program.Eval(map[string]any{variable: event})
	if err != nil && strings.Contains(err.Error(), noSuchKey) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	truth, ok := out.(types.Bool)
	if !ok {
		return false, errNoTruth
	}
	return bool(truth), nil
}

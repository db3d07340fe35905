// Package rules says what rules that need no Rego have against a configuration: those that
// Weir ships, and those that an organization wrote down as a document.
//
// The rules are the *.rego files beside this one, embedded and compiled once; their own
// tests lie beside them. Answers are pure, and a query that fails or gives no answer is an
// error, never a yes.
package rules

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"gopkg.in/yaml.v3"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

//go:embed rules.rego
var organizationRules string

//go:embed review.rego
var reviewRules string

// Book holds the compiled rules. It is safe for concurrent use.
type Book struct {
	review rego.PreparedEvalQuery
	rules  rego.PreparedEvalQuery // of organizations
}

// New compiles the rules.
func New(ctx context.Context) (*Book, error) {
	b := &Book{}
	var err error
	if b.review, err = prepare(ctx, "review.rego", reviewRules, "data.weir.review.problems"); err != nil {
		return nil, err
	}
	b.rules, err = prepare(ctx, "rules.rego", organizationRules, "data.weir.rules.problems; data.weir.rules.needs")
	return b, err
}

func prepare(ctx context.Context, file, text, query string) (rego.PreparedEvalQuery, error) {
	q, err := rego.New(rego.Query(query), rego.Module(file, text), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
	if err != nil {
		return q, fmt.Errorf("compile %s: %w", file, err)
	}
	return q, nil
}

// Rules are what an organization decides about its configurations without Rego.
type Rules struct {
	// Regions has the kinds of destinations that a region takes; one that is not named
	// takes all. Forbid are kinds that no region takes.
	Regions    map[string][]string `yaml:"regions" json:"regions"`
	Forbid     []string            `yaml:"forbid" json:"forbid"`
	Exceptions []Exception         `yaml:"exceptions" json:"exceptions"`
	Masking    []Masking           `yaml:"masking" json:"masking"`
	Approval   []Approval          `yaml:"approval" json:"approval"`

	term *ast.Term // all of this; set by Read
}

// Exception lets one destination be of any kind. Workspace is a name, in which * is any
// text.
type Exception struct {
	Workspace   string `yaml:"workspace" json:"workspace"`
	Destination string `yaml:"destination" json:"destination"`
	Reason      string `yaml:"reason" json:"reason"`
}

// Masking wants one of By on every connection but those to exempt destinations. Fields are
// what these are declared to mask.
type Masking struct {
	Fields      []string `yaml:"fields" json:"fields"`
	By          []Masker `yaml:"by" json:"by"`
	Exempt      []string `yaml:"exempt" json:"exempt"`           // destinations
	ExemptKinds []string `yaml:"exemptKinds" json:"exemptKinds"` // of destinations
}

// Masker is a transformation, by name. One whose code has not SHA256, in hex, does not
// count; without SHA256 any code does.
type Masker struct {
	Transformation string `yaml:"transformation" json:"transformation"`
	SHA256         string `yaml:"sha256" json:"sha256"`
}

// Approval says which commits need another person: those to Workspaces, names in which *
// is any text, that do one of Operations (add, change, rename, remove) to an object of one
// of Kinds. An empty list is all.
type Approval struct {
	Workspaces []string `yaml:"workspaces" json:"workspaces"`
	Kinds      []string `yaml:"kinds" json:"kinds"`
	Operations []string `yaml:"operations" json:"operations"`
}

// longestRules is how long a document of rules may be, in bytes, and mostRules how many
// entries one of its lists has.
const (
	longestRules = 64 << 10
	mostRules    = 500
)

// Read reads a document, YAML or JSON, and lists what is wrong with it.
func Read(text string) (Rules, []fault.Problem) {
	var r Rules
	if len(text) > longestRules {
		return r, []fault.Problem{{Path: "text", Code: "too_large", Text: fmt.Sprintf("Rules are at most %d KiB long.", longestRules>>10)}}
	}
	d := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil && !errors.Is(err, io.EOF) {
		return r, []fault.Problem{{Path: "text", Code: "malformed", Text: "The rules cannot be read: " + strings.TrimPrefix(err.Error(), "yaml: ") + "."}}
	}
	if problems := r.problems(); len(problems) > 0 {
		return r, problems
	}
	r = r.filled()
	value, err := ast.InterfaceToValue(r)
	if err != nil {
		return r, []fault.Problem{{Path: "text", Code: "malformed", Text: "The rules cannot be read."}}
	}
	r.term = ast.NewTerm(value)
	return r, nil
}

// filled has an empty list where a document has none, for the rules' sake.
func (r Rules) filled() Rules {
	list := func(l *[]string) {
		if *l == nil {
			*l = []string{}
		}
	}
	list(&r.Forbid)
	r.Masking, r.Approval = slices.Clone(r.Masking), slices.Clone(r.Approval)
	for i := range r.Masking {
		m := &r.Masking[i]
		list(&m.Exempt)
		list(&m.ExemptKinds)
	}
	for i := range r.Approval {
		a := &r.Approval[i]
		list(&a.Workspaces)
		list(&a.Kinds)
		list(&a.Operations)
	}
	return r
}

// problems lists what could not mean what it says.
func (r Rules) problems() []fault.Problem {
	var out []fault.Problem
	wrong := func(path, code, format string, args ...any) {
		out = append(out, fault.Problem{Path: "text " + path, Code: code, Text: fmt.Sprintf(format, args...)})
	}
	for region := range r.Regions {
		if !workspace.ValidRegion(region) {
			wrong("regions."+region, "bad_region", "This is not the name of a region, such as eu.")
		}
	}
	for i, e := range r.Exceptions {
		if e.Workspace == "" || e.Destination == "" {
			wrong(fmt.Sprintf("exceptions[%d]", i), "required", "An exception names a workspace and a destination.")
		}
	}
	for i, m := range r.Masking {
		if len(m.Fields) == 0 || len(m.By) == 0 {
			wrong(fmt.Sprintf("masking[%d]", i), "required", "Masking names fields, and the transformations that mask them under by.")
		}
		for j, b := range m.By {
			if b.Transformation == "" || b.SHA256 != "" && (len(b.SHA256) != 64 || strings.Trim(b.SHA256, "0123456789abcdef") != "") {
				wrong(fmt.Sprintf("masking[%d].by[%d]", i, j), "bad_value", "This names a transformation and may have the sha256 of its code, 64 lower-case hex digits.")
			}
		}
	}
	for i, a := range r.Approval {
		for _, op := range a.Operations {
			if !slices.Contains([]string{"add", "change", "rename", "remove"}, op) {
				wrong(fmt.Sprintf("approval[%d].operations", i), "bad_value", "An operation is add, change, rename or remove.")
			}
		}
	}
	if n := max(len(r.Regions), len(r.Forbid), len(r.Exceptions), len(r.Masking), len(r.Approval)); n > mostRules {
		wrong("", "too_large", "A list has at most %d entries.", mostRules)
	}
	return out
}

// Facts are what rules look at of a commit: what a configuration has, in its order, and
// what changes.
type Facts struct {
	Workspace, Region string
	Destinations      []Destination
	Connections       []Connection
	Transformations   map[string]string // SHA-256 of the code in hex, by name
	Changes           []Change
}

// Destination are a destination.
type Destination struct{ Name, Type string }

// Connection are a connection, by the names of what it joins.
type Connection struct {
	Source          string
	Destination     Destination
	Transformations []string
}

// Change are one line of a difference.
type Change struct{ Op, Kind, Name string }

// Ask returns what rules have against a commit, ordered by path and code, and why it needs
// another person, ordered; none of both lets it pass. r is of Read.
func (b *Book) Ask(ctx context.Context, r Rules, f Facts) (problems []fault.Problem, needs []string, err error) {
	if r.term == nil {
		return nil, nil, fault.New(fault.Internal, "rules that were not read are asked")
	}
	results, err := b.rules.Eval(ctx, rego.EvalParsedInput(ast.NewObject(
		ast.Item(ast.InternedTerm("rules"), r.term),
		ast.Item(ast.InternedTerm("workspace"), ast.StringTerm(f.Workspace)),
		ast.Item(ast.InternedTerm("region"), ast.StringTerm(f.Region)),
		ast.Item(ast.InternedTerm("destinations"), terms(f.Destinations, destinationTerm)),
		ast.Item(ast.InternedTerm("connections"), terms(f.Connections, connectionTerm)),
		ast.Item(ast.InternedTerm("transformations"), codeTerm(f.Transformations)),
		ast.Item(ast.InternedTerm("changes"), terms(f.Changes, changeTerm)))))
	if err != nil {
		return nil, nil, fmt.Errorf("evaluate rules: %w", err)
	}
	if len(results) != 1 || len(results[0].Expressions) != 2 {
		return nil, nil, fault.New(fault.Internal, "the rules gave no answer")
	}
	if problems, err = problemsOf(results[0].Expressions[0].Value); err != nil {
		return nil, nil, err
	}
	list, ok := results[0].Expressions[1].Value.([]any)
	if !ok {
		return nil, nil, fault.New(fault.Internal, "the rules gave no list")
	}
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, nil, fault.New(fault.Internal, "the rules gave no text")
		}
		needs = append(needs, text)
	}
	slices.Sort(needs)
	return problems, needs, nil
}

// problemsOf reads a set of problems, ordered by path and code.
func problemsOf(value any) ([]fault.Problem, error) {
	list, ok := value.([]any)
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

func terms[T any](list []T, term func(T) *ast.Term) *ast.Term {
	out := make([]*ast.Term, len(list))
	for i, item := range list {
		out[i] = term(item)
	}
	return ast.ArrayTerm(out...)
}

func destinationTerm(d Destination) *ast.Term {
	return ast.ObjectTerm(ast.Item(ast.InternedTerm("name"), ast.StringTerm(d.Name)), ast.Item(ast.InternedTerm("type"), ast.StringTerm(d.Type)))
}

func connectionTerm(c Connection) *ast.Term {
	return ast.ObjectTerm(ast.Item(ast.InternedTerm("source"), ast.StringTerm(c.Source)), ast.Item(ast.InternedTerm("destination"), destinationTerm(c.Destination)),
		ast.Item(ast.InternedTerm("transformations"), terms(c.Transformations, ast.StringTerm)))
}

func changeTerm(c Change) *ast.Term {
	return ast.ObjectTerm(ast.Item(ast.InternedTerm("op"), ast.StringTerm(c.Op)), ast.Item(ast.InternedTerm("kind"), ast.StringTerm(c.Kind)), ast.Item(ast.InternedTerm("name"), ast.StringTerm(c.Name)))
}

func codeTerm(code map[string]string) *ast.Term {
	o := ast.NewObject()
	for name, digest := range code {
		o.Insert(ast.StringTerm(name), ast.StringTerm(digest))
	}
	return ast.NewTerm(o)
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
func (b *Book) Review(ctx context.Context, at Placement) ([]fault.Problem, error) {
	input := map[string]any{
		"region": at.Config.Region,
		"former": at.Former,
		"plane":  map[string]any{"id": string(at.Plane), "region": at.PlaneRegion},
	}
	results, err := b.review.Eval(ctx, rego.EvalInput(input))
	if err != nil {
		return nil, fmt.Errorf("evaluate review: %w", err)
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return nil, fault.New(fault.Internal, "the review rules gave no answer")
	}
	return problemsOf(results[0].Expressions[0].Value)
}

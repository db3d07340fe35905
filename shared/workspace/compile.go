package workspace

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/script"
)

// Compile makes a Step of each transformation of c, in their order, or lists what
// is wrong with their code and that of the libraries, with line and column, and
// with chains that are too long. Check has found nothing in c. None of the code is
// run. Errors are those of script.Compiler.Compile, whose tenant is the workspace's identifier.
func Compile(ctx context.Context, with *script.Compiler, c Config) ([]script.Step, []fault.Problem, error) {
	if len(c.Transformations)+len(c.Libraries) == 0 {
		return nil, nil, nil
	}
	transformations, libraries := make([]script.File, len(c.Transformations)), make([]script.File, len(c.Libraries))
	for i, t := range c.Transformations {
		transformations[i] = script.File{Name: t.Name, Code: t.Code, MaxOutputs: t.MaxOutputs}
	}
	for i, l := range c.Libraries {
		libraries[i] = script.File{Name: l.Name, Code: l.Code}
	}
	steps, problems, err := with.Compile(ctx, string(c.Workspace), transformations, libraries)
	if err != nil {
		return nil, nil, fmt.Errorf("compile the code of %s: %w", c.Name, err)
	}
	for i := range problems {
		p := &problems[i]
		if at, ok := strings.CutPrefix(p.Path, "scripts"); ok {
			p.Path = "transformations" + at
		}
		if strings.HasSuffix(p.Path, "]") {
			p.Path += ".code"
		}
	}
	if len(problems) == 0 {
		problems = chains(c, steps)
	}
	if len(problems) > 0 {
		return nil, problems, nil
	}
	return steps, nil, nil
}

// chains lists the connections whose chains are too long.
func chains(c Config, steps []script.Step) (problems []fault.Problem) {
	for i, n := range c.Connections {
		if text, ok := script.Fits(StepsOf(c, steps, n.Transformations)); !ok {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("connections[%d].transformations", i), Code: script.CodeTooLarge, Text: text})
		}
	}
	return problems
}

// StepsOf returns the steps of a chain; steps are those of all transformations of c.
func StepsOf(c Config, steps []script.Step, chain []id.Transformation) []script.Step {
	out := make([]script.Step, len(chain))
	for i, t := range chain {
		at := slices.IndexFunc(c.Transformations, func(x Transformation) bool { return x.ID == t })
		out[i] = steps[at]
	}
	return out
}

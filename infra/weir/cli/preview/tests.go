package preview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"weir/dataplane/preview"
	"weir/infra/weir/cli/manifest"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/script"
)

// Test runs the tests that stand beside transformations, on this machine:
// sample events do not go to the control plane. Code with mistakes is left to
// the control plane, which names them.
//
// fault.Invalid, with a problem for each test that failed.
func Test(ctx context.Context, p command.Process, files []*manifest.File) error {
	var problems []fault.Problem
	ran, compiler := 0, script.NewCompiler(script.Config{})
	for _, f := range files {
		for at := range f.Document.Transformations {
			var tests []manifest.Test
			for _, t := range f.Tests {
				if t.Transformation == at {
					tests = append(tests, t)
				}
			}
			if len(tests) == 0 {
				continue
			}
			failed, err := try(ctx, compiler, f, at, tests)
			if err != nil {
				return fmt.Errorf("test transformation %s: %w", f.Document.Transformations[at].Name, err)
			}
			ran, problems = ran+len(tests), append(problems, failed...)
		}
	}
	if ran > 0 && len(problems) == 0 {
		p.Note("weir: %d tests of transformations passed", ran)
	}
	return fault.Problems("tests of transformations failed, and nothing was changed", problems)
}

// try runs the tests of one transformation.
func try(ctx context.Context, compiler *script.Compiler, f *manifest.File, at int, tests []manifest.Test) (failed []fault.Problem, err error) {
	t := f.Document.Transformations[at]
	var libraries []script.File
	for _, l := range f.Document.Libraries {
		libraries = append(libraries, script.File{Name: l.Name, Code: l.Code})
	}
	opened, err := preview.OpenTransformation(ctx, compiler, []script.File{{Name: t.Name, Code: t.Code, MaxOutputs: int(min(t.MaxOutputs, script.MaxOutputs))}}, libraries)
	if fault.KindOf(err) == fault.Invalid {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	for _, test := range tests {
		outcomes, err := opened.Apply(ctx, [][]byte{test.Event}, time.Now().UTC())
		if err != nil {
			return nil, err
		}
		if text := differs(test, outcomes[0]); text != "" {
			failed = append(failed, fault.Problem{Path: f.At(test.Path), Code: "test_failed", Text: text})
		}
	}
	return failed, nil
}

// differs says how an outcome is not what a test expects, "" when it is.
func differs(t manifest.Test, got preview.Outcome) string {
	if got.Error != nil {
		if got.Error.Code == t.Error {
			return ""
		}
		return fmt.Sprintf("The event is refused: %s (%s).", got.Error.Message, got.Error.Code)
	}
	if t.Error != "" {
		return fmt.Sprintf("The event is not refused as %s: it becomes %d events.", t.Error, len(got.Events))
	}
	if len(got.Events) != len(t.Expect) {
		return fmt.Sprintf("The event becomes %d events, not %d.", len(got.Events), len(t.Expect))
	}
	for i, want := range t.Expect {
		if at, ok := contains(got.Events[i], want); !ok {
			return fmt.Sprintf("Event %d differs at %q.", i+1, at)
		}
	}
	return ""
}

// contains reports whether got has every member of want with the same value,
// and where not.
func contains(got, want json.RawMessage) (at string, ok bool) {
	var wanted, had map[string]json.RawMessage
	if json.Unmarshal(want, &wanted) != nil || json.Unmarshal(got, &had) != nil || wanted == nil || had == nil {
		return "", same(got, want)
	}
	for name, w := range wanted {
		h, there := had[name]
		if !there {
			return name, false
		}
		if at, ok := contains(h, w); !ok {
			if at != "" {
				name += "." + at
			}
			return name, false
		}
	}
	return "", true
}

// same compares two JSON values; of numbers the value counts, in lists the order.
func same(a, b json.RawMessage) bool {
	var listA, listB []json.RawMessage
	if json.Unmarshal(a, &listA) == nil && json.Unmarshal(b, &listB) == nil && listA != nil && listB != nil {
		for i := range listA {
			if len(listA) != len(listB) || !same(listA[i], listB[i]) {
				return false
			}
		}
		return len(listA) == len(listB)
	}
	var numberA, numberB json.Number
	if json.Unmarshal(a, &numberA) == nil && json.Unmarshal(b, &numberB) == nil && a[0] != '"' && b[0] != '"' {
		x, okX := new(big.Rat).SetString(numberA.String())
		y, okY := new(big.Rat).SetString(numberB.String())
		return okX && okY && x.Cmp(y) == 0
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && fmt.Sprintf("%T %v", x, x) == fmt.Sprintf("%T %v", y, y)
}

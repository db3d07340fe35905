package script_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/shared/fault"
	"weir/shared/script"
)

// compiler compiles in worker processes, as the planes do.
var compiler = script.NewCompiler(script.Config{CPU: 2 * time.Second})

func TestMistakesAreFoundWhereTheyStand(t *testing.T) {
	t.Parallel()
	const good = "export function transformEvent(event) { return event; }"
	for name, tc := range map[string]struct {
		code      string
		libraries []script.File
		want      []string // path, code and the beginning of the text
	}{
		"good":            {code: good},
		"const":           {code: "export const transformEvent = async (e) => e;"},
		"batch":           {code: "export function transformBatch(events) { return events; }"},
		"syntax":          {code: "export function transformEvent(event) {\n  return event.;\n}", want: []string{"scripts[0] syntax_error 2:16:"}},
		"not closed":      {code: "export function transformEvent(event) {", want: []string{"scripts[0] syntax_error 1:40:"}},
		"await on top":    {code: good + "\nawait 1;", want: []string{"scripts[0] syntax_error 2:1:"}},
		"no export":       {code: "function transformEvent(e) { return e }", want: []string{"scripts[0] missing_export The code exports neither"}},
		"both":            {code: good + "\nexport function transformBatch(e) { return e }", want: []string{"scripts[0] two_exports The code exports both"}},
		"unknown import":  {code: "import x from 'fs';\n" + good, want: []string{`scripts[0] unknown_import 1:15: There is no library called "fs"`}},
		"require":         {code: "const x = require('fs');\n" + good, want: []string{`scripts[0] unknown_import 1:19: There is no library`}},
		"dynamic":         {code: good + "\nimport('fs');", want: []string{`scripts[0] unknown_import 2:8: There is no library`}},
		"library":         {code: "import { a } from 'lib';" + good, libraries: []script.File{{Name: "lib", Code: "export const a = 1"}}},
		"built in":        {code: "import _, { get } from 'lodash'; import find from 'lodash/find'; import { v4 } from 'uuid'; import { createHash } from 'node:crypto'; import { a } from 'lib';" + good, libraries: []script.File{{Name: "lib", Code: "import { sha256 } from 'crypto'; export const a = sha256"}}},
		"own before":      {code: "import { mine } from 'crypto';" + good, libraries: []script.File{{Name: "crypto", Code: "export const mine = 1"}}},
		"not in lodash":   {code: "import x from 'lodash/nothing';" + good, want: []string{`scripts[0] unknown_import 1:15: There is no library called "lodash/nothing". Without one of your own there are crypto, lodash, uuid`}},
		"not in crypto":   {code: "import { nothing } from 'crypto';" + good, want: []string{"scripts[0] unknown_import 1:10: No matching export"}},
		"no such export":  {code: "import { b } from 'lib';" + good, libraries: []script.File{{Name: "lib", Code: "export const a = 1"}}, want: []string{"scripts[0] unknown_import 1:10: No matching export"}},
		"broken library":  {code: "import { a } from 'lib';" + good, libraries: []script.File{{Name: "other", Code: "export {}"}, {Name: "lib", Code: "export const a = 1\nlet 5 = 2"}}, want: []string{"libraries[1] syntax_error 2:5:"}},
		"library imports": {code: "import { a } from 'one';" + good, libraries: []script.File{{Name: "one", Code: "export { a } from 'two'"}, {Name: "two", Code: "export const a = 1"}}},
		"twins":           {code: good, libraries: []script.File{{Name: "one"}, {Name: "one"}}, want: []string{"libraries[1].name duplicate_name Another library"}},
		"newer syntax":    {code: "class A { static #x = 1; static { A.#x++ } }\n" + good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			_, problems, err := compiler.Compile(t.Context(), "ws", []script.File{{Name: "t", Code: tc.code}}, tc.libraries)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range problems {
				line := p.Path + " " + p.Code + " " + p.Text
				if i < len(tc.want) && strings.HasPrefix(line, tc.want[i]) {
					line = tc.want[i]
				}
				got = append(got, line)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

// hostile is code that a parser does not survive: stacks that overflow, and time
// that grows with the square.
var hostile = map[string]string{
	"brackets":  strings.Repeat("[", 200_000),
	"arrows":    strings.Repeat("a=>", 80_000) + "1",
	"templates": strings.Repeat("`${", 80_000),
	"hidden":    "x=/[/]/" + strings.Repeat("[", 200_000),
	"commas":    strings.Repeat("1,", 130_000) + "1",
}

// TestHostileCodeIsRefusedAndHoldsNobodyUp gives a compiler code that no parser
// survives, again and again, and in its midst the code of another tenant.
func TestHostileCodeIsRefusedAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	c := script.NewCompiler(script.Config{CPU: time.Second})
	var evil sync.WaitGroup
	for name, code := range hostile {
		evil.Go(func() {
			for range 2 { // the second time it is known
				_, problems, err := c.Compile(t.Context(), "evil", []script.File{{Code: code + "\nexport const transformEvent = e => e"}, {Code: "never looked at ("}}, nil)
				if err != nil || len(problems) != 1 || problems[0].Code != script.CodeTooComplex || problems[0].Path != "scripts[0]" {
					t.Errorf("%s: %.300v %v, want the one problem %s", name, problems, err, script.CodeTooComplex)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { evil.Wait(); close(over) }()
	good := []script.File{{Code: "export const transformEvent = e => e"}}
	if steps, problems, err := c.Compile(t.Context(), "good", good, nil); err != nil || len(problems) > 0 || len(steps) != 1 {
		t.Errorf("the good tenant's code: %v %v", problems, err)
	}
	select {
	case <-over:
		t.Error("the good tenant waited until all of the evil one's was done")
	default:
	}
	<-over
	if !c.Costly("evil") || c.Costly("good") {
		t.Errorf("costly: evil %t, good %t; want the evil one alone", c.Costly("evil"), c.Costly("good"))
	}
}

// TestTooMuchCodeIsRefusedBeforeItIsRead lets no process start.
func TestTooMuchCodeIsRefusedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	c := script.NewCompiler(script.Config{Command: []string{"/bin/false"}})
	long := script.File{Name: "a", Code: strings.Repeat("x", script.MaxCode+1)}
	many := slices.Repeat([]script.File{{Code: strings.Repeat("x", script.MaxCode)}}, 40)
	for name, tc := range map[string]struct {
		scripts, libraries []script.File
		want               string
	}{
		"a script":  {[]script.File{long}, nil, "scripts[0]"},
		"a library": {nil, []script.File{long}, "libraries[0]"},
		"all":       {many, nil, "scripts"},
	} {
		_, problems, err := c.Compile(t.Context(), "ws", tc.scripts, tc.libraries)
		if err != nil || len(problems) != 1 || problems[0].Path != tc.want || problems[0].Code != script.CodeTooLarge {
			t.Errorf("%s: %.300v %v, want %s %s", name, problems, err, tc.want, script.CodeTooLarge)
		}
	}
}

// TestWithoutWorkersNothingIsSaidOfTheCode: code is refused for what it does, and
// not for what the machine lacks.
func TestWithoutWorkersNothingIsSaidOfTheCode(t *testing.T) {
	t.Parallel()
	good := []script.File{{Code: "export const transformEvent = e => e"}}
	c := script.NewCompiler(script.Config{Command: []string{"/nothing/here"}})
	if _, problems, err := c.Compile(t.Context(), "ws", good, nil); fault.KindOf(err) != fault.Unavailable || len(problems) > 0 {
		t.Errorf("without a program: %v %v", problems, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, stop)
	commas := []script.File{{Code: hostile["commas"]}}
	if _, problems, err := compiler.Compile(ctx, "stopped", commas, nil); fault.KindOf(err) != fault.Unavailable || len(problems) > 0 {
		t.Errorf("stopped: %v %v", problems, err)
	}
}

func TestPlaceLeadsBackToTheSource(t *testing.T) {
	t.Parallel()
	libraries := []script.File{{Name: "lib", Code: "export function fail() {\n  throw new Error('marked')\n}"}}
	steps, problems, err := compiler.Compile(t.Context(), "ws", []script.File{{Name: "t", Code: "import { fail } from 'lib'\n\n// words\nexport function transformEvent(event) {\n  fail(event)\n}"}}, libraries)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	for text, want := range map[string]script.Place{
		"new Error":   {Library: "lib", Line: 2, Column: 9},
		"fail(event)": {Line: 5, Column: 3},
	} {
		at := strings.Index(steps[0].Code, text)
		line := strings.Count(steps[0].Code[:at], "\n") + 1
		column := at - strings.LastIndexByte(steps[0].Code[:at], '\n')
		if got, ok := steps[0].Place(line, column); !ok || got != want {
			t.Errorf("Place(%d, %d) = %+v, %v, want %+v", line, column, got, ok, want)
		}
	}
	if _, ok := steps[0].Place(99, 1); ok {
		t.Error("a line that is not there has a place")
	}
}

func TestEqualCodeHasEqualKeys(t *testing.T) {
	t.Parallel()
	bundle := func(code string) string {
		steps, problems, err := compiler.Compile(t.Context(), "ws", []script.File{{Code: code}}, nil)
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
		return script.Key(steps)
	}
	start := time.Now()
	a, b, c := bundle("export const transformEvent = e => e"), bundle("export const transformEvent = e => e"), bundle("export const transformEvent = e => null")
	if a != b || a == c {
		t.Errorf("keys %s, %s, %s after %v", a, b, c, time.Since(start))
	}
}

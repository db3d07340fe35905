package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/shared/script"
)

func TestCheckFindsMistakesWhereTheyStand(t *testing.T) {
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
		"no such export":  {code: "import { b } from 'lib';" + good, libraries: []script.File{{Name: "lib", Code: "export const a = 1"}}, want: []string{"scripts[0] unknown_import 1:10: No matching export"}},
		"broken library":  {code: "import { a } from 'lib';" + good, libraries: []script.File{{Name: "other", Code: "export {}"}, {Name: "lib", Code: "export const a = 1\nlet 5 = 2"}}, want: []string{"libraries[1] syntax_error 2:5:"}},
		"library imports": {code: "import { a } from 'one';" + good, libraries: []script.File{{Name: "one", Code: "export { a } from 'two'"}, {Name: "two", Code: "export const a = 1"}}},
		"twins":           {code: good, libraries: []script.File{{Name: "one"}, {Name: "one"}}, want: []string{"libraries[1].name duplicate_name Another library"}},
		"newer syntax":    {code: "class A { static #x = 1; static { A.#x++ } }\n" + good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for i, p := range script.Check([]script.File{{Name: "t", Code: tc.code}}, tc.libraries) {
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

func TestDeepNestingIsRefusedBeforeItCosts(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{
		"brackets": strings.Repeat("[", 100_000),
		"hidden":   strings.Repeat("/*)*/(", 20_000),
		"not":      "x=" + strings.Repeat("!", 100_000) + "1",
		"arrows":   strings.Repeat("a=>", 50_000) + "1",
		"if":       strings.Repeat("if(a)", 50_000) + ";",
		"else":     strings.Repeat("if(a){}else ", 20_000) + "{}",
		"new":      strings.Repeat("new ", 50_000) + "a",
		"ternary":  strings.Repeat("a?b:", 50_000) + "a",
		"dots":     "a" + strings.Repeat(".a", 100_000),
		"commas":   strings.Repeat("1,", 100_000) + "1",
		"in block": "{" + strings.Repeat("(1),", 50_000) + "1}",
		"calls":    "f" + strings.Repeat("()", 50_000),
		"tagged":   "f" + strings.Repeat("``", 50_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := script.Check([]script.File{{Code: code}}, nil)
			if len(problems) != 1 || problems[0].Code != script.CodeNesting {
				t.Errorf("problems %.300v, want one of code %s", problems, script.CodeNesting)
			}
		})
	}
	long := "export function transformEvent(e) {\n" + strings.Repeat("  if (e.a === '[(') { e.b = { c: [1, 2, (3)] } } else { e.d = !e.d }\n", 3000) + "return e }\n" +
		"const list = [" + strings.Repeat("'a',", 10_000) + "], table = {" + strings.Repeat("a: 'b',\n", 10_000) + "}"
	if problems := script.Check([]script.File{{Code: long}}, nil); len(problems) > 0 {
		t.Errorf("long flat code has problems: %v", problems)
	}
}

func TestPlaceLeadsBackToTheSource(t *testing.T) {
	t.Parallel()
	libraries := []script.File{{Name: "lib", Code: "export function fail() {\n  throw new Error('marked')\n}"}}
	steps, problems := script.Bundle([]script.File{{Name: "t", Code: "import { fail } from 'lib'\n\n// words\nexport function transformEvent(event) {\n  fail(event)\n}"}}, libraries)
	if len(problems) > 0 {
		t.Fatal(problems)
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
		steps, problems := script.Bundle([]script.File{{Code: code}}, nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return script.Key(steps)
	}
	start := time.Now()
	a, b, c := bundle("export const transformEvent = e => e"), bundle("export const transformEvent = e => e"), bundle("export const transformEvent = e => null")
	if a != b || a == c {
		t.Errorf("keys %s, %s, %s after %v", a, b, c, time.Since(start))
	}
}

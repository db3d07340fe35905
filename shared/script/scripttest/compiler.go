// Package scripttest compiles code in the process of a test, without workers and
// their limits.
package scripttest

import (
	"context"
	"testing"

	"weir/shared/script"
	"weir/shared/script/bundle"
)

// Compiler returns a compiler that needs no worker.
func Compiler() *script.Compiler {
	return script.NewCompiler(script.Config{Direct: func(q script.Request, give func(script.Answer)) error {
		return bundle.Answer(q, func(a script.Answer) (bool, error) { give(a); return true, nil })
	}})
}

// Compile compiles scripts that have no problems.
func Compile(t testing.TB, scripts, libraries []script.File) []script.Step {
	t.Helper()
	steps, problems, err := Compiler().Compile(context.Background(), "ws", scripts, libraries)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	return steps
}

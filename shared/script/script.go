package script

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"weir/shared/fault"
)

// Codes of the problems that a Compiler finds.
const (
	CodeSyntax     = "syntax_error"     // not JavaScript, or more than the engine can run
	CodeImport     = "unknown_import"   // of something that is no library
	CodeExport     = "missing_export"   // neither transformEvent nor transformBatch
	CodeExports    = "two_exports"      // both of them
	CodeTooComplex = "code_too_complex" // it takes more time, memory or stack to read than there is
	CodeTooLarge   = "too_large"
	CodeLibrary    = "duplicate_name" // two libraries with one name
	CodeTooMany    = "too_many_problems"
)

// MaxCode is the longest file, in bytes, wherever it is read.
const MaxCode = 256 << 10

// Limits of all files together.
const (
	maxTotal    = 8 << 20 // bytes of scripts and libraries
	maxChain    = 8 << 20 // bytes of the steps of one chain, libraries included in each
	maxProblems = 50      // problems that one Compile lists
)

// MaxOutputs is how many events a transformation makes of one at most.
const MaxOutputs = 1000

// File is an ES module. Of a transformation the name is for people; a library
// is imported by its name.
type File struct {
	Name, Code string
	MaxOutputs int // of a transformation; 0: MaxOutputs
}

// Step is one transformation, bundled: the text of a CommonJS module that
// exports transformEvent or, with Batch, transformBatch, and needs nothing.
type Step struct {
	Name  string
	Code  string
	Batch bool
	Map   []byte // source map of Code, JSON
	// MaxOutputs is how many events it makes of one; 0: as many as its plane lets it.
	MaxOutputs int
}

// Key returns the SHA-256, in hex, of what steps do: equal keys, equal work.
func Key(steps []Step) string {
	h := sha256.New()
	for _, s := range steps {
		if s.MaxOutputs > 0 {
			fmt.Fprintf(h, "most %d\n", s.MaxOutputs)
		}
		fmt.Fprintf(h, "%d %t %s\n", len(s.Code), s.Batch, s.Code)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Fits reports whether a chain may have these steps, and says why not.
func Fits(steps []Step) (problem string, ok bool) {
	size := 0
	for _, s := range steps {
		size += len(s.Code)
	}
	if size <= maxChain {
		return "", true
	}
	return fmt.Sprintf("The chain has more than %d MiB of code with its libraries.", maxChain>>20), false
}

// sizes lists what is too large, or named twice.
func sizes(scripts, libraries []File) []fault.Problem {
	var l found
	total := 0
	names := map[string]bool{}
	for i, f := range libraries {
		at := fmt.Sprintf("libraries[%d]", i)
		if names[f.Name] {
			l.add(fault.Problem{Path: at + ".name", Code: CodeLibrary, Text: fmt.Sprintf("Another library is called %q.", f.Name)})
		}
		names[f.Name] = true
		total += l.size(at, f)
	}
	for i, f := range scripts {
		total += l.size(fmt.Sprintf("scripts[%d]", i), f)
	}
	if total > maxTotal && len(l.problems) == 0 {
		l.add(fault.Problem{Path: "scripts", Code: CodeTooLarge, Text: fmt.Sprintf("All code together is longer than %d MiB.", maxTotal>>20)})
	}
	return l.problems
}

// found is problems, each once.
type found struct {
	problems []fault.Problem
	seen     map[fault.Problem]bool
}

func (l *found) add(p fault.Problem) {
	if l.seen[p] || len(l.problems) > maxProblems {
		return
	}
	if l.seen == nil {
		l.seen = map[fault.Problem]bool{}
	}
	l.seen[p] = true
	if len(l.problems) == maxProblems {
		p = fault.Problem{Code: CodeTooMany, Text: "There are more problems than these."}
	}
	l.problems = append(l.problems, p)
}

// size returns the size of a file and lists it where it is too large.
func (l *found) size(at string, f File) int {
	if len(f.Code) > MaxCode {
		l.add(fault.Problem{Path: at, Code: CodeTooLarge, Text: fmt.Sprintf("The code is longer than %d KiB.", MaxCode>>10)})
	}
	return len(f.Code)
}

package transform

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"weir/dataplane/transform/engine"
	"weir/shared/fault"
	"weir/shared/script"
)

// Script is one transformation's code, an ES module with transformEvent or
// transformBatch, or a library, which is imported by its name.
type Script struct{ Name, Code string }

// Chain is transformations one after the other, ready to run. It is immutable.
type Chain struct {
	Key   string // a digest: chains of equal keys do the same
	steps []script.Step
	size  int // bytes of code
}

// maxCode is the most code of one chain, libraries included in each step.
const maxCode = 8 << 20

// Compile bundles a chain: scripts in their order, libraries by name. It does no
// I/O. A problem's path is scripts[i] or libraries[i]; its text begins with the
// line and column in that source.
func Compile(scripts, libraries []Script) (*Chain, []fault.Problem) {
	if len(scripts) == 0 {
		return nil, []fault.Problem{{Path: "scripts", Code: "required", Text: "A chain has at least one transformation."}}
	}
	files := func(list []Script) []script.File {
		out := make([]script.File, len(list))
		for i, s := range list {
			out[i] = script.File(s)
		}
		return out
	}
	steps, problems := script.Bundle(files(scripts), files(libraries))
	if len(problems) > 0 {
		return nil, problems
	}
	c := &Chain{Key: script.Key(steps), steps: steps}
	for i := range steps {
		if c.size += len(steps[i].Code); c.size > maxCode {
			return nil, []fault.Problem{{Path: fmt.Sprintf("scripts[%d]", i), Code: "too_large",
				Text: fmt.Sprintf("The chain has more than %d MiB of code with its libraries.", maxCode>>20)}}
		}
	}
	return c, nil
}

// frame is a place in an engine's stack trace.
var frame = regexp.MustCompile(`<eval>:(\d+):(\d+)`)

// describe is the text of a problem with the place in the customer's source, where
// the stack leads to one.
func (c *Chain) describe(step int, p engine.Problem) string {
	text := p.Text
	s := c.steps[step]
	if len(c.steps) > 1 && s.Name != "" {
		text = s.Name + ": " + text
	}
	for _, m := range frame.FindAllStringSubmatch(p.Stack, 20) {
		line, err1 := strconv.Atoi(m[1])
		column, err2 := strconv.Atoi(m[2])
		if err1 != nil || err2 != nil {
			continue
		}
		if at, ok := s.Place(line-1, column); ok { // the machine puts one line before the code
			where := ""
			if at.Library != "" {
				where = " of " + strconv.Quote(at.Library)
			}
			return fmt.Sprintf("%s (line %d, column %d%s)", strings.TrimSpace(text), at.Line, at.Column, where)
		}
	}
	return strings.TrimSpace(text)
}

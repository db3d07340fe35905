package transform

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
)

// Chain is transformations one after the other, ready to run. It is immutable.
type Chain struct {
	Key   string // a digest: chains of equal keys do the same
	steps []script.Step
	size  int // bytes of code
}

// NewChain makes a chain of one or more steps.
func NewChain(steps []script.Step) *Chain {
	c := &Chain{Key: script.Key(steps), steps: steps}
	for _, s := range steps {
		c.size += len(s.Code)
	}
	return c
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

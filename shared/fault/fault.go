// Package fault gives errors a kind that callers act on, and problems of input
// a path. The leaf picks the kind; callers add where with fmt.Errorf and %w.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what a caller can do about an error.
type Kind uint8

// The kinds. Internal is the zero value, so a stranger's error is Internal.
const (
	Internal    Kind = iota // a broken invariant; only we can act
	Invalid                 // the input is wrong; ProblemsOf may list why
	Denied                  // the caller may not do this
	Missing                 // the thing does not exist
	Conflict                // someone else was faster; read again
	Limited                 // too much, too fast; retry later
	Unavailable             // something this needs is away; retry later
)

var names = [...]string{"internal", "invalid", "denied", "missing", "conflict", "limited", "unavailable"}

func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Problem is one thing wrong with input: where, as a path such as
// "destinations[2].settings.url"; what, as a code in snake case for machines
// ("unknown_type"); and a sentence for the customer with cause and remedy.
type Problem struct {
	Path string `json:"path"`
	Code string `json:"code"`
	Text string `json:"text"`
}

// Error is an error with a kind, and for Invalid the problems that led to it.
type Error struct {
	Kind     Kind
	Text     string // a sentence that a customer may read
	Problems []Problem
}

func (e *Error) Error() string {
	if len(e.Problems) == 0 {
		return e.Text
	}
	var b strings.Builder
	b.WriteString(e.Text)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s: %s (%s)", p.Path, p.Text, p.Code)
	}
	return b.String()
}

// New returns an error of kind k. The text is a sentence a customer may read:
// identifiers may be in it, secrets and payloads never.
func New(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Text: fmt.Sprintf(format, args...)}
}

// Problems returns an Invalid error that lists ps, or nil when ps is empty.
func Problems(text string, ps []Problem) error {
	if len(ps) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Text: text, Problems: ps}
}

// KindOf returns the kind of the first Error in err's chain, Internal for
// strangers. It must not be asked about nil.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// ProblemsOf returns the problems of the first Error in err's chain.
func ProblemsOf(err error) []Problem {
	var e *Error
	if errors.As(err, &e) {
		return e.Problems
	}
	return nil
}

package profiles

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Expression is an expression over features, compiled to SQL that every warehouse knows.
// A division by zero is null.
type Expression struct {
	SQL  string   // features stand in it as {{name}}
	Uses []string // features
}

// functions that expressions may call.
var functions = []string{"coalesce", "nullif", "abs", "round", "floor", "ceil", "least", "greatest", "lower", "upper", "length"}

// words that are no features.
var words = []string{"case", "when", "then", "else", "end", "and", "or", "not", "is", "null", "true", "false"}

var token = regexp.MustCompile(`^(?:\s+|([0-9]+(?:\.[0-9]+)?)|([A-Za-z_][A-Za-z0-9_]*)|('(?:[^'\\\x00]|'')*')|(<=|>=|<>|!=|[-+*/()=<>,]))`)

// ParseExpression reads an expression. Its errors say what is wrong.
func ParseExpression(text string) (Expression, error) {
	p := &parser{}
	if len(text) > 4000 {
		return Expression{}, errors.New("an expression has at most 4000 bytes")
	}
	for rest := text; rest != ""; {
		m := token.FindStringSubmatch(rest)
		if m == nil {
			return Expression{}, fmt.Errorf("%q is no part of an expression", firstRune(rest))
		}
		if t := strings.TrimSpace(m[0]); t != "" {
			p.tokens = append(p.tokens, t)
		}
		rest = rest[len(m[0]):]
	}
	sql, err := p.any(0)
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("%q is not expected there", p.tokens[p.at])
	}
	return Expression{SQL: sql, Uses: p.uses}, err
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

type parser struct {
	tokens []string
	at     int
	depth  int
	uses   []string
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		if t := p.tokens[p.at]; t[0] != '\'' {
			return strings.ToLower(t)
		}
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) take(t string) bool {
	if p.peek() != t {
		return false
	}
	p.at++
	return true
}

func (p *parser) want(t string) error {
	if !p.take(t) {
		return fmt.Errorf("%q is missing", t)
	}
	return nil
}

// levels are the operators of two sides, weakest first.
var levels = [][]string{{"or"}, {"and"}, {"=", "<>", "!=", "<", "<=", ">", ">="}, {"+", "-"}, {"*", "/"}}

// any reads operators of a level and those that bind more.
func (p *parser) any(level int) (string, error) {
	if p.depth++; p.depth > 200 {
		return "", errors.New("the expression is too deep")
	}
	defer func() { p.depth-- }()
	if level == len(levels) {
		return p.one()
	}
	if level == 2 && p.take("not") {
		x, err := p.any(2)
		return "(not " + x + ")", err
	}
	left, err := p.any(level + 1)
	for err == nil && slices.Contains(levels[level], p.peek()) {
		op := p.peek()
		p.at++
		var right string
		if right, err = p.any(level + 1); err != nil {
			break
		}
		switch op {
		case "/":
			left = "(" + left + " * 1.0 / nullif(" + right + ", 0))"
		case "!=":
			left = "(" + left + " <> " + right + ")"
		default:
			left = "(" + left + " " + op + " " + right + ")"
		}
	}
	if err == nil && level == 2 && p.take("is") {
		not := ""
		if p.take("not") {
			not = "not "
		}
		err = p.want("null")
		left = "(" + left + " is " + not + "null)"
	}
	return left, err
}

// one reads a value.
func (p *parser) one() (string, error) {
	t := p.peek()
	switch {
	case t == "":
		return "", errors.New("the expression ends too early")
	case t == "-":
		p.at++
		x, err := p.one()
		return "(- " + x + ")", err
	case t == "(":
		p.at++
		x, err := p.any(0)
		return x, errors.Join(err, p.want(")"))
	case t == "case":
		p.at++
		return p.cases()
	case t == "null", t == "true", t == "false", t[0] == '\'', t[0] >= '0' && t[0] <= '9':
		p.at++
		return t, nil
	case slices.Contains(words, t) || !named.MatchString(t):
		return "", fmt.Errorf("%q is not expected there", t)
	}
	p.at++
	if !p.take("(") {
		p.uses = append(p.uses, t)
		return "{{" + t + "}}", nil
	}
	if !slices.Contains(functions, t) {
		return "", fmt.Errorf("there is no function %s; there are %s", t, strings.Join(functions, ", "))
	}
	var args []string
	for {
		x, err := p.any(0)
		if err != nil {
			return "", err
		}
		if args = append(args, x); !p.take(",") {
			break
		}
	}
	return t + "(" + strings.Join(args, ", ") + ")", p.want(")")
}

// cases reads what follows case.
func (p *parser) cases() (string, error) {
	sql := "(case"
	for p.take("when") {
		when, err := p.any(0)
		if err != nil {
			return "", err
		}
		if err := p.want("then"); err != nil {
			return "", err
		}
		then, err := p.any(0)
		if err != nil {
			return "", err
		}
		sql += " when " + when + " then " + then
	}
	if sql == "(case" {
		return "", errors.New(`"when" is missing`)
	}
	if p.take("else") {
		other, err := p.any(0)
		if err != nil {
			return "", err
		}
		sql += " else " + other
	}
	return sql + " end)", p.want("end")
}

package activation

import "strings"

// NotOne says why text is not one statement that reads and may stand in brackets within
// another one; "" when it is. A statement of a model does: one that closes those brackets
// would end elsewhere than its author sees.
func NotOne(text string) string {
	s := statement{text: text}
	for s.at < len(s.text) {
		if problem := s.step(); problem != "" {
			return problem
		}
	}
	switch first := strings.ToLower(s.first); {
	case s.depth > 0:
		return "A bracket of the statement is not closed."
	case first == "":
		return "There is no statement."
	case first != "select" && first != "with" && first != "from" && first != "values" && first != "table":
		return "A model reads: its statement begins with select or with."
	}
	return ""
}

// Relation is the rows of the model as they stand behind from in a statement.
func (m Model) Relation() string {
	if m.Table != "" {
		parts := strings.Split(m.Table, ".")
		for i := range parts {
			parts[i] = `"` + parts[i] + `"`
		}
		return strings.Join(parts, ".")
	}
	s := statement{text: m.SQL}
	for s.at < len(s.text) && !s.ended && s.step() == "" {
	}
	if s.ended {
		return "(" + s.text[:s.end] + "\n)"
	}
	return "(" + s.text + "\n)"
}

// statement is a text of SQL that is gone through.
type statement struct {
	text  string
	at    int
	depth int    // of brackets
	ended bool   // there was a semicolon
	end   int    // where it was
	first string // the first word
}

// step goes over one character, quotation, comment or word.
func (s *statement) step() (problem string) {
	rest := s.text[s.at:]
	c := rest[0]
	switch {
	case strings.HasPrefix(rest, "--"):
		s.to(strings.IndexByte(rest, '\n'), 1)
		return ""
	case strings.HasPrefix(rest, "/*"):
		return s.comment()
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
		s.at++
		return ""
	case s.ended:
		return "Here stands more than one statement; a model has one."
	case c == ';':
		s.ended, s.end = true, s.at
		s.at++
		return ""
	case c == '\'' || c == '"':
		return s.quoted(c)
	case c == '$':
		return s.dollar()
	case c == '(' || c == '[' || c == '{':
		s.depth++
	case c == ')' || c == ']' || c == '}':
		if s.depth--; s.depth < 0 {
			return "A bracket is closed that was not opened."
		}
	case c == 0:
		return "The statement holds a character that no statement has."
	case word(c):
		n := 1
		for n < len(rest) && word(rest[n]) {
			n++
		}
		if s.first == "" {
			s.first = rest[:n]
		}
		if n < len(rest) && rest[n] == '\'' && (rest[:n] == "e" || rest[:n] == "E") {
			return "Write texts without E'...': backslashes in them change where they end."
		}
		s.at += n
		return ""
	}
	if s.first == "" && c != '(' {
		s.first = string(c)
	}
	s.at++
	return ""
}

// word reports whether c is of a name or a number.
func word(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// to goes n behind the place and so many more; to the end when n is negative.
func (s *statement) to(n, more int) {
	if n < 0 {
		s.at = len(s.text)
		return
	}
	s.at += n + more
}

func (s *statement) comment() string {
	depth, i := 0, s.at
	for i+1 < len(s.text) {
		switch s.text[i : i+2] {
		case "/*":
			if depth++; depth > 1 {
				return "A comment stands within a comment, which warehouses read in different ways."
			}
			i += 2
		case "*/":
			s.at = i + 2
			return ""
		default:
			i++
		}
	}
	return "A comment is not closed."
}

func (s *statement) quoted(by byte) string {
	for i := s.at + 1; i < len(s.text); i++ {
		if s.text[i] != by {
			continue
		}
		if i+1 < len(s.text) && s.text[i+1] == by {
			i++
			continue
		}
		s.at = i + 1
		return ""
	}
	return "A quotation is not closed."
}

// dollar goes over a text between $tag$ and $tag$, or a lone $.
func (s *statement) dollar() string {
	rest := s.text[s.at:]
	n := 1
	for n < len(rest) && word(rest[n]) {
		n++
	}
	if n >= len(rest) || rest[n] != '$' {
		s.at += n
		return ""
	}
	tag := rest[:n+1]
	end := strings.Index(rest[n+1:], tag)
	if end < 0 {
		return "A text that begins with " + tag + " is not closed."
	}
	s.at += n + 1 + end + len(tag)
	return ""
}

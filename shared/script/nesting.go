package script

// Limits of nesting. The parser recurses, with some 5 KB of stack a level, and
// a goroutine that outgrows its stack ends the process; nobody's code comes
// near these.
const (
	maxBrackets = 1000 // brackets open at once
	maxRun      = 2000 // operators and keywords, without ; , or braces between, that may each open a level
	maxUnread   = 20   // times as many, where texts count as code
)

// tooNested returns the offset at which code nests too deeply, -1 when it does
// not. It looks at the code twice, once passing over strings, templates and
// comments and once not, because only a parser could tell a regular expression
// from a division.
func tooNested(code string) int {
	if at := nests(code, true, 1); at >= 0 {
		return at
	}
	return nests(code, false, maxUnread)
}

// nests is tooNested with limits so many times as high; with texts it passes
// over strings and comments.
func nests(code string, texts bool, times int) int {
	depth, run, elses := 0, 0, 0
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case '(', '[', '{':
			depth++
			run++
		case ')', ']', '}':
			depth = max(depth-1, 0)
			if c == '}' {
				run = 0
			}
		case ';', ',':
			run, elses = 0, 0
		case '!', '~', '-', '+', '=', '?', ':', '*':
			run++
		case '\\':
			i++
		case '"', '\'', '`':
			if texts {
				i = pastText(code, i)
			}
		case '/':
			if texts {
				i = pastComment(code, i)
			}
		case 'n', 't', 'd', 'e', 'f', 'o', 'w': // ends of new, await, void, typeof, delete, else, if, yield, do, throw
			if i+1 < len(code) && !letter(code[i+1]) && keyword(code, i) {
				run++
				elses++
			}
		}
		if depth > maxBrackets*times || run > maxRun*times || elses > maxRun*times {
			return i
		}
	}
	return -1
}

// keyword reports whether a word that may open a level ends at i.
func keyword(code string, i int) bool {
	start := i
	for start > 0 && letter(code[start-1]) && i-start < 8 {
		start--
	}
	switch code[start : i+1] {
	case "new", "await", "void", "typeof", "delete", "else", "if", "yield", "do", "throw", "return":
		return true
	}
	return false
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= '0' && c <= '9'
}

// pastText returns the position of the quote that ends the text begun at i, or
// of the end of the line for one that needs an end there. A template's
// substitutions are looked at as code, so its text ends at the first of them.
func pastText(code string, i int) int {
	quote := code[i]
	for j := i + 1; j < len(code); j++ {
		switch c := code[j]; {
		case c == '\\':
			j++
		case c == quote, c == '\n' && quote != '`':
			return j
		case c == '$' && quote == '`' && j+1 < len(code) && code[j+1] == '{':
			return j
		}
	}
	return len(code)
}

// pastComment returns the last position of the comment that begins at i, i
// itself when none does.
func pastComment(code string, i int) int {
	if i+1 >= len(code) {
		return i
	}
	switch code[i+1] {
	case '/':
		for i++; i < len(code) && code[i] != '\n'; i++ {
		}
	case '*':
		for i += 2; i < len(code) && !(code[i] == '/' && code[i-1] == '*'); i++ {
		}
	}
	return i
}

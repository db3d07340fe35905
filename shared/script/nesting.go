package script

// Limits of nesting. The parser recurses, with some 5 KB of stack a level, and
// a goroutine that outgrows its stack ends the process; a comma operator costs
// time with the square of how many follow each other. Nobody's code comes near
// these.
const (
	maxBrackets = 1000   // brackets open at once
	maxRun      = 4000   // operators and keywords, without ; , or } between, that may each open a level
	maxDots     = 10_000 // dots, likewise
	maxCommas   = 4000   // commas of one bracket that is no list, without : or ; between
	maxUnread   = 20     // times as many, where texts count as code
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
	n := nesting{open: []level{{kind: '{'}}}
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case '\\':
			i++
		case '"', '\'', '`':
			if n.run++; texts {
				i = pastText(code, i)
			}
		case '/':
			if texts {
				i = pastComment(code, i)
			}
		case 'n', 't', 'd', 'e', 'f', 'o', 'w': // ends of new, await, void, typeof, delete, else, if, yield, do, throw
			if i+1 < len(code) && !letter(code[i+1]) && keyword(code, i) {
				n.run++
				n.elses++
			}
		default:
			n.punctuation(c)
		}
		if len(n.open) > maxBrackets*times || n.run > maxRun*times || n.elses > maxRun*times || n.dots > maxDots*times || n.commas > maxCommas*times {
			return i
		}
	}
	return -1
}

// nesting is what a scan has seen.
type nesting struct {
	open                     []level // brackets, innermost last; the first stands for the file
	run, elses, dots, commas int
}

// level is an open bracket and the commas in it.
type level struct {
	kind   byte
	commas int
}

func (n *nesting) punctuation(c byte) {
	top := &n.open[len(n.open)-1]
	switch c {
	case '(', '[', '{':
		n.open = append(n.open, level{kind: c})
		n.run++
	case ')', ']', '}':
		if len(n.open) > 1 {
			n.open = n.open[:len(n.open)-1]
		}
		if c == '}' {
			n.run, n.dots = 0, 0
		}
	case ';':
		top.commas, n.run, n.elses, n.dots = 0, 0, 0, 0
	case ',':
		n.run, n.elses, n.dots = 0, 0, 0
		if top.kind != '[' {
			top.commas++
			n.commas = top.commas
		}
	case ':':
		n.run++
		if top.kind == '{' {
			top.commas = 0 // a member of an object
		}
	case '.':
		n.dots++
	case '!', '~', '-', '+', '=', '?', '*':
		n.run++
	}
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

package lookup

import (
	"regexp"
	"strings"

	"weir/shared/workspace/profiles"
)

// around is what domains are written without, one after the other.
var around = []*regexp.Regexp{regexp.MustCompile(`^https?://`), regexp.MustCompile(`[/:?#].*$`), regexp.MustCompile(`^(.*@)?(www[.])?`)}

// clean writes a value as identity does in the warehouse.
func clean(t profiles.Identifier, value string) string {
	switch t.Clean {
	case "email", "text":
		return strings.ToLower(strings.Trim(value, " "))
	case "domain":
		value = strings.ToLower(strings.Trim(value, " "))
		for _, part := range around {
			value = part.ReplaceAllString(value, "")
		}
		return value
	case "phone":
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, value)
		switch {
		case strings.HasPrefix(strings.Trim(value, " "), "+"):
			return "+" + digits
		case strings.HasPrefix(digits, "00"):
			return "+" + digits[2:]
		case t.Country != "" && strings.HasPrefix(digits, "0"):
			return "+" + t.Country + digits[1:]
		}
		return digits
	}
	return strings.Trim(value, " ")
}

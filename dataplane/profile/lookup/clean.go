package lookup

import (
	"regexp"
	"strings"

	"weir/shared/workspace/profiles"
)

// around is what domains are written without.
var around = regexp.MustCompile(`^.*@|^https?://|^www[.]|/.*$`)

// clean writes a value as identity does in the warehouse.
func clean(t profiles.Identifier, value string) string {
	switch t.Clean {
	case "email", "text":
		return strings.ToLower(strings.Trim(value, " "))
	case "domain":
		return around.ReplaceAllString(strings.ToLower(strings.Trim(value, " ")), "")
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

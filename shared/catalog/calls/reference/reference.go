// Package reference reads the text of references to events: where one ends, what its
// alternatives are, and the names on its way.
package reference

import "strings"

// Roots are the members at the top of an event that a path may begin with; others are
// reached by $event.
var Roots = []string{"type", "event", "name", "category", "userId", "anonymousId", "previousId", "groupId", "messageId", "timestamp", "originalTimestamp", "sentAt", "request_ip",
	"receivedAt", "properties", "traits", "context", "integrations", "channel", "version", "objects", "rowId", "recordId", "projectId",
	"action", "mode", "object", "key", "identifiers", "fields", "changed"}

var (
	// Computed are the paths that begin with $, and whether a path goes on behind them.
	Computed = map[string]bool{"$user": false, "$name": false, "$trait": true, "$email": false, "$address": false, "$time": false, "$received": false, "$now": false, "$products": false, "$event": true}
	// OfEach are those of elements.
	OfEach = []string{"$index", "$position", "$key"}
)

// Closing is where the reference that begins at i ends; braces in quotes do not count.
func Closing(text string, i int) int {
	quote := false
	for ; i < len(text); i++ {
		switch {
		case text[i] == '\'':
			quote = !quote
		case text[i] == '}' && !quote:
			return i
		}
	}
	return -1
}

// Guarded hides | in quotes, as a zero byte.
func Guarded(text string) string {
	if !strings.Contains(text, "'") {
		return text
	}
	out, quote := []byte(text), false
	for i, c := range out {
		if c == '\'' {
			quote = !quote
		} else if c == '|' && quote {
			out[i] = 0
		}
	}
	return string(out)
}

// Split cuts a path at its dots; \. is a dot within a name.
func Split(text string) []string {
	path := strings.Split(strings.ReplaceAll(text, `\.`, "\x00"), ".")
	for i := range path {
		path[i] = strings.ReplaceAll(path[i], "\x00", ".")
	}
	return path
}

// All cuts each of some paths.
func All(texts []string) (paths [][]string) {
	for _, text := range texts {
		paths = append(paths, Split(text))
	}
	return paths
}

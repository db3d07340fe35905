package destinationtest

import (
	"fmt"
	"slices"
	"sync"
)

// mistakes are what a check found wrong, each once. It is safe for concurrent use.
type mistakes struct {
	mu    sync.Mutex
	keys  []any
	found []string
}

// add adds a mistake.
func (m *mistakes) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	m.once(text, "%s", text)
}

// once adds a mistake unless there is one with this key.
func (m *mistakes) once(key any, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.keys, key) {
		m.keys = append(m.keys, key)
		m.found = append(m.found, fmt.Sprintf(format, args...))
	}
}

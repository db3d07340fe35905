package policy

import "testing"

// Table is the data of the rules, for their own tests.
func Table(t *testing.T) map[string]any {
	t.Helper()
	actions, err := readActions()
	if err != nil {
		t.Fatal(err)
	}
	return table(actions)
}

package draft

import (
	"testing"

	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// TestEveryKindWithIdentifiersGetsThem makes an identifier for each kind that has some.
func TestEveryKindWithIdentifiersGetsThem(t *testing.T) {
	t.Parallel()
	for _, k := range document.Kinds() {
		own, ok := listOf(&workspace.Config{}, k).Type().Elem().FieldByName("ID")
		if ok && newID(own.Type) == "" {
			t.Errorf("%s gets no identifier", k.Name)
		}
	}
}

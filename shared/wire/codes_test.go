package wire_test

import (
	"slices"
	"testing"

	"weir/shared/catalog"
	"weir/shared/wire"
	"weir/shared/workspace"
)

func TestEveryCodeOfAConfigurationCheckIsDeclared(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(catalog.Codes(), workspace.Codes()) {
		if !wire.Code(c).Known() {
			t.Errorf("code %s of the configuration check is not declared in wire", c)
		}
	}
	for _, c := range []wire.Code{"", "rejected_500", "Jane", "rejected_"} {
		if c.Known() {
			t.Errorf("code %q is declared", c)
		}
	}
}

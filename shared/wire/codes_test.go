package wire_test

import (
	"slices"
	"testing"

	"weir/shared/catalog"
	"weir/shared/wire"
	"weir/shared/workspace"
)

func TestCodesOfAKindAreDeclaredByItsSpec(t *testing.T) {
	t.Parallel()
	with := wire.CodesOf([]catalog.Spec{{Name: "hook", Codes: []catalog.Code{{Name: "hook_list_full", Doc: "the list is full"}}}})
	if !slices.Contains(with, "hook_list_full") || !slices.IsSorted(with) || len(with) != len(wire.CodesOf(nil))+1 {
		t.Errorf("the code of the spec is not among %v", with)
	}
	if wire.Code("hook_list_full").Known() {
		t.Error("a code is known that no spec of this build declares")
	}
}

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

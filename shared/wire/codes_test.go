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

func TestCodesOfAnOwnSpecGoUpByTheirPlaces(t *testing.T) {
	t.Parallel()
	for _, i := range []int{0, 9, 99} {
		c := wire.Code("crm_full").Placed(i)
		if got, ok := c.Own(); !ok || got != i || !c.Known() {
			t.Errorf("place %d goes up as %s, which is place %d", i, c, got)
		}
	}
	for _, i := range []int{-1, 100} {
		if c := wire.Code("crm_full").Placed(i); c != wire.Undeclared {
			t.Errorf("place %d goes up as %s", i, c)
		}
	}
	if c := wire.Code("expired").Placed(3); c != "expired" {
		t.Errorf("a code of all goes up as %s", c)
	}
	for _, c := range []wire.Code{"custom_code_0", "custom_code_101", "custom_code_x", "custom_code_", "crm_full", ""} {
		if i, ok := c.Own(); ok {
			t.Errorf("%s stands for place %d", c, i)
		}
	}
}

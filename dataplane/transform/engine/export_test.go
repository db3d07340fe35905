package engine

import (
	"fmt"

	"modernc.org/quickjs"

	"weir/dataplane/transform/heap"
)

// Written returns what direct and JSON.stringify write of an expression. known
// is false when direct does not know the engine at all, plain when it leaves the
// value to JSON.stringify.
func Written(code string) (direct, slow string, plain, known bool, err error) {
	h, err := heap.New()
	if err != nil {
		return "", "", false, false, err
	}
	defer h.Close()
	vm := h.VM
	d := newDirect(vm, 1<<20)
	if d == nil {
		return "", "", false, false, nil
	}
	v, err := vm.EvalValue(code, quickjs.EvalGlobal)
	if err != nil {
		return "", "", false, true, fmt.Errorf("%s: %w", code, err)
	}
	defer v.Free()
	out, plain := d.json(nil, &v)
	if !plain {
		return "", "", false, true, nil
	}
	f, err := vm.EvalValue("v => JSON.stringify(v)", quickjs.EvalGlobal)
	if err != nil {
		return "", "", false, true, err
	}
	defer f.Free()
	said, err := f.Call(quickjs.UndefinedValue, v)
	slow, _ = said.(string)
	return string(out), slow, plain, true, err
}

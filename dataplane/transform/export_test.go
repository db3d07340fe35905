package transform

import (
	"fmt"

	"modernc.org/quickjs"
)

// Restore is restorer.restore.
func Restore(sent, got string) (string, bool) {
	var r restorer
	out, ok := r.restore(nil, []byte(sent), []byte(got))
	return string(out), ok
}

// Written returns what direct and JSON.stringify write of an expression. known
// is false when direct does not know the engine at all, plain when it leaves the
// value to JSON.stringify.
func Written(code string) (direct, slow string, plain, known bool, err error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return "", "", false, false, err
	}
	defer func() { _ = vm.Close() }()
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

// ThroughFrames reads a frame's body as everything that it may be. It must not
// panic; what can be read comes back the same.
func ThroughFrames(body []byte) error {
	if q, err := readRequest(body); err == nil {
		again, err := readRequest(q.frame().b[5:])
		if err != nil || fmt.Sprint(again) != fmt.Sprint(q) {
			return fmt.Errorf("a request became %v, %v", again, err)
		}
	}
	if p, err := readResponse(body, 100, 3, 100); err == nil {
		again, err := readResponse(p.frame().b[5:], 100, 3, 100)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(p) {
			return fmt.Errorf("a response became %v, %v", again, err)
		}
	}
	_, _ = readLimits(body)
	_, _, _ = readDefine(body)
	return nil
}

// Frames are bodies of real frames.
func Frames() [][]byte {
	q := request{chain: "k", single: true, about: Meta{Workspace: "ws"}, events: [][]byte{[]byte(`{}`)}, ids: []string{"m"}}
	p := response{done: 2, read: true, outs: []output{{from: 0, same: true}, {from: 0, json: []byte(`{"a":1}`)}},
		ends: []ending{{from: 1, step: 2, problem: problem{CodeFailed, "text", "stack"}}}, remarks: []remark{{-1, "info", "x"}}}
	l := limits{1, 2, 3, 4}
	return [][]byte{q.frame().b[5:], p.frame().b[5:], l.frame().b[5:], defineFrame("k", nil).b[5:]}
}

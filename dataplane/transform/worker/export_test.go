package worker

import (
	"fmt"

	"weir/dataplane/transform/engine"
)

// ThroughFrames reads a frame's body as everything that it may be. It must not
// panic; what can be read comes back the same.
func ThroughFrames(body []byte) error {
	if chain, q, err := readRequest(body); err == nil {
		key, again, err := readRequest(q.frame(chain).b[5:])
		if err != nil || key != chain || fmt.Sprint(again) != fmt.Sprint(q) {
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
	q := Request{Single: true, Meta: engine.Meta{Workspace: "ws"}, Events: [][]byte{[]byte(`{}`)}, IDs: []string{"m"}}
	p := Response{Done: 2, Read: true, Outs: []Output{{From: 0, Same: true}, {From: 0, JSON: []byte(`{"a":1}`)}},
		Ends: []Ending{{From: 1, Step: 2, Problem: engine.Problem{Code: engine.CodeFailed, Text: "text", Stack: "stack"}}}, Logs: []Log{{-1, "info", "x"}}}
	l := engine.Limits{Memory: 1, Timeout: 2, MaxOutputs: 3, MaxBytes: 4}
	return [][]byte{q.frame("k").b[5:], p.frame().b[5:], helloFrame(l).b[5:], defineFrame("k", nil).b[5:]}
}

package engine_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"weir/dataplane/transform/engine"
	"weir/shared/script"
)

// casesCode makes expressions at random.
//
//go:embed testdata/intl.js
var casesCode string

// TestLocaleFunctionsGiveNodesValuesOrRefuse: other values than V8's never come.
func TestLocaleFunctionsGiveNodesValuesOrRefuse(t *testing.T) {
	t.Parallel()
	const n = 4000
	const seed = 2026 // one that does not change: Node's version may know of a case that is not known here
	node := exec.Command("node", "-")
	node.Env = append(node.Environ(), "TZ=UTC", "LANG=en_US.UTF-8", "LC_ALL=en_US.UTF-8")
	node.Stdin = strings.NewReader(casesCode + fmt.Sprintf("console.log(JSON.stringify(cases(%d, %d)))", seed, n))
	text, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	l := limits
	l.MaxBytes = 8 << 20
	e, err := engine.New(l, func() {})
	if err != nil {
		t.Fatal(err)
	}
	m, err := e.Machine(script.Step{Code: casesCode + "exports.transformEvent = e => ({ cases: cases(e.seed, e.n) })"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	a := run(t, m, fmt.Sprintf(`{"messageId":"m","seed":%d,"n":%d}`, seed, n))
	var want [][2]json.RawMessage
	var got struct{ Cases [][2]json.RawMessage }
	if len(a.Outputs) != 1 || json.Unmarshal([]byte(a.Outputs[0].JSON), &got) != nil || json.Unmarshal(text, &want) != nil || len(got.Cases) != n || len(want) != n {
		t.Fatalf("%.2000v", a)
	}
	refused, wrong := 0, 0
	for i, c := range got.Cases {
		var mine, nodes struct {
			Error   string
			Refused bool
		}
		_, _ = json.Unmarshal(c[1], &mine), json.Unmarshal(want[i][1], &nodes)
		switch {
		case mine.Refused && mine.Error == "RangeError":
			refused++
		case string(c[1]) == string(want[i][1]), mine.Error != "" && nodes.Error != "":
		default:
			if wrong++; wrong < 20 {
				t.Errorf("seed %d: %s\n is %s\nnot %s", seed, c[0], c[1], want[i][1])
			}
		}
	}
	t.Logf("%d of %d refused, %d wrong", refused, n, wrong)
	if refused > n*3/4 {
		t.Errorf("%d of %d are refused", refused, n)
	}
}

package heap_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"modernc.org/quickjs"

	"weir/dataplane/transform/heap"
)

func eval(t *testing.T, h *heap.Heap, code string) any {
	t.Helper()
	v, err := h.VM.Eval(code, quickjs.EvalGlobal)
	if err != nil {
		t.Fatalf("%s: %v", code, err)
	}
	return v
}

func made(t *testing.T) *heap.Heap {
	t.Helper()
	h, err := heap.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// TestRestoreForgets allocates blocks of all sizes at random, lets go of some and
// of what was saved, and finds the saved state again each time.
func TestRestoreForgets(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	h := made(t)
	eval(t, h, `var n = 1, big = "x".repeat(300000), list = Array.from({length: 5000}, (_, i) => ({ i })), f = () => n++; 0`)
	h.Save()
	const sum = `[n, big.length, list.length, list.reduce((s, o) => s + o.i, 0), typeof left, typeof kept].join()`
	want := eval(t, h, sum)
	h.Restore()
	for round := range 40 {
		for range r.IntN(20) {
			size := 1 << r.IntN(21)
			eval(t, h, []string{
				fmt.Sprintf(`var left = (globalThis.left ?? []); left.push(new Uint8Array(%d).fill(7)); 0`, size),
				fmt.Sprintf(`var kept = "é".repeat(%d).toUpperCase(); 0`, size), `big = null; 0`, `list.length = 10; 0`, `list = list.concat(list.slice(0, 5000)); 0`, `f(); 0`,
				`for (const o of list) o.x = o.i; 0`, `left = undefined; 0`, `big += "y"; big = big.slice(1).toUpperCase(); 0`,
			}[r.IntN(9)])
		}
		h.Restore()
		if got := eval(t, h, sum); got != want {
			t.Fatalf("seed %d, round %d: %v, want %v", seed, round, got, want)
		}
		h.Restore()
	}
}

// TestSaveAgainKeepsTheNewState: what was changed on purpose stays.
func TestSaveAgainKeepsTheNewState(t *testing.T) {
	t.Parallel()
	h := made(t)
	for i := range 5 {
		eval(t, h, fmt.Sprintf(`var n = %d, text = "x".repeat(%d); 0`, i, 1<<(14+i)))
		h.Save()
		eval(t, h, `n = text = null; 0`)
		h.Restore()
		if got := eval(t, h, `n + ":" + text.length`); got != fmt.Sprintf("%d:%d", i, 1<<(14+i)) {
			t.Errorf("save %d: %v", i, got)
		}
	}
}

// TestTheLimitOfMemoryHolds: what is let go of counts no more, and a limit met
// leaves a heap that can be put back.
func TestTheLimitOfMemoryHolds(t *testing.T) {
	t.Parallel()
	h := made(t)
	h.VM.SetMemoryLimit(8 << 20)
	h.Save()
	for _, code := range []string{`const a = []; for (;;) a.push(new Uint8Array(1 << 16))`, `const a = []; for (;;) a.push({ a })`, `let s = "x"; for (;;) s = (s + s).toUpperCase()`, `new ArrayBuffer(2 ** 40)`, `"x".repeat(2 ** 29).toUpperCase()`} {
		if _, err := h.VM.Eval(code, quickjs.EvalGlobal); err == nil || !strings.Contains(err.Error(), "out of memory") && !strings.Contains(err.Error(), "invalid") && err.Error() != "null" {
			t.Errorf("%s: %v, want out of memory", code, err)
		}
		h.Restore()
		if got := eval(t, h, `let total = 0; for (let i = 0; i < 64; i++) total += new Uint8Array(1 << 20).length; total`); got != 64<<20 {
			t.Errorf("after %s: %v", code, got)
		}
		h.Restore()
	}
}

// TestHeapsKnowNothingOfEachOther makes some at once.
func TestHeapsKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			h := made(t)
			eval(t, h, fmt.Sprintf("var mine = %d; 0", i))
			h.Save()
			for range 20 {
				eval(t, h, `mine += Array.from({ length: 1000 }, () => ({})).length; 0`)
				h.Restore()
			}
			if got := eval(t, h, "mine"); got != i {
				t.Errorf("%v, want %d", got, i)
			}
		})
	}
}

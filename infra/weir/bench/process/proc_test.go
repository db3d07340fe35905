package process

import (
	"os"
	"testing"
)

func TestTheTreeHoldsThisProcessWithMemory(t *testing.T) {
	t.Parallel()
	all, err := tree(os.Getpid())
	if err != nil || all[0].pid != os.Getpid() {
		t.Fatalf("tree: %v %v", all, err)
	}
	if m, err := Memory(os.Getpid()); err != nil || m < 1<<20 {
		t.Errorf("memory: %d %v, want a MiB at least", m, err)
	}
}

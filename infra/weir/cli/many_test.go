package cli_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/shared/command"
)

// fleet is a file with n small workspaces; key is the write key of each.
func fleet(n int, key func(i int) string) string {
	var b strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&b, "workspace: w%02[1]d\nregion: eu\nsources:\n  - { name: of %[2]s, type: http, writeKey: %[2]s }\n---\n", i, key(i))
	}
	return b.String()
}

func TestManyWorkspacesAreShownInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	const n = 60
	f := newFake(t)
	s := newShell(t, f)
	out := s.must("apply", "-f", s.file("weir.yaml", fleet(n, func(i int) string { return fmt.Sprintf("wk-%d", i) })))
	var changed, applied []string
	for line := range strings.SplitSeq(out, "\n") {
		if rest, ok := strings.CutPrefix(line, "workspace "); ok {
			if name, _, settled := strings.Cut(rest, ": revision 1 applied"); settled {
				applied = append(applied, name)
			} else {
				changed = append(changed, strings.Fields(rest)[0])
			}
		}
	}
	for what, names := range map[string][]string{"changes": changed, "what was applied": applied} {
		if len(names) != n || !slices.IsSorted(names) {
			t.Errorf("%s: %v, want %d workspaces in the order of the file", what, names, n)
		}
	}
	if len(f.workspaces) != n {
		t.Errorf("%d workspaces were made, want %d", len(f.workspaces), n)
	}
}

func TestAWriteKeyMovesBetweenWorkspacesOfAFile(t *testing.T) {
	t.Parallel()
	const n = 30
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", fleet(n, func(i int) string { return fmt.Sprintf("wk-%d", i) })))
	f.calls = nil
	// Each takes the key of the one before it, which has to have given it up.
	s.must("apply", "-f", s.file("weir.yaml", fleet(n, func(i int) string { return fmt.Sprintf("wk-%d", (i+n-1)%n) })), "--no-wait")
	var puts []string
	for _, c := range f.calls {
		if strings.HasPrefix(c, "PUT ") {
			puts = append(puts, c)
		}
	}
	if len(puts) != n || !slices.IsSorted(puts) {
		t.Errorf("commits came as %v, want in the order of the file", puts)
	}
}

func TestOfManyWorkspacesTheOneThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	const n = 40
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", fleet(n, func(i int) string { return fmt.Sprintf("wk-%d", i) })))
	f.race = func() { f.workspaces["w07"].Number++ }
	file := s.file("weir.yaml", fleet(n, func(i int) string { return fmt.Sprintf("wk-new-%d", i) }))
	s.fails(command.ExitFailed, []string{"apply workspace w07: ", "Somebody changed workspace w07 meanwhile", fmt.Sprintf("of %d workspaces are as the file says", n)}, "apply", "-f", file)
	if f.workspaces["w06"].Number != 2 {
		t.Errorf("w06, which comes before, is at revision %d, want 2", f.workspaces["w06"].Number)
	}
}

// TestAnAnswerThatIsLostEndsNoApplyOfMany has the answers to two commits be lost: of one
// that was made, and of one that was not.
func TestAnAnswerThatIsLostEndsNoApplyOfMany(t *testing.T) {
	t.Parallel()
	const n = 10
	f := newFake(t)
	s := newShell(t, f)
	for number := range 2 {
		f.mu.Lock()
		f.lost = map[string]bool{"w03": true, "w05": false}
		f.mu.Unlock()
		s.must("apply", "-f", s.file("weir.yaml", fleet(n, func(i int) string { return fmt.Sprintf("wk-%d-%d", number, i) })))
		for name, ws := range f.workspaces {
			if ws.Number != uint64(number+1) {
				t.Errorf("%s is at revision %d, want %d", name, ws.Number, number+1)
			}
		}
	}
}

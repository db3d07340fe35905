package load_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/load/history"
	"weir/shared/id"
)

// TestTheNextLoadIsStagedWhileOneIsMerged: at once where there was more than one load
// takes, else when the next load is due.
func TestTheNextLoadIsStagedWhileOneIsMerged(t *testing.T) {
	t.Parallel()
	for _, full := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			l := &lake{fail: func(_ context.Context, attempt int) error {
				if attempt == 1 {
					time.Sleep(10 * time.Second)
				}
				return nil
			}}
			p := newPlane(t, 2, map[id.Destination]*lake{"lake": l})
			if p.stage(0, "lake", "1", "2"); full {
				p.c.MaxEvents = 2
				p.stage(1, "lake", "3", "4")
			}
			there := func() bool {
				_, err := os.Stat(filepath.Join(p.c.Dir, "lake", "next.json"))
				return err == nil
			}
			e := p.engine()
			p.run(e, func() {
				pass(time.Second)
				if x := e.Loads("lake"); len(x) != 1 || x[0].State != history.Merging || there() != full {
					t.Errorf("full %v: %+v, the next one is staged: %v", full, x, there())
				}
				if !full {
					p.stage(1, "lake", "3", "4")
				}
				pass(5 * time.Second)
				if !there() {
					t.Errorf("full %v: the next load is due and not staged", full)
				}
				pass(5 * time.Second)
				if got := l.sorted(); got != "1,2,3,4" || there() {
					t.Errorf("full %v: loaded %s, a further load is staged: %v", full, got, there())
				}
				pass(10 * time.Second)
			})
			p.empty()
		})
	}
}

package load_test

import (
	"testing"
	"testing/synctest"
	"time"

	"weir/shared/fault"
	"weir/shared/id"
)

// TestNothingIsLoadedWhilePaused, also not in the next life of the process, nor when
// somebody asks for it; the other warehouse goes on.
func TestNothingIsLoadedWhilePaused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lakes := map[id.Destination]*lake{"lake": {}, "other": {}}
		p := newPlane(t, 1, lakes)
		p.stage(0, "lake", "1")
		e := p.engine()
		p.run(e, func() {
			pass(time.Second)
			for range 2 {
				if err := e.Pause("lake", true); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
			}
			p.stage(0, "lake", "2")
			p.stage(0, "other", "3")
			pass(time.Minute)
			if got, since := lakes["lake"].sorted(), e.Paused("lake"); got != "1" || time.Since(since) != 62*time.Second {
				t.Errorf("loaded %s, paused since %v", got, since)
			}
			if got := lakes["other"].sorted(); got != "3" || !e.Paused("other").IsZero() {
				t.Errorf("the other has %s", got)
			}
			if err := e.Hasten("lake"); fault.KindOf(err) != fault.Conflict {
				t.Errorf("a load while paused: %v", err)
			}
		})
		e = p.engine()
		p.run(e, func() {
			pass(time.Minute)
			if got := lakes["lake"].sorted(); got != "1" {
				t.Errorf("after a restart loaded %s", got)
			}
			if err := e.Pause("stranger", true); fault.KindOf(err) != fault.Missing {
				t.Errorf("pause what is not there: %v", err)
			}
			if err := e.Pause("lake", false); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
			if got := lakes["lake"].sorted(); got != "1,2" || !e.Paused("lake").IsZero() {
				t.Errorf("after it was resumed loaded %s, paused since %v", got, e.Paused("lake"))
			}
		})
		p.empty()
	})
}

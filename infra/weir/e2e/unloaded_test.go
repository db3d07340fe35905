package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAWorkspaceThatCannotBeLoadedHurtsNobody: the plane dies with events of two
// tenants on their way, and starts again with a guard that forbids what one of them
// has. The other's events go on, status names the one, whose senders are asked to
// wait and not told that their write key is wrong. When the guard allows it again,
// everything that was accepted arrives, in order.
func TestAWorkspaceThatCannotBeLoadedHurtsNobody(t *testing.T) {
	t.Parallel()
	good, evil := newSink(t), newSink(t)
	free := make(chan struct{})
	evil.set(hangs(free)) // so that its events are on their way when the plane dies
	config := hookConfig("good", "eu", "wk_good", map[string]string{"hook": good.URL}) + "---\n" +
		hookConfig("evil", "eu", "wk_evil", map[string]string{"hook": evil.URL}) + "---\n"
	config = strings.Replace(config, fmt.Sprintf("url: %q } }\n", evil.URL), fmt.Sprintf("url: %q } }\n  - { name: lake, type: duckdb, settings: { path: lake } }\n", evil.URL), 1)
	dir, flags := t.TempDir(), addresses(t)
	p, in := dev(t, dir, config, flags...)
	gateway := func() string { return in.Gateway }
	toGood, toEvil := startLoad(gateway, "wk_good", 4, 10*time.Millisecond), startLoad(gateway, "wk_evil", 4, 10*time.Millisecond)
	until(t, "load of both", func() bool { return toGood.sent.Load() > 300 && toEvil.sent.Load() > 300 })
	p.kill()

	rules := filepath.Join(in.Dir, "planes", "eu", "guard.yaml")
	write(t, rules, "destinations: { types: [webhook] }\n")
	p, in = dev(t, dir, "", flags...)
	until(t, "a status that names the workspace", func() bool {
		return strings.Contains(run(t, 0, "", "status", "--data-dir", in.Dir), "workspace_unloaded ×1 (evil)")
	})
	if code, answer := post(in.Gateway, "/v1/track", "wk_evil", `{"userId":"u","event":"E"}`); code != http.StatusServiceUnavailable || !strings.Contains(answer, "workspace_unloaded") {
		t.Errorf("a sender of the workspace that is not loaded: %d %s, want 503", code, answer)
	}
	sent, arrived := toGood.sent.Load(), len(good.ids())
	until(t, "the neighbour's events go on", func() bool { return toGood.sent.Load() > sent+300 && len(good.ids()) > arrived+300 })
	if n := len(evil.ids()); n > 0 {
		t.Errorf("%d events arrived at a destination that is not loaded", n)
	}
	p.stop()

	if err := os.Remove(rules); err != nil {
		t.Fatal(err)
	}
	close(free)
	_, in = dev(t, dir, "", flags...)
	accepted := toEvil.sent.Load()
	until(t, "it is taken again", func() bool { return toEvil.sent.Load() > accepted+50 })
	toGood.stop()
	toEvil.stop()
	toGood.arrived(t, good)
	toEvil.arrived(t, evil)
	until(t, "the books balance", func() bool {
		for _, b := range ledger(t, in) {
			if !b.Balanced || b.Waiting != 0 || b.InFlight != 0 || b.Parked != 0 {
				return false
			}
		}
		return !strings.Contains(run(t, 0, "", "status", "--data-dir", in.Dir), "workspace_unloaded")
	})
}

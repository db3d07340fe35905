package e2e_test

import (
	"fmt"
	"path/filepath"
	"testing"
)

// filtered is hookConfig with rules on the connection to hook.
func filtered(url, filter string) string {
	return fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
destinations:
  - { name: hook, type: webhook, settings: { url: %q } }
  - { name: copy, type: webhook, settings: { url: %q } }
connections:
  - source: web
    destination: hook
    events: { allow: ["Order *", "type:identify"], deny: [Order Refunded] }
    filter: %s
    consent: { categories: [ads] }
  - { source: web, destination: copy }
`, url+"/hook", url+"/copy", filter)
}

// TestAFilteredConnectionTakesWhatItsRulesSay: by name, by consent and by an expression;
// the books say what became of the others, and what an expression had no answer for is
// sent when it has one.
func TestAFilteredConnectionTakesWhatItsRulesSay(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	dir := t.TempDir()
	_, in := dev(t, dir, filtered(hook.URL, `event.type == "identify" || event.properties.revenue > 10`))
	accept(t, in.Gateway, "/v1/batch", "wk_web", `{"batch":[
		{"type":"track","userId":"u","event":"Order Completed","messageId":"taken","properties":{"revenue":11}},
		{"type":"identify","userId":"u","messageId":"identify"},
		{"type":"track","userId":"u","event":"Order Completed","messageId":"cheap","properties":{"revenue":9}},
		{"type":"track","userId":"u","event":"Order Refunded","messageId":"denied","properties":{"revenue":11}},
		{"type":"track","userId":"u","event":"Signed Up","messageId":"other"},
		{"type":"track","userId":"u","event":"Order Completed","messageId":"refused","properties":{"revenue":11},"context":{"consent":{"categoryPreferences":{"ads":false}}}},
		{"type":"track","userId":"u","event":"Order Cancelled","messageId":"unknown","properties":{"revenue":"much"}}]}`)
	until(t, "the books have all", func() bool {
		b := bookOf(t, in, "web", "hook")
		return b.Routed == 7 && b.Delivered == 2 && b.Dropped["event_filtered"] == 3 && b.Dropped["consent_missing"] == 1 && b.Quarantined == 1 && b.InFlight == 0
	})
	until(t, "all at the other one", func() bool { return bookOf(t, in, "web", "copy").Delivered == 7 })
	if n := hook.ids(); n["taken"] != 2 || n["identify"] != 2 || n["cheap"]+n["denied"]+n["other"]+n["refused"]+n["unknown"] != 5 {
		t.Errorf("arrived: %v", n)
	}
	file := filepath.Join(dir, "mended.yaml")
	write(t, file, filtered(hook.URL, `event.?properties.revenue.orValue(0) == "much"`))
	run(t, 0, "", "apply", "-f", file, "--data-dir", in.Dir)
	run(t, 0, "", "replay", "--code", "filter_failed", "--data-dir", in.Dir)
	until(t, "it is delivered", func() bool { return bookOf(t, in, "web", "hook").Delivered == 3 })
	if n := hook.ids(); n["unknown"] != 2 {
		t.Errorf("arrived after the replay: %v", n)
	}
	for _, b := range ledger(t, in) {
		if !b.Balanced || b.InFlight != 0 {
			t.Errorf("book %+v does not balance", b)
		}
	}
}

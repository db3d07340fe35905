package e2e_test

import (
	"os/exec"
	"testing"
)

// TestARetryAfterAKillDeliversOnce kills the process after it took an SDK's first
// request and before the SDK heard so; the SDK's retry meets the restarted process.
func TestARetryAfterAKillDeliversOnce(t *testing.T) {
	t.Parallel()
	for _, sdk := range []string{"@segment/analytics-node", "analytics-node", "@rudderstack/rudder-sdk-node"} {
		t.Run(sdk, func(t *testing.T) {
			t.Parallel()
			r := &sdkRun{name: sdk, source: "web", hook: newSink(t), burst: 20, calls: 32}
			dir, config := t.TempDir(), sdkConfig([]*sdkRun{r})
			ports := addresses(t)
			p, in := dev(t, dir, config, ports...)
			killed := make(chan struct{})
			restart := make(chan struct{})
			r.proxy = newLossy(t, in.Gateway, func(n int) bool {
				if n == 0 {
					p.kill()
					close(killed)
					<-restart
				}
				return n == 0
			})
			sender := startCommand(t, exec.Command("node", "server.cjs", sdk, r.proxy.URL, "wk_web", "20", "0"))
			<-killed
			_, in = dev(t, dir, config, ports...)
			close(restart)
			<-sender.done
			if sender.err != nil {
				t.Fatalf("%s: %v", sender.name, sender.err)
			}
			until(t, "every call at the webhook", func() bool { return len(r.hook.ids()) >= r.calls })
			until(t, "a balanced book with the repetitions as duplicates", func() bool {
				b := bookOf(t, in, "web", "to-web")
				return b.Balanced && b.InFlight == 0 && b.Waiting == 0 && b.Duplicate > 0 && b.Accepted-b.Duplicate == int64(r.calls)
			})
		})
	}
}

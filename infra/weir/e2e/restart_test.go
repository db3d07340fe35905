package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestDevStartedAgainChangesNothing starts `weir dev` twice on one data directory:
// what the user made in between, the revision, the login and the token stay, and
// events in flight are delivered.
func TestDevStartedAgainChangesNothing(t *testing.T) {
	t.Parallel()
	dir, hook := t.TempDir(), newSink(t)
	free := make(chan struct{})
	hook.set(hangs(free))
	p, in := dev(t, dir, "")
	config := run(t, 0, "", "export", "--data-dir", in.Dir)
	config = strings.Replace(config, "destinations:\n", "destinations:\n  - { name: mine, type: webhook, settings: { url: \""+hook.URL+"\" } }\n", 1)
	config = strings.Replace(config, "connections:\n", "connections:\n  - { source: web, destination: mine }\n", 1)
	file := filepath.Join(dir, "mine.yaml")
	write(t, file, config)
	run(t, 0, "", "apply", "-f", file, "--data-dir", in.Dir)
	accept(t, in.Gateway, "/v1/track", in.WriteKey, `{"userId":"ada","event":"Before","messageId":"before"}`)
	p.line(`first event delivered.*Before`)
	before, made := numbers(t, in), run(t, 0, "", "export", "--data-dir", in.Dir)
	p.stop()

	p, again := dev(t, dir, "")
	if again.Password != in.Password || again.Token != in.Token || again.Email != in.Email || again.WriteKey != in.WriteKey {
		t.Errorf("login, token or write key changed from %+v to %+v", in, again)
	}
	if after := numbers(t, again); after != before {
		t.Errorf("revisions %s after the second start, %s before", after, before)
	}
	if now := run(t, 0, "", "export", "--data-dir", again.Dir); now != made {
		t.Errorf("the configuration changed from\n%s\nto\n%s", made, now)
	}
	accept(t, again.Gateway, "/v1/track", again.WriteKey, `{"userId":"ada","event":"After","messageId":"after"}`)
	p.line(`first event delivered.*After`)
	close(free)
	until(t, "both events at the webhook that the user added", func() bool {
		ids := hook.ids()
		return ids["before"] > 0 && ids["after"] > 0
	})
}

// numbers returns the wanted revision of every workspace.
func numbers(t *testing.T, in installation) string {
	t.Helper()
	var s struct {
		Workspaces []struct {
			Name   string
			Number uint64
		}
	}
	if err := json.Unmarshal([]byte(run(t, 0, "", "status", "--output", "json", "--data-dir", in.Dir)), &s); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s.Workspaces)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

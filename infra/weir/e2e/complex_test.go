package e2e_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// neighbours are two workspaces: a good one with a hook, and an evil one with a lake
// and code.
func neighbours(hook, code string) string {
	return fmt.Sprintf(`workspace: good
region: eu
sources: [{ name: web, type: http, writeKey: wk_good }]
destinations: [{ name: hook, type: webhook, settings: { url: %q } }]
connections: [{ source: web, destination: hook }]
---
%s`, hook, evil(code))
}

func evil(code string) string {
	return fmt.Sprintf(`workspace: evil
region: eu
sources: [{ name: web, type: http, writeKey: wk_evil }]
transformations:
  - { name: t, language: javascript, code: %q }
destinations: [{ name: lake, type: duckdb, settings: { path: lake, syncEvery: 5s } }]
connections: [{ source: web, destination: lake, transformations: [t] }]
`, code)
}

// TestHostileInputHarmsItsSenderAlone saves and tries code that no parser survives,
// and asks for what no memory and no patience holds: each gets an answer, and the
// neighbour's events go on meanwhile.
func TestHostileInputHarmsItsSenderAlone(t *testing.T) {
	t.Parallel()
	const plain = "export const transformEvent = e => e"
	dir, hook := t.TempDir(), newSink(t)
	plane, in := dev(t, dir, neighbours(hook.URL, plain))
	accept(t, in.Gateway, "/v1/track", "wk_evil", `{"userId":"u","event":"E","messageId":"e1"}`)
	until(t, "a row in the lake", func() bool {
		out, err := askLake(t, in, "select count(*) as n from tracks")
		return err == nil && strings.Contains(out, `"n":1`)
	})
	sent := 0
	good := func() {
		t.Helper()
		sent++
		accept(t, in.Gateway, "/v1/track", "wk_good", fmt.Sprintf(`{"userId":"u","event":"G","messageId":"g%d"}`, sent))
		until(t, "the good one's event", func() bool { return len(hook.ids()) == sent })
	}
	for name, code := range map[string]string{
		"brackets": strings.Repeat("[", 200_000), "commas": strings.Repeat("1,", 130_000) + "1", "a MiB": strings.Repeat("[", 1<<20),
	} {
		file := filepath.Join(dir, "evil.yaml")
		write(t, file, evil(code))
		write(t, file+".js", code)
		good()
		if name == "commas" {
			// Reading it takes all the processor time that there is: once is enough.
		} else if out := run(t, 1, "", "preview", "transform", "-f", file+".js"); !strings.Contains(out, "The code takes more than") && !strings.Contains(out, "is over 256 KiB") {
			t.Errorf("preview of %s says %.500s", name, out)
		}
		for _, command := range []string{"diff", "apply"} {
			good()
			// Where the code got too little processor time to be judged, it is tried again.
			until(t, command+" refuses "+name, func() bool {
				out := run(t, 1, "", command, "-f", file, "--data-dir", in.Dir)
				if strings.Contains(out, "transformations[0].code") {
					return true
				}
				t.Logf("%s of %s says %.500s", command, name, out)
				return false
			})
		}
	}
	for name, sql := range map[string]string{
		"memory": "select length(string_agg(repeat('x', 1000), ',')) from range(3000000)",
		"a row":  "select repeat('x', 20000000) as x",
	} {
		good()
		if out, err := askLake(t, in, sql); err == nil {
			t.Errorf("%s: the query gives %.500s", name, out)
		}
	}
	// A statement without end is under way when the process is told to stop.
	start(t, "query", "lake", "with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r", "--workspace", "evil", "--data-dir", in.Dir)
	good()
	plane.stop()
}

// askLake asks the evil one's lake.
func askLake(t *testing.T, in installation, sql string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "query", "lake", sql, "--workspace", "evil", "--data-dir", in.Dir).CombinedOutput()
	return string(out), err
}

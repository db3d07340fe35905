package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tap is a Singer tap whose rows and version are in files beside it.
const tap = `#!/bin/sh
here=$(dirname "$0")
case "$*" in *--discover*)
	echo '{"streams":[{"tap_stream_id":"items","stream":"items","key_properties":["id"],"schema":{"properties":{"id":{}}},"metadata":[]}]}'
	exit ;;
esac
echo '{"type":"SCHEMA","stream":"items","key_properties":["id"],"schema":{}}'
read -r version rows < "$here/now"
i=0
while [ $i -lt "$rows" ]; do
	echo '{"type":"RECORD","stream":"items","version":'$version',"record":{"id":'$i',"n":'$version'}}'
	i=$((i+1))
done
echo '{"type":"ACTIVATE_VERSION","stream":"items","version":'$version'}'
`

// TestVersionsOfATapInTwoProcesses runs a tap in a plane of two processes, which begin
// together, so that mostly each has some of its partitions. Rows that a new version of the table
// does not have are deleted in the warehouse, and none that it has.
func TestVersionsOfATapInTwoProcesses(t *testing.T) {
	t.Parallel()
	server, at := acmePostgres(t)
	one := newRoles(t)
	one.events = addressesOf(startEventServers(t))
	one.connectors = filepath.Join(t.TempDir(), "connectors")
	desk := filepath.Join(one.connectors, "desk")
	for _, err := range []error{
		os.MkdirAll(desk, 0o755), os.Chmod(one.connectors, 0o755), os.WriteFile(filepath.Join(desk, "tap"), []byte(tap), 0o755), //nolint:gosec // it is run
		os.WriteFile(filepath.Join(desk, "connector.yaml"), []byte("protocol: singer\ncommand: [./tap]\n"), 0o644),
		os.WriteFile(filepath.Join(desk, "now"), []byte("1 300\n"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	one.start()
	two := one.another()
	one.plane.kill()
	two.beginPlane()
	one.beginPlane()
	two.plane.line(`^ready$`)
	one.plane.line(`^ready$`)
	config := strings.Replace(postgresConfig(t, one.dir, at), "destinations:", `  - { name: desk, type: singer, settings: { connector: desk, config: "{}", streams: { items: "" } }, pull: { every: 1m } }
destinations:`, 1) + "  - { source: desk, destination: lake }\n"
	one.apply(0, config)
	_, port, _ := net.SplitHostPort(at)
	rows := func(what, want string) {
		t.Helper()
		got := ""
		until(t, fmt.Sprintf("%s, %s", what, want), func() bool {
			out, _ := exec.CommandContext(t.Context(), "psql", "-X", "-h", server.Dir(), "-p", port, "-U", "postgres", "-qAt", "-c", // before the first load there is no table
				"select count(*) || ' ' || count(*) filter (where to_jsonb(d)->>'__deleted_at' is null) || ' ' || max(d.n) from weir.desk_items d", "acme").Output()
			got = strings.TrimSpace(string(out))
			return got == want
		})
	}
	rows("rows of the first version", "300 300 1")
	if err := os.WriteFile(filepath.Join(desk, "now"), []byte("2 200\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	until(t, "the next run of the tap", func() bool {
		return exec.CommandContext(t.Context(), binary, "jobs", "kick", "pull/desk/items", "--control", "http://"+one.http, "--token", one.token).Run() == nil
	})
	rows("rows that the second version has", "300 200 2")
}

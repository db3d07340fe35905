package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// silent is a Postgres server that takes sign-ins and answers nothing after them.
type silent struct {
	port   string
	signed atomic.Int64
}

func newSilent(t *testing.T) *silent {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &silent{port: port}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		serving.Wait() // the plane is stopped, so connections end
	})
	return s
}

// serve reads a startup message and says that the server is ready.
func (s *silent) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }() // the peer is gone
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		return
	}
	if _, err := conn.Write([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I")); err != nil {
		return
	}
	s.signed.Add(1)
	_, _ = io.Copy(io.Discard, conn) // until the peer goes
}

// hangingConfig is a workspace evil whose warehouses hang, and its neighbour good.
func hangingConfig(warehouses int, port, password string) string {
	var b strings.Builder
	b.WriteString("workspace: evil\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: wk_evil }\ndestinations:\n")
	for n := range warehouses {
		fmt.Fprintf(&b, `  - name: hangs%d
    type: postgres
    settings: { host: 127.0.0.1, port: %s, database: db, user: weir, sslMode: disable, syncEvery: 5s }
    secrets: { password: { from: file, path: %q } }
`, n, port, password)
	}
	b.WriteString("connections:\n")
	for n := range warehouses {
		fmt.Fprintf(&b, "  - { source: web, destination: hangs%d }\n", n)
	}
	b.WriteString(`---
workspace: good
region: eu
sources:
  - { name: app, type: http, writeKey: wk_good }
destinations:
  - { name: lake, type: duckdb, settings: { path: lake, syncEvery: 5s } }
connections:
  - { source: app, destination: lake }
`)
	return b.String()
}

// TestWarehousesThatHangDelayNobody has ten warehouses of one workspace take
// connections and answer nothing, to loads and to as many queries. A neighbour's rows
// are loaded and read meanwhile, and status says who is slow.
func TestWarehousesThatHangDelayNobody(t *testing.T) {
	t.Parallel()
	const hanging = 10
	server := newSilent(t)
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	write(t, password, "secret")
	_, in := dev(t, dir, hangingConfig(hanging, server.port, password))
	accept(t, in.Gateway, "/v1/track", "wk_evil", `{"userId":"u","event":"E","messageId":"e"}`)
	until(t, "loads that hang", func() bool { return server.signed.Load() >= 4 })

	rows := func() int {
		out, err := exec.CommandContext(t.Context(), binary, "query", "lake", "select count(*) as n from tracks", "--workspace", "good", "--data-dir", in.Dir).Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			if text := string(exit.Stderr); !contains(text, "nothing was loaded") && !contains(text, "does not exist") {
				t.Fatalf("the good one's query: %s", text)
			}
			return 0
		}
		var row struct{ N int }
		if err := errors.Join(err, json.Unmarshal(out, &row)); err != nil {
			t.Fatal(err)
		}
		return row.N
	}
	for n := range 3 {
		accept(t, in.Gateway, "/v1/track", "wk_good", fmt.Sprintf(`{"userId":"u","event":"E","messageId":"g%d"}`, n))
		until(t, fmt.Sprint(n+1, " rows of the good one"), func() bool { return rows() == n+1 })
	}
	status := func(pattern string) func() bool {
		return func() bool {
			return regexp.MustCompile(pattern).MatchString(run(t, 0, "", "status", "--data-dir", in.Dir))
		}
	}
	until(t, "a status that names what is slow", status(`warehouse_slow ×\d+ \(evil/hangs`))

	var queries sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer queries.Wait()
	defer cancel()
	for range hanging {
		cmd := exec.CommandContext(ctx, binary, "query", "hangs0", "select 1", "--workspace", "evil", "--data-dir", in.Dir)
		queries.Go(func() { _ = cmd.Run() }) // it is killed in the end
	}
	before := server.signed.Load()
	until(t, "queries that hang", func() bool { return server.signed.Load() >= before+4 })
	for range 5 {
		if n := rows(); n != 3 {
			t.Errorf("the good one reads %d rows", n)
		}
	}
	until(t, "a status that names whose queries are slow", status(`view_slow ×1 \(evil\)`))
}

// chainsConfig is a workspace evil with chains of code that takes some 20 ms for an
// event, and its neighbour good with light code.
func chainsConfig(chains int, evil, good string) string {
	var code, destinations, connections strings.Builder
	for n := range chains {
		fmt.Fprintf(&code, `  - name: heavy%d
    language: javascript
    code: |
      export function transformEvent(event) { const until = Date.now() + 20; while (Date.now() < until); event.chain = %d; return event; }
`, n, n)
		fmt.Fprintf(&destinations, "  - { name: hook%d, type: webhook, settings: { url: %q } }\n", n, evil)
		fmt.Fprintf(&connections, "  - { source: web, destination: hook%d, transformations: [heavy%d] }\n", n, n)
	}
	return fmt.Sprintf(`workspace: evil
region: eu
sources:
  - { name: web, type: http, writeKey: wk_evil }
transformations:
%sdestinations:
%sconnections:
%s---
workspace: good
region: eu
sources:
  - { name: app, type: http, writeKey: wk_good }
transformations:
  - name: light
    language: javascript
    code: |
      export function transformEvent(event) { event.light = true; return event; }
destinations:
  - { name: hook, type: webhook, settings: { url: %q } }
connections:
  - { source: app, destination: hook, transformations: [light] }
`, code.String(), destinations.String(), connections.String(), good)
}

var slowCode = regexp.MustCompile(`code_slow ×\d+ \(evil\)`)

// TestManySlowChainsDelayNobody keeps forty chains of one workspace busy. What a
// neighbour's light code changes arrives while they are, and status says whose code is
// slow.
func TestManySlowChainsDelayNobody(t *testing.T) {
	t.Parallel()
	const chains, events, sent = 40, 20, 10 // 16 s of a processor
	evil, good := newSink(t), newSink(t)
	_, in := dev(t, t.TempDir(), chainsConfig(chains, evil.URL, good.URL))
	for n := range events {
		accept(t, in.Gateway, "/v1/track", "wk_evil", fmt.Sprintf(`{"userId":"u%d","event":"E","messageId":"e%d"}`, n, n))
	}
	named := make(chan bool, 1)
	go func() {
		for done := false; !done && t.Context().Err() == nil; {
			done = len(evil.all()) >= chains*events
			out, err := exec.CommandContext(t.Context(), binary, "status", "--data-dir", in.Dir).Output()
			if err == nil && slowCode.Match(out) {
				named <- true
				return
			}
		}
		named <- false
	}()
	var took []time.Duration
	for n := range sent {
		begun := time.Now()
		accept(t, in.Gateway, "/v1/track", "wk_good", fmt.Sprintf(`{"userId":"u","event":"E","messageId":"g%d"}`, n))
		until(t, "an event of the good one", func() bool { return len(good.ids()) == n+1 })
		took = append(took, time.Since(begun))
	}
	done := len(evil.all())
	slices.Sort(took)
	t.Logf("the good one's events took %v at the median, %v at most; %d of %d of the evil one were delivered", took[sent/2], took[sent-1], done, chains*events)
	if done == chains*events {
		t.Error("the good one's events waited for all of the evil one")
	}
	if !<-named {
		t.Error("no status named whose code is slow")
	}
	until(t, "everything of the evil one", func() bool { return len(evil.all()) >= chains*events })
}

package singer_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/connector"
	"weir/dataplane/pull"
	"weir/dataplane/pull/stale"
	"weir/dataplane/sources/singer"
	"weir/shared/secret"
	"weir/shared/worker"
)

// write makes a program. No process is started meanwhile that has the file open, too, so that
// it could not be run.
func write(name string, text []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(name, text, 0o755)
}

// TestMain makes the test binary the task of connectors, or a tap in Go, when it is started
// as one.
func TestMain(m *testing.M) {
	worker.Tasks{connector.Task: connector.Serve}.Divert()
	if len(os.Args) > 2 && os.Args[1] == "tap" {
		tap(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// rows is how many the tap in Go has.
const rows = 20_000

// tap is a tap in Go. What it does besides what it should, mode says.
func tap(mode string, args []string) {
	files := map[string]string{}
	for i, a := range args {
		if strings.HasPrefix(a, "--") {
			files[a] = ""
			if i+1 < len(args) {
				files[a] = args[i+1]
			}
		}
	}
	read := func(name string, into any) {
		b, err := os.ReadFile(files[name])
		if err == nil {
			err = json.Unmarshal(b, into)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, name, err)
			os.Exit(9)
		}
	}
	var config struct{ Token, Site, StartDate string }
	read("--config", &config)
	if config.Token != "made-up" || config.Site != "acme" {
		fmt.Fprintln(os.Stderr, "wrong token", config.Token)
		os.Exit(8)
	}
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	defer func() { _ = out.Flush() }()
	if _, ok := files["--discover"]; ok {
		fmt.Fprintln(out, `{"streams":[{"tap_stream_id":"other","stream":"other","schema":{}},{"tap_stream_id":"db-items","stream":"items","key_properties":["id"],"schema":{"properties":{"id":{}}},
			"metadata":[{"breadcrumb":[],"metadata":{"inclusion":"available"}},{"breadcrumb":["properties","id"],"metadata":{"inclusion":"automatic"}}]}]}`)
		return
	}
	var catalog struct {
		Streams []struct {
			Stream   string
			Selected bool
			Metadata []struct {
				Breadcrumb []string
				Metadata   struct {
					Selected bool
					Key      string `json:"replication-key"`
					Method   string `json:"replication-method"`
				}
			}
		}
	}
	read("--catalog", &catalog)
	if len(catalog.Streams) != 1 || catalog.Streams[0].Stream != "items" || !catalog.Streams[0].Metadata[0].Metadata.Selected ||
		catalog.Streams[0].Metadata[0].Metadata.Key != "updated" || catalog.Streams[0].Metadata[0].Metadata.Method != "INCREMENTAL" || !catalog.Streams[0].Metadata[1].Metadata.Selected {
		os.Exit(7)
	}
	var state struct{ Items int }
	if _, ok := files["--state"]; ok {
		read("--state", &state)
	}
	fmt.Fprintln(out, `{"type":"SCHEMA","stream":"items","key_properties":["id"],"schema":{"properties":{"id":{"type":"integer"},"n":{"type":"boolean"}}}}`)
	fmt.Fprintln(out, `{"type":"SCHEMA","stream":"other","key_properties":["id"],"schema":{}}`)
	if mode == "versions" { // all rows each time, and fewer the second time
		version := state.Items + 1
		for i := range 30 / version {
			fmt.Fprintf(out, `{"type":"RECORD","stream":"items","version":%d,"record":{"id":%d,"updated":"t"}}`+"\n", version, i)
		}
		fmt.Fprintf(out, `{"type":"STATE","value":{"items":%d}}`+"\n", version)
		fmt.Fprintf(out, `{"type":"ACTIVATE_VERSION","stream":"items","version":%d}`+"\n", version)
		return
	}
	for i := state.Items; i < rows; i++ {
		switch {
		case mode == "dies" && i == state.Items+7_777: // each run comes a bit further
			_ = out.Flush()
			os.Exit(5)
		case mode == "hangs" && i == 5_000:
			_ = out.Flush()
			time.Sleep(time.Hour)
		case mode == "garbage" && i == 5_000:
			fmt.Fprintln(out, `Traceback: token made-up {{{`)
		case mode == "long" && i == 5_000:
			fmt.Fprintln(out, `{"type":"RECORD","stream":"items","record":{"id":1,"x":"`+strings.Repeat("x", 8<<20)+`"}}`)
		case mode == "nameless" && i == 5_000:
			fmt.Fprintln(out, `{"type":"RECORD","stream":"items","record":{"name":"without an id"}}`)
		case mode == "early" && i == 5_000:
			fmt.Fprintln(out, `{"type":"RECORD","stream":"items","record":[1]}`)
		case mode == "chats" && i == 5_000:
			for {
				if _, err := fmt.Fprintln(out, `{"type":"SCHEMA","stream":"other","key_properties":["id"],"schema":{}}`); err != nil {
					return
				}
			}
		case mode == "floods" && i == 5_000:
			for {
				if _, err := out.WriteString(strings.Repeat("x", 1<<16)); err != nil { // a line that never ends
					return
				}
			}
		}
		deleted := ""
		if i%1000 == 999 {
			deleted = `,"_sdc_deleted_at":"2026-03-01T00:00:00Z"`
		}
		fmt.Fprintf(out, `{"type":"RECORD","stream":"items","record":{"id":%d,"updated":"t%d","big":12345678901234567890.10,"n":"%s"%s}}`+"\n", i, i, "lie", deleted)
		if i%100 == 0 {
			fmt.Fprintf(out, `{"type":"RECORD","stream":"other","record":{"id":%d}}`+"\n", i)
		}
		if i%500 == 499 {
			fmt.Fprintf(out, `{"type":"STATE","value":{"items":%d}}`+"\n", i+1)
		}
	}
	fmt.Fprintln(out, `{"type":"ACTIVATE_VERSION","stream":"items","version":1}`)
	fmt.Fprintf(out, `{"type":"STATE","value":{"items":%d}}`+"\n", rows)
}

// install makes a folder of connectors with one, "it".
func install(t *testing.T, manifest string, files map[string]string) *connector.Folder {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, "it")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	files["connector.yaml"], files["tap"] = manifest, string(self)
	for name, text := range files {
		if err := write(filepath.Join(at, name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return connector.New(connector.Config{Dir: dir, Logs: filepath.Join(dir, "logs")})
}

// puller opens a source.
func puller(t *testing.T, f *connector.Folder, settings string) pull.Puller {
	t.Helper()
	open, err := singer.Kind().Open([]byte(settings), map[string]secret.String{"credentials": secret.NewString(`{"Token":"made-up"}`)})
	if err != nil {
		t.Fatal(err)
	}
	p := open(pull.Deps{Now: time.Now, Connectors: f})
	t.Cleanup(p.(interface{ Close() }).Close)
	return p
}

// TestVersionsWhereAProcessDoesNotAnswer: where nobody can tell whether all that a version gave
// is in the warehouse, no row is deleted, and the stream is read on after a while.
func TestVersionsWhereAProcessDoesNotAnswer(t *testing.T) {
	t.Parallel()
	open, err := singer.Kind().Open([]byte(settings), map[string]secret.String{"credentials": secret.NewString(`{"Token":"made-up"}`)})
	if err != nil {
		t.Fatal(err)
	}
	now, deleted, came := time.Now(), 0, 0
	p := open(pull.Deps{
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Connectors: install(t, "protocol: singer\ncommand: [./tap, tap, versions]\n", map[string]string{}),
		Stale: func(context.Context, stale.Query) (stale.Rows, error) {
			return stale.Rows{Waits: true, Apart: true}, nil
		},
	})
	t.Cleanup(p.(interface{ Close() }).Close)
	var cursor pull.Cursor
	for run := range 2 {
		began, was := now, came
		for waits := true; waits; {
			next, err := p.Pull(t.Context(), "db_items", cursor, pull.Budget{Until: now.Add(time.Minute)}, func(all []pull.Record, c pull.Cursor) error {
				for _, r := range all {
					if came++; r.Deleted {
						deleted++
					}
				}
				cursor = c
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(next.Later)
			waits = next.More || next.Later > 0
		}
		if took := now.Sub(began); took > 12*time.Minute || deleted > 0 || came == was {
			t.Errorf("run %d: %v until the stream is read on, %d rows came, %d are deleted", run+1, took, came-was, deleted)
		}
	}
}

// TestATapThatGivesVersions: rows that a version does not have are deleted, once it is whole
// and in the warehouse.
func TestATapThatGivesVersions(t *testing.T) {
	t.Parallel()
	type state struct {
		deleted bool
		at      time.Time
		version string
	}
	rows, asked := map[string]state{}, 0
	open, err := singer.Kind().Open([]byte(settings), map[string]secret.String{"credentials": secret.NewString(`{"Token":"made-up"}`)})
	if err != nil {
		t.Fatal(err)
	}
	p := open(pull.Deps{
		Now: time.Now, Connectors: install(t, "protocol: singer\ncommand: [./tap, tap, versions]\n", map[string]string{}),
		Stale: func(_ context.Context, q stale.Query) (stale.Rows, error) {
			if asked++; asked%2 == 1 {
				return stale.Rows{Waits: true}, nil
			}
			var found stale.Rows
			for k, r := range rows {
				if !r.deleted && r.at.Before(q.Since) && k > q.Place {
					found.Keys = append(found.Keys, k)
				}
			}
			slices.Sort(found.Keys)
			if found.Done = len(found.Keys) == 0; !found.Done {
				found.Place = found.Keys[len(found.Keys)-1]
			}
			return found, nil
		},
	})
	t.Cleanup(p.(interface{ Close() }).Close)
	var cursor pull.Cursor
	for run, left := range []int{30, 15, 10} {
		for later := true; later; {
			next, err := p.Pull(t.Context(), "db_items", cursor, pull.Budget{Until: time.Now().Add(time.Minute)}, func(all []pull.Record, c pull.Cursor) error {
				for _, r := range all {
					rows[r.Key] = state{r.Deleted, time.Now(), r.Version}
				}
				cursor = c
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			later = next.More || next.Later > 0
		}
		there := 0
		for key, r := range rows {
			if !r.deleted {
				there++
			}
			if n, _ := strconv.Atoi(key); r.deleted != (n >= left) {
				t.Errorf("run %d: the row %s is %+v", run+1, key, r)
			}
		}
		if there != left {
			t.Errorf("run %d: %d rows, want %d", run+1, there, left)
		}
	}
	if asked < 6 || rows["0"].version != "3/t" {
		t.Errorf("the warehouse was asked %d times, and the first row is %+v", asked, rows["0"])
	}
}

// kept is what a pull left: the states of rows by version, and the cursor.
type kept struct {
	rows   map[string]string // by key
	times  int               // rows that came
	cursor pull.Cursor
	emits  int
}

// pullOn pulls until the run ends or fails.
func (k *kept) pullOn(t *testing.T, p pull.Puller, stream string) error {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 4*time.Minute)
	defer stop()
	for {
		next, err := p.Pull(ctx, stream, k.cursor, pull.Budget{Until: time.Now().Add(time.Minute)}, func(all []pull.Record, c pull.Cursor) error {
			for _, r := range all {
				k.rows[r.Key] = fmt.Sprint(r.Deleted, " ", r.Version, " ", string(r.Row))
			}
			k.times, k.cursor = k.times+len(all), c
			k.emits++
			return nil
		})
		if err != nil || !next.More {
			return err
		}
	}
}

const settings = `{"connector":"it","config":"{\"Site\":\"acme\",\"Token\":\"\"}","streams":{"db-items":"updated"}}`

// whole is what the tap in Go has up to a row.
func whole(to int) map[string]string {
	all := map[string]string{}
	for i := range to {
		deleted, mark := false, ""
		if i%1000 == 999 {
			deleted, mark = true, `,"_sdc_deleted_at":"2026-03-01T00:00:00Z"`
		}
		all[strconv.Itoa(i)] = fmt.Sprintf(`%v t%d {"id":%d,"updated":"t%d","big":12345678901234567890.10,"n":"lie"%s}`, deleted, i, i, i, mark)
	}
	return all
}

// same compares rows.
func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			t.Fatalf("%d rows, want %d; the row %s is %q, want %q", len(got), len(want), k, got[k], want[k])
		}
	}
	t.Fatalf("%d rows, want %d", len(got), len(want))
}

func TestATapInGo(t *testing.T) {
	t.Parallel()
	k := &kept{rows: map[string]string{}}
	p := puller(t, install(t, "protocol: singer\ncommand: [./tap, tap, '']\n", map[string]string{}), settings)
	if err := k.pullOn(t, p, "db_items"); err != nil {
		t.Fatal(err)
	}
	same(t, k.rows, whole(rows))
	if string(k.cursor) != `{"state":{"items":20000}}` || k.times != rows {
		t.Errorf("the cursor is %s after %d rows", k.cursor, k.times)
	}
	if err := k.pullOn(t, p, "db_items"); err != nil || k.times != rows {
		t.Errorf("a second run gave %d rows: %v", k.times-rows, err)
	}
}

// TestATapThatDoesWrong: rows up to the wrong are exact, the state stands before them, and
// the code says what it was.
func TestATapThatDoesWrong(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]struct{ code, text string }{
		"hangs":    {pull.CodeUnreachable, "The connector said nothing for 2s."},
		"garbage":  {pull.CodeAnswer, "The connector said what is no JSON."},
		"long":     {pull.CodeAnswer, "The connector said a line of more than 4 MiB."},
		"nameless": {pull.CodeAnswer, "A row lacks a field of its key, id."},
		"early":    {pull.CodeAnswer, "A row is no object."},
		"chats":    {pull.CodeAnswer, "The connector says a lot, and no rows."},
		"floods":   {pull.CodeAnswer, "The connector said a line of more than 4 MiB."},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			k := &kept{rows: map[string]string{}}
			p := puller(t, install(t, "protocol: singer\ncommand: [./tap, tap, "+mode+"]\nsilence: 2s\n", map[string]string{}), settings)
			err := k.pullOn(t, p, "db_items")
			var f *pull.Failure
			if !errors.As(err, &f) || f.Code != want.code || f.Text != want.text {
				t.Fatalf("%v, want %v", err, want)
			}
			same(t, k.rows, whole(5_000))
			var at struct{ State struct{ Items int } }
			if err := json.Unmarshal(k.cursor, &at); err != nil || at.State.Items != 5_000 {
				t.Errorf("the cursor is %s: %v", k.cursor, err)
			}
		})
	}
}

func TestATapThatDies(t *testing.T) {
	t.Parallel()
	k := &kept{rows: map[string]string{}}
	f := install(t, "protocol: singer\ncommand: [./tap, tap, dies]\n", map[string]string{})
	deaths := 0
	for ; ; deaths++ {
		err := k.pullOn(t, puller(t, f, settings), "db_items") // anew, as after a death of the plane
		if err == nil {
			break
		}
		var failure *pull.Failure
		if !errors.As(err, &failure) || failure.Code != pull.CodeAnswer || !strings.Contains(failure.Text, "exit code 5") || deaths > 10 {
			t.Fatal(err)
		}
	}
	same(t, k.rows, whole(rows))
	if deaths != 2 {
		t.Errorf("%d deaths", deaths)
	}
}

// TestADeathOfThePlaneAtEachEmit loses nothing.
func TestADeathOfThePlaneAtEachEmit(t *testing.T) {
	t.Parallel()
	f := install(t, "protocol: singer\ncommand: [./tap, tap, '']\n", map[string]string{})
	k := &kept{rows: map[string]string{}}
	dead := errors.New("dead")
	for deaths := 0; ; deaths++ {
		p := puller(t, f, settings)
		n := 0
		_, err := p.Pull(t.Context(), "db_items", k.cursor, pull.Budget{Until: time.Now().Add(time.Minute)}, func(all []pull.Record, c pull.Cursor) error {
			for _, r := range all {
				k.rows[r.Key] = fmt.Sprint(r.Deleted, " ", r.Version, " ", string(r.Row))
			}
			if n++; n > 4 && deaths < 30 {
				return dead // rows are durable, and the cursor is not
			}
			k.cursor = c
			return nil
		})
		p.(interface{ Close() }).Close()
		if err == nil {
			break
		}
		if !errors.Is(err, dead) {
			t.Fatal(err)
		}
	}
	same(t, k.rows, whole(rows))
}

// TestAStepThatEndsLeavesTheTapWaiting: a tap goes on in the next step, and its memory is
// not the plane's.
func TestAStepThatEndsLeavesTheTapWaiting(t *testing.T) {
	t.Parallel()
	p := puller(t, install(t, "protocol: singer\ncommand: [./tap, tap, '']\n", map[string]string{}), settings)
	k := &kept{rows: map[string]string{}}
	steps := 0
	for more := true; more; steps++ {
		next, err := p.Pull(t.Context(), "db_items", k.cursor, pull.Budget{Until: time.Now().Add(30 * time.Millisecond)}, func(all []pull.Record, c pull.Cursor) error {
			for _, r := range all {
				k.rows[r.Key] = fmt.Sprint(r.Deleted, " ", r.Version, " ", string(r.Row))
			}
			k.times, k.cursor = k.times+len(all), c
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		more = next.More
		runtime.Gosched()
	}
	same(t, k.rows, whole(rows))
	if k.times != rows {
		t.Errorf("%d rows came, in %d steps: it was started again", k.times, steps)
	}
}

// TestATapInShellReadWhole has no discovery, no key and no state, and an unknown message.
func TestATapInShellReadWhole(t *testing.T) {
	t.Parallel()
	f := install(t, "protocol: singer\ncommand: [./tap.sh]\ndiscover: false\n", map[string]string{"tap.sh": `#!/bin/sh
[ "$1 $2 $#" = "--config /work/config.json 2" ] || exit 3
echo '{"type":"SCHEMA","stream":"lines","key_properties":[],"schema":{}}'
for i in 1 2 3; do echo "{\"type\":\"RECORD\",\"stream\":\"lines\",\"record\":{\"i\":$i}}"; done
echo '{"type":"SOMETHING","stream":"lines"}'
echo '{"type":"RECORD","stream":"lines","record":{"i":2}}'
`})
	p := puller(t, f, `{"connector":"it","streams":{"lines":""}}`)
	k := &kept{rows: map[string]string{}}
	if err := k.pullOn(t, p, "lines"); err != nil {
		t.Fatal(err)
	}
	if len(k.rows) != 3 || k.times != 4 || string(k.cursor) != `{}` {
		t.Errorf("%d rows of %d, cursor %s", len(k.rows), k.times, k.cursor)
	}
}

// TestATapInNode has a key that the settings say.
func TestATapInNode(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "it")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "tap.js")
	for name, text := range map[string]string{
		script: `const fs = require("fs"), a = process.argv;
if (a.includes("--discover")) { console.log(JSON.stringify({ streams: [{ tap_stream_id: "people", stream: "people", schema: {} }] })); process.exit(0); }
const c = JSON.parse(fs.readFileSync(a[a.indexOf("--config") + 1]));
const say = (m) => console.log(JSON.stringify(m));
say({ type: "SCHEMA", stream: "people", key_properties: [], schema: {} });
for (let i = 0; i < 3000; i++) say({ type: "RECORD", stream: "people", record: { org: "a", n: i, since: c.start_date } });
say({ type: "STATE", value: { done: true } });
`,
		filepath.Join(dir, "connector.yaml"): "protocol: singer\ncommand: [node, " + script + "]\nmemoryMiB: 2048\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := connector.New(connector.Config{Dir: filepath.Dir(dir)})
	p := puller(t, f, `{"connector":"it","streams":{"people":""},"keys":{"people":"org, n"}}`)
	k := &kept{rows: map[string]string{}}
	var err error
	for more := true; more && err == nil; {
		var next pull.Next
		next, err = p.Pull(t.Context(), "people", k.cursor, pull.Budget{Until: time.Now().Add(time.Minute), From: "2026-01-31T00:00:00Z"}, func(all []pull.Record, c pull.Cursor) error {
			for _, r := range all {
				k.rows[r.Key] = string(r.Row)
			}
			k.cursor = c
			return nil
		})
		more = next.More
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(k.rows) != 3000 || k.rows["a:2999"] != `{"org":"a","n":2999,"since":"2026-01-31T00:00:00Z"}` || string(k.cursor) != `{"state":{"done":true}}` {
		t.Errorf("%d rows, the last %s, cursor %s", len(k.rows), k.rows["a:2999"], k.cursor)
	}
}

func TestWhatCannotBePulledSaysWhy(t *testing.T) {
	t.Parallel()
	f := install(t, "protocol: singer\ncommand: [./tap, tap, '']\n", map[string]string{})
	for settings, want := range map[string]string{
		`{"connector":"no","streams":{"db-items":"updated"}}`:                                     pull.CodeRefused,
		`{"connector":"it","streams":{"db-items":"updated"}}`:                                     pull.CodeAnswer, // exit code 8
		`{"connector":"it","config":"{\"Site\":\"acme\"}","streams":{"absent":"","db-items":""}}`: pull.CodeNoStream,
	} {
		stream := "db_items"
		if want == pull.CodeNoStream {
			stream = "absent"
		}
		err := (&kept{rows: map[string]string{}}).pullOn(t, puller(t, f, settings), stream)
		var failure *pull.Failure
		if !errors.As(err, &failure) || failure.Code != want {
			t.Errorf("%s: %v, want %s", settings, err, want)
		}
	}
	if _, err := singer.Kind().Open([]byte(`{"connector":"it","config":"[1]","streams":{"a":""}}`), nil); err == nil || !strings.Contains(fmt.Sprint(err), "problems") {
		t.Errorf("a configuration that is no object: %v", err)
	}
}

package airbyte_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/connector"
	"weir/dataplane/pull"
	"weir/dataplane/sources/airbyte"
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

// TestMain makes the test binary the task of connectors, or a connector, when it is started
// as one.
func TestMain(m *testing.M) {
	worker.Tasks{connector.Task: connector.Serve}.Divert()
	if len(os.Args) > 3 && os.Args[1] == "connector" {
		serve(os.Args[2], os.Args[3], os.Args[4:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// rows is how many the connector has.
const rows = 3000

// serve is a connector. mode says the form of its states, or what is wrong with it.
func serve(mode, command string, args []string) {
	files := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		files[args[i]] = args[i+1]
	}
	read := func(name string, into any) {
		b, err := os.ReadFile(files[name])
		if err == nil {
			err = json.Unmarshal(b, into)
		}
		if err != nil {
			os.Exit(9)
		}
	}
	say := func(text string, more ...any) { fmt.Printf(text+"\n", more...) }
	say("this is no message")
	say(`{"type":"LOG","log":{"level":"INFO","message":"%s"}}`, command)
	switch command {
	case "spec":
		say(`{"type":"SPEC","spec":{"connectionSpecification":{"required":["token","site"]}}}`)
		return
	case "check":
		var c struct{ Token string }
		read("--config", &c)
		if c.Token != "made-up" {
			say(`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED","message":"token %s"}}`, c.Token)
			return
		}
		say(`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}`)
		return
	case "discover":
		say(`{"type":"CATALOG","catalog":{"streams":[{"name":"other","json_schema":{},"supported_sync_modes":["full_refresh"]},` +
			`{"name":"items","json_schema":{"x":1},"supported_sync_modes":["full_refresh","incremental"],"source_defined_primary_key":[["org","id"],["n"]]}]}}`)
		return
	}
	var catalog struct {
		Streams []struct {
			Stream struct {
				Name   string
				Schema json.RawMessage `json:"json_schema"`
			}
			Mode   string   `json:"sync_mode"`
			Cursor []string `json:"cursor_field"`
		}
	}
	read("--catalog", &catalog)
	if len(catalog.Streams) != 1 {
		os.Exit(7)
	}
	if s := catalog.Streams[0]; s.Stream.Name == "other" {
		if s.Mode != "full_refresh" || s.Cursor != nil {
			os.Exit(7)
		}
		say(`{"type":"RECORD","record":{"stream":"other","emitted_at":1,"data":{"a":1}}}`)
		return
	} else if s.Stream.Name != "items" || string(s.Stream.Schema) != `{"x":1}` || s.Mode != "incremental" || fmt.Sprint(s.Cursor) != "[at]" {
		os.Exit(7)
	}
	from := 0
	if _, ok := files["--state"]; ok {
		var one struct{ N int }
		var list []struct {
			Type   string
			Stream struct {
				Descriptor struct{ Name string } `json:"stream_descriptor"`
				State      struct{ N int }       `json:"stream_state"`
			}
			Global struct {
				Shared struct{ N int } `json:"shared_state"`
			}
		}
		switch mode {
		case "legacy":
			read("--state", &one)
			from = one.N
		case "global":
			read("--state", &list)
			from = list[0].Global.Shared.N
		default:
			read("--state", &list)
			for _, s := range list {
				if s.Stream.Descriptor.Name == "items" {
					from = s.Stream.State.N
				}
			}
			if len(list) != 2 {
				os.Exit(6)
			}
		}
	}
	for i := from; i < rows; i++ {
		deleted := "null"
		if i == 5 {
			deleted = `"2026-03-01"`
		}
		say(`{"type":"RECORD","record":{"stream":"items","namespace":"public","emitted_at":1,"data":{"org":{"id":"a"},"n":%d,"at":"t%d","_ab_cdc_deleted_at":%s}}}`, i, i, deleted)
		if i%100 != 99 {
			continue
		}
		switch mode {
		case "legacy":
			say(`{"type":"STATE","state":{"data":{"n":%d}}}`, i+1)
		case "global":
			say(`{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":{"n":%d},"stream_states":[]}}}`, i+1)
		default:
			say(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"parents"},"stream_state":{"p":%d}}}}`, i)
			say(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"items"},"stream_state":{"n":%d}},"sourceStats":{"recordCount":100.0}}}`, i+1)
		}
		if i == from+999 {
			say(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"status":"RUNNING"}}}`)
			if kind, ok := strings.CutPrefix(mode, "trace "); ok {
				say(`{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1,"error":{"message":"hush","failure_type":"%s"}}}`, kind)
				os.Exit(1)
			}
			if mode != "whole" {
				os.Exit(2) // comes a thousand rows further with each run
			}
		}
	}
}

// open opens a source with a connector of a mode.
func open(t *testing.T, mode, settings, credentials string) pull.Puller {
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
	for name, text := range map[string]string{"connector.yaml": "protocol: airbyte\ncommand: [./run, connector, " + mode + "]\n", "run": string(self)} {
		if err := write(filepath.Join(at, name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := airbyte.Kind().Open([]byte(settings), map[string]secret.String{"credentials": secret.NewString(credentials)})
	if err != nil {
		t.Fatal(err)
	}
	p := opened(pull.Deps{Now: time.Now, Connectors: connector.New(connector.Config{Dir: dir})})
	t.Cleanup(p.(interface{ Close() }).Close)
	return p
}

const (
	settings    = `{"connector":"it","config":"{\"site\":\"acme\",\"auth\":{\"a\":1}}","streams":{"items":"at","other":""}}`
	credentials = `{"token":"made-up","auth":{"b":2}}`
)

// read pulls a stream until its run ends or fails.
func read(t *testing.T, p pull.Puller, stream string, from *pull.Cursor, rows map[string]string) error {
	t.Helper()
	for {
		next, err := p.Pull(t.Context(), stream, *from, pull.Budget{Until: time.Now().Add(time.Minute)}, func(all []pull.Record, c pull.Cursor) error {
			for _, r := range all {
				rows[r.Key] = fmt.Sprint(r.Deleted, " ", r.Version)
			}
			*from = c
			return nil
		})
		if err != nil || !next.More {
			return err
		}
	}
}

// TestStatesOfEachForm: a connector that dies twice goes on from its state.
func TestStatesOfEachForm(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{
		"legacy": `{"state":{"n":3000}}`,
		"global": `{"state":[{"type":"GLOBAL","global":{"shared_state":{"n":3000},"stream_states":[]}}]}`,
		"stream": `{"state":[{"type":"STREAM","stream":{"stream_descriptor":{"name":"parents"},"stream_state":{"p":2999}}},{"type":"STREAM","stream":{"stream_descriptor":{"name":"items"},"stream_state":{"n":3000}},"sourceStats":{"recordCount":100.0}}]}`,
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := open(t, mode, settings, credentials)
			got, deaths := map[string]string{}, 0
			var cursor pull.Cursor
			for ; ; deaths++ {
				err := read(t, p, "items", &cursor, got)
				if err == nil {
					break
				}
				var f *pull.Failure
				if !errors.As(err, &f) || f.Code != pull.CodeAnswer || !strings.Contains(f.Text, "exit code 2") || deaths > 5 {
					t.Fatal(err)
				}
				var at struct{ Began string }
				if err := json.Unmarshal(cursor, &at); err != nil || at.Began == "" {
					t.Fatalf("the cursor within a reading is %s: %v", cursor, err)
				}
			}
			if len(got) != rows || deaths != 3 || string(cursor) != want {
				t.Errorf("%d rows, %d deaths, cursor %s", len(got), deaths, cursor)
			}
			for i := range rows {
				if want := fmt.Sprintf("%v t%d", i == 5, i); got["a:"+strconv.Itoa(i)] != want {
					t.Fatalf("row %d is %q, want %q", i, got["a:"+strconv.Itoa(i)], want)
				}
			}
		})
	}
}

func TestAStreamReadWhole(t *testing.T) {
	t.Parallel()
	p := open(t, "whole", settings, credentials)
	got := map[string]string{}
	var cursor pull.Cursor
	if err := read(t, p, "other", &cursor, got); err != nil || len(got) != 1 || string(cursor) != "{}" {
		t.Errorf("%v, cursor %s: %v", got, cursor, err)
	}
}

func TestWhatAConnectorSaysIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mode, settings, credentials, code, text string }{
		"configuration":   {"whole", `{"connector":"it","streams":{"items":"at"}}`, `{"token":"made-up"}`, pull.CodeRefused, "has: site."},
		"check":           {"whole", settings, `{"token":"other"}`, pull.CodeReauthorize, "check"},
		"no stream":       {"whole", `{"connector":"it","config":"{\"site\":1}","streams":{"absent":""}}`, credentials, pull.CodeNoStream, "no such stream"},
		"no cursor":       {"whole", `{"connector":"it","config":"{\"site\":1}","streams":{"other":"at"}}`, credentials, pull.CodeRefused, "incrementally"},
		"trace config":    {"trace config_error", settings, credentials, pull.CodeReauthorize, "configuration"},
		"trace transient": {"trace transient_error", settings, credentials, pull.CodeUnreachable, "now"},
		"trace system":    {"trace system_error", settings, credentials, pull.CodeAnswer, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := "items"
			for _, s := range []string{"absent", "other"} {
				if strings.Contains(c.settings, `"streams":{"`+s) {
					stream = s
				}
			}
			var cursor pull.Cursor
			err := read(t, open(t, c.mode, c.settings, c.credentials), stream, &cursor, map[string]string{})
			var f *pull.Failure
			if !errors.As(err, &f) || f.Code != c.code || !strings.Contains(f.Text, c.text) || strings.Contains(f.Text, "hush") {
				t.Errorf("%v, want %s with %q", err, c.code, c.text)
			}
		})
	}
}

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/infra/weir/cli"
	"weir/shared/command"
)

func sighting(n int, stage string) string {
	return fmt.Sprintf(`{"at":"2026-03-01T12:00:00Z","stage":%q,"source":"web","destination":"","messageId":"m%d","outcome":"accepted","code":"","event":{"n": 12345678901234567890}}`, stage, n)
}

// send writes lines and sends them at once.
func send(w http.ResponseWriter, lines ...string) {
	_, _ = io.WriteString(w, strings.Join(lines, "\n")+"\n")
	_ = http.NewResponseController(w).Flush()
}

func TestTailPrintsSightingsAsTheyCome(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain))
	f.streams = func(_ int, w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query().Encode(); q != "destination=hook&outcome=dead&outcome=parked&source=web&stage=gateway" {
			t.Errorf("asked for %s", q)
		}
		send(w, "", sighting(1, "gateway"), "", `{"missed":7}`, sighting(2, "gateway"), sighting(3, "gateway"))
		<-r.Context().Done()
	}
	code, out, err := s.run("tail", "--source", "web", "--destination", "hook", "--stage", "gateway", "--outcome", "dead,parked", "--limit", "2")
	if want := sighting(1, "gateway") + "\n" + sighting(2, "gateway") + "\n"; code != command.ExitDone || out != want {
		t.Errorf("exit %d\n%s%s\nwant %s", code, out, err, want)
	}
	for _, text := range []string{"watching workspace acme", "7 events of workspace acme passed too fast"} {
		if !strings.Contains(err, text) {
			t.Errorf("stderr lacks %q:\n%s", text, err)
		}
	}
}

func TestTailGoesOnWithANewCapabilityAndAfterAnOutage(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain))
	f.streams = func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 0: // ends as with the capability
			send(w, "", sighting(n, "gateway"))
		case 1: // the plane stops
			send(w, "", sighting(n, "deliver"), `{"error":{"code":"unavailable","message":"The live events of this plane ended."}}`)
		case 2: // it starts
			refuse(w, http.StatusServiceUnavailable, "unavailable", "Not yet.")
		case 3: // the connection breaks
			send(w, "", sighting(n, "load"))
			panic(http.ErrAbortHandler)
		default:
			send(w, "", sighting(n, "load"))
			<-r.Context().Done()
		}
	}
	code, out, err := s.run("tail", "--limit", "4")
	want := strings.Join([]string{sighting(0, "gateway"), sighting(1, "deliver"), sighting(3, "load"), sighting(4, "load"), ""}, "\n")
	if code != command.ExitDone || out != want || !strings.Contains(err, "live events of this plane ended") {
		t.Errorf("exit %d\n%s%s\nwant %s", code, out, err, want)
	}
	issued := 0
	for _, call := range f.calls {
		if call == "POST /api/v1/capabilities" {
			issued++
		}
	}
	if issued != 5 {
		t.Errorf("%d capabilities were asked for, want one for each of 5 streams", issued)
	}
}

func TestAnInterruptedTailIsDone(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain))
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	f.streams = func(_ int, w http.ResponseWriter, r *http.Request) {
		send(w, "")
		interrupt()
		<-r.Context().Done()
	}
	var out, err bytes.Buffer
	p := command.Process{Version: "test", Out: &out, Err: &err, Env: func(k string) (string, bool) { v, ok := s.env[k]; return v, ok }}
	if code := cli.Run(ctx, p, []string{"tail"}); code != command.ExitDone || out.Len() > 0 {
		t.Errorf("exit %d\n%s%s", code, &out, &err)
	}
}

func TestWhyThereIsNothingToSee(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain))
	f.streams = func(_ int, w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusBadRequest, "invalid", "There is no such stage; there are [gateway].")
	}
	s.fails(command.ExitFailed, []string{"There is no such stage", "workspace acme"}, "tail", "--stage", "x")
	s.fails(command.ExitFailed, []string{"there is no source app; sources are web"}, "tail", "--source", "app")
	s.fails(command.ExitFailed, []string{"there is no destination lake; destinations are hook"}, "tail", "--destination", "lake")
	s.fails(command.ExitFailed, []string{"there is no destination lake; destinations are hook"}, "query", "lake", "select 1")
	s.fails(command.ExitUsage, []string{"--limit must not be below 0"}, "tail", "--limit", "-1")
	s.fails(command.ExitUsage, []string{"weir query needs SQL: weir query DESTINATION SQL"}, "query", "hook")
	f.view.Close()
	s.fails(command.ExitFailed, []string{"the plane's view at http://127.0.0.1", "cannot be reached", "connection refused", "check that it runs"}, "tail")
	s.fails(command.ExitFailed, []string{"the plane's view at http://127.0.0.1", "cannot be reached", "connection refused", "check that it runs"}, "query", "hook", "select 1")
}

func TestTailFollowsEveryWorkspace(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain+"---\n"+strings.NewReplacer("acme", "other", "wk_", "wk_other_").Replace(plain)))
	var both sync.WaitGroup
	both.Add(2)
	f.streams = func(n int, w http.ResponseWriter, r *http.Request) {
		both.Done()
		both.Wait() // neither waits for the other's end
		send(w, "", sighting(n, "gateway"))
		<-r.Context().Done()
	}
	out := s.must("tail", "--limit", "2")
	if strings.Count(out, "\n") != 2 || !strings.Contains(out, `"m0"`) || !strings.Contains(out, `"m1"`) {
		t.Errorf("lines:\n%s", out)
	}
}

func TestQueryPrintsRows(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain))
	f.streams = func(_ int, w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in["sql"] != "select <1>" || !strings.HasPrefix(in["destination"], "dst_") {
			t.Errorf("asked %v, %v", in, err)
		}
		send(w, `{"z":12345678901234567890,"a":"x\u001b[1m","n":null}`, `{"z":2,"a":"<y>","n":[1,"b"]}`)
	}
	want := `{"z":12345678901234567890,"a":"x\u001b[1m","n":null}` + "\n" + `{"z":2,"a":"<y>","n":[1,"b"]}` + "\n"
	if out := s.must("query", "hook", "select <1>"); out != want {
		t.Errorf("rows\n%swant\n%s", out, want)
	}
	if out := s.must("query", "hook", "select <1>", "--output", "json"); out != want {
		t.Errorf("rows\n%swant\n%s", out, want)
	}
	table := "                   z  a      n\n12345678901234567890  x\uFFFD[1m  -\n                   2  <y>    [1,\"b\"]\n"
	if out := s.must("query", "hook", "select <1>", "--output", "table"); out != table {
		t.Errorf("table\n%swant\n%s", out, table)
	}
	if out := s.must("query", "hook", "select <1>", "--output", "yaml"); !strings.Contains(out, "z: 12345678901234567890") || !strings.Contains(out, "z: 2") {
		t.Errorf("yaml\n%s", out)
	}
}

func TestAQueryThatFailsMidwaySaysSo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain))
	for name, tc := range map[string]struct {
		answer func(w http.ResponseWriter)
		code   int
		out    string
		says   string
	}{
		"no rows":   {func(w http.ResponseWriter) { send(w, "") }, command.ExitDone, "", ""},
		"a refusal": {func(w http.ResponseWriter) { refuse(w, 400, "invalid", "No column x.") }, command.ExitFailed, "", "No column x."},
		"midway": {func(w http.ResponseWriter) {
			send(w, `{"n":1}`, `{"error":{"code":"limit_rows","message":"Too many."}}`)
		}, command.ExitFailed, "{\"n\":1}\n", "Too many."},
		"broken off":      {func(w http.ResponseWriter) { send(w, `{"n":1}`, `{"n":2}`); panic(http.ErrAbortHandler) }, command.ExitFailed, "{\"n\":1}\n", "cannot be reached"},
		"a column error":  {func(w http.ResponseWriter) { send(w, `{"error":"e"}`) }, command.ExitDone, "{\"error\":\"e\"}\n", ""},
		"one among other": {func(w http.ResponseWriter) { send(w, `{"error":{"code":"c"},"n":1}`) }, command.ExitDone, "{\"error\":{\"code\":\"c\"},\"n\":1}\n", ""},
	} {
		f.streams = func(_ int, w http.ResponseWriter, _ *http.Request) { tc.answer(w) }
		code, out, err := s.run("query", "hook", "select 1")
		if code != tc.code || out != tc.out || !strings.Contains(err, tc.says) {
			t.Errorf("%s: exit %d\n%s%s", name, code, out, err)
		}
	}
}

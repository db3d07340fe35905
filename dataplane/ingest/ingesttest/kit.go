// Package ingesttest is the conformance kit of sources: every kind in sources/
// has to pass it.
//
// A kind's cases are the files testdata/*.txtar in its folder: a comment, then
// the sections request (lines `call:`, `at:`, `ip:`), body, and what comes out:
// events (a line "user type messageId", then the event), rejected (index and
// code) or error (kind and code). Ids that the gateway makes read GENERATED. The flag
// -update rewrites what comes out.
package ingesttest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
	"weir/shared/catalog"
	"weir/shared/fault"
)

var update = flag.Bool("update", false, "rewrite what comes out in the case files")

// Run holds every kind to the contract of ingest.Source. root is the folder that
// has one folder per kind, those that are pulled and have no contract of requests aside.
func Run(t *testing.T, kinds []ingest.Kind, root string) {
	folders, err := filepath.Glob(filepath.Join(root, "*", "spec.yaml"))
	folders = slices.DeleteFunc(folders, func(name string) bool {
		text, err := os.ReadFile(name)
		return err == nil && (bytes.Contains(text, []byte("\nstreams:\n")) || bytes.Contains(text, []byte("\nstreamsOf:")))
	})
	if err != nil || len(folders) != len(kinds) {
		t.Errorf("%d folders with a spec (%v), %d kinds", len(folders), err, len(kinds))
	}
	for _, k := range kinds {
		t.Run(k.Spec.Name, func(t *testing.T) {
			t.Run("the spec is complete", func(t *testing.T) { spec(t, k.Spec) })
			t.Run("hostile bodies do no harm", func(t *testing.T) { hostile(t, k.Source) })
			files, err := filepath.Glob(filepath.Join(root, k.Spec.Name, "testdata", "*.txtar"))
			if err != nil || len(files) == 0 {
				t.Errorf("no case files (%v)", err)
			}
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { run(t, k.Source, file) })
			}
		})
	}
}

func spec(t *testing.T, s catalog.Spec) {
	if s.Family != catalog.Sources || s.Name == "" || s.Title == "" || s.Doc == "" {
		t.Errorf("family %q, name %q, title %q, doc %q", s.Family, s.Name, s.Title, s.Doc)
	}
}

// run holds one case file.
func run(t *testing.T, s ingest.Source, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sections := split(string(text))
	req, err := request(sections)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	got := describe(Check(t, s, req))
	if *update {
		end := strings.Index(string(text), "-- body --\n") + len("-- body --\n") + len(sections["body"])
		if err := os.WriteFile(file, []byte(string(text[:end])+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := ""
	for _, name := range []string{"events", "rejected", "error"} {
		if content, ok := sections[name]; ok {
			want += "-- " + name + " --\n" + content
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// Result is what a Parse gave.
type Result struct {
	Kept     []event.Event
	Rejected []ingest.Reject
	Err      error
}

// Check calls Parse twice and holds the results to the contract; it returns the
// first. req.Body is not changed.
func Check(t *testing.T, s ingest.Source, req ingest.Request) Result {
	t.Helper()
	body := req.Body
	parse := func() Result {
		req.Body = bytes.Clone(body)
		kept, rejected, err := s.Parse(req)
		for i := range req.Body { // it is used again for the next request
			req.Body[i] = '#'
		}
		return Result{kept, rejected, err}
	}
	first, second := parse(), parse()
	if diff := cmp.Diff(describe(first), describe(second)); diff != "" {
		t.Errorf("the same request gives another result the second time:\n%s", diff)
	}
	if first.Err != nil {
		if len(first.Kept)+len(first.Rejected) > 0 {
			t.Errorf("an error and %d events, %d rejected", len(first.Kept), len(first.Rejected))
		}
		if ps := fault.ProblemsOf(first.Err); fault.KindOf(first.Err) == fault.Invalid && (len(ps) == 0 || ps[0].Code == "" || ps[0].Text == "") {
			t.Errorf("no code or text: %v", first.Err)
		}
		return first
	}
	if len(first.Kept)+len(first.Rejected) == 0 {
		t.Error("no event, nothing rejected, and no error")
	}
	for _, e := range first.Kept {
		sound(t, req, e)
		if e.Quarantine != "" || e.User == "" {
			t.Errorf("kept with quarantine %q and user %q", e.Quarantine, e.User)
		}
	}
	last := -1
	for _, r := range first.Rejected {
		if r.Code == "" || r.Message == "" || r.Index <= last {
			t.Errorf("rejected %d after %d with code %q and message %q", r.Index, last, r.Code, r.Message)
		}
		last = r.Index
		sound(t, req, r.Event)
		if r.Event.Quarantine != r.Code {
			t.Errorf("rejected with %q goes to quarantine with %q", r.Code, r.Event.Quarantine)
		}
	}
	return first
}

// sound fails when an event lacks what every event has.
func sound(t *testing.T, req ingest.Request, e event.Event) {
	t.Helper()
	if e.MessageID == "" || len(e.JSON) == 0 || e.Workspace != req.Workspace || e.Source != req.Entry.Source ||
		!e.ReceivedAt.Equal(req.ReceivedAt.Truncate(time.Millisecond)) {
		t.Errorf("message %q, %d bytes, workspace %q, source %q, received %v", e.MessageID, len(e.JSON), e.Workspace, e.Source, e.ReceivedAt)
	}
}

// describe writes a result as the sections of a case file.
func describe(r Result) string {
	var b strings.Builder
	if r.Err != nil {
		code := ""
		if ps := fault.ProblemsOf(r.Err); len(ps) > 0 {
			code = " " + ps[0].Code
		}
		fmt.Fprintf(&b, "-- error --\n%s%s\n", fault.KindOf(r.Err), code)
		return b.String()
	}
	b.WriteString("-- events --\n")
	for _, e := range r.Kept {
		message, json := string(e.MessageID), string(e.JSON)
		if e.Generated {
			json = strings.ReplaceAll(json, message, "GENERATED")
			message = "GENERATED"
		}
		kind := e.Type
		if kind == "" {
			kind = "-"
		}
		fmt.Fprintf(&b, "%s %s %s\n%s\n", e.User, kind, message, json)
	}
	if len(r.Rejected) > 0 {
		b.WriteString("-- rejected --\n")
	}
	for _, x := range r.Rejected {
		fmt.Fprintf(&b, "%d %s\n", x.Index, x.Code)
	}
	return b.String()
}

// request reads the request and body of a case.
func request(sections map[string]string) (ingest.Request, error) {
	req := ingest.Request{
		Entry: ingest.Entry{Workspace: "ws_case", Source: "src_case", Name: "case"},
		Call:  ingest.Track, ReceivedAt: time.Date(2026, 3, 1, 12, 0, 0, 123_000_000, time.UTC),
		IP: "203.0.113.9", Body: []byte(sections["body"]),
	}
	for line := range strings.Lines(sections["request"]) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "call":
			req.Call = ingest.Call(value)
		case "ip":
			req.IP = value
		case "at":
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				return req, err
			}
			req.ReceivedAt = at.UTC()
		default:
			return req, fmt.Errorf("line %q", line)
		}
	}
	return req, nil
}

// split returns the sections of a txtar text by name; what stands before the
// first is a comment. Of a name given twice the last counts.
func split(text string) map[string]string {
	sections := map[string]string{}
	name, known := "", false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "-- ") && strings.HasSuffix(trimmed, " --") && len(trimmed) > 6 {
			name, known = trimmed[3:len(trimmed)-3], true
			sections[name] = ""
			continue
		}
		if known {
			sections[name] += line
		}
	}
	return sections
}

// Hostile returns bodies that have broken JSON readers: each at most
// ingest.MaxBody long.
func Hostile() map[string][]byte {
	fill := func(s string) []byte { return bytes.Repeat([]byte(s), ingest.MaxBody/len(s)) }
	batch := func(member []byte) []byte { return slices.Concat([]byte(`{"batch":[`), member, []byte(`]}`)) }
	nested := slices.Concat(bytes.Repeat([]byte("["), 200_000), bytes.Repeat([]byte("]"), 200_000))
	return map[string][]byte{
		"nothing":                 {},
		"open lists":              fill("["),
		"open objects":            fill(`{"a":`),
		"open quotes":             fill(`"`),
		"backslashes":             append([]byte(`{"a":"`), fill(`\`)[6:]...),
		"escaped quotes":          append([]byte(`{"a":"`), fill(`\"`)[6:]...),
		"commas":                  fill(","),
		"spaces":                  fill(" "),
		"200,000 levels":          nested,
		"200,000 levels in batch": batch(nested),
		"a million members":       batch(append(bytes.Repeat([]byte("1,"), 1_000_000), '1')),
		"a long number":           batch(fill("9")[12:]),
		"many keys":               slices.Concat([]byte(`{"userId":"u"`), bytes.Repeat([]byte(`,"a":1`), 600_000), []byte(`}`)),
		"a context for many members": slices.Concat([]byte(`{"context":{"a":"`), bytes.Repeat([]byte("x"), 1<<20),
			[]byte(`"},"batch":[{"userId":1}`), bytes.Repeat([]byte(`,{"userId":1}`), 90_000), []byte(`]}`)),
		"invalid UTF-8": batch([]byte("{\"userId\":\"\xff\xfe\"}")),
		"NUL":           batch([]byte("{\"userId\":\"\x00\"}")),
		"binary":        fill("\x1f\x8b\x08\x00\xff"),
	}
}

// hostile sends hostile bodies to every call.
func hostile(t *testing.T, s ingest.Source) {
	for name, body := range Hostile() {
		for _, call := range []ingest.Call{ingest.Track, ingest.Batch, ingest.Import} {
			req, _ := request(nil)
			req.Body, req.Call = body, call
			kept, rejected, err := s.Parse(req)
			size := 0
			for _, e := range kept {
				size += len(e.JSON)
			}
			for _, r := range rejected {
				size += len(r.Event.JSON)
			}
			if size > 64<<20 {
				t.Errorf("%s to %s makes %d bytes (%d kept, %d rejected, %v)", name, call, size, len(kept), len(rejected), err)
			}
		}
	}
}

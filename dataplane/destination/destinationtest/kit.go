// Package destinationtest holds every kind of destination to the contract of
// package destination: Check runs a kind over its case files and over generated
// batches, CheckSink runs a sink against a fake of its other side, and Server is an
// endpoint that refuses requests that are not good HTTP and good JSON.
//
// A case file is a txtar archive: settings.json, secrets.json (clear, made up),
// events.jsonl, one event a line, and want.jsonl, which -update rewrites: a line
// for each request, or for each event that ends without one.
package destinationtest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/catalog"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
)

var update = flag.Bool("update", false, "rewrite want.jsonl of the case files")

// now is the clock of every case.
var now = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// Check holds kind, whose folder is dir, to the contract.
func Check(t *testing.T, kind destination.Kind, dir string) {
	t.Run("spec", func(t *testing.T) { checkSpec(t, kind.Spec, dir) })
	files, err := filepath.Glob(filepath.Join(dir, "testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files in %s/testdata: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c := readCase(t, file)
			o, err := kind.Open(c.settings, c.opened)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			if o.Limits.Concurrency < 1 || o.Limits.Timeout <= 0 || o.Limits.BatchSize < 1 {
				t.Errorf("limits are not complete: %+v", o.Limits)
			}
			if (o.HTTP == nil) == (o.Sink == nil) {
				t.Fatal("exactly one of HTTP and Sink has to be set")
			}
			if o.HTTP == nil {
				return // see CheckSink
			}
			c.compare(t, o)
			c.checkSecrets(t, o, c.events)
			for seed := range uint64(20) {
				events := generate(seed, o.Limits.BatchSize)
				c.checkSecrets(t, o, events)
				checkBuild(t, o, events, seed)
			}
			checkBuild(t, o, c.events, 0)
		})
	}
	t.Run("refusals", func(t *testing.T) { checkRefusals(t, kind, files) })
}

// checkSpec wants the spec to be complete, for forms and for readers.
func checkSpec(t *testing.T, s catalog.Spec, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "spec.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := catalog.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parsed, s); diff != "" {
		t.Errorf("the kind has another spec than its spec.yaml: -file +kind\n%s", diff)
	}
	if s.Name != filepath.Base(dir) || s.Family != catalog.Destinations {
		t.Errorf("spec says %s %s in folder %s", s.Family, s.Name, dir)
	}
	var fields func(all []catalog.Field, path string)
	fields = func(all []catalog.Field, path string) {
		for _, f := range all {
			if f.Doc == "" {
				t.Errorf("field %s%s has no doc", path, f.Name)
			}
			fields(f.Fields, path+f.Name+".")
		}
	}
	fields(s.Fields, "settings.")
	fields(s.Secrets, "secrets.")
}

// checkBuild wants every event in exactly one request or verdict, equal bytes
// for equal events, limits kept, and a good Judge.
func checkBuild(t *testing.T, o destination.Opened, events []event.Event, seed uint64) {
	t.Helper()
	for len(events) > 0 {
		n := min(len(events), o.Limits.BatchSize)
		b := batch(events[:n])
		events = events[n:]
		reqs, verdicts := o.HTTP.Build(b)
		again, verdictsAgain := o.HTTP.Build(b)
		if diff := cmp.Diff(reqs, again) + cmp.Diff(verdicts, verdictsAgain); diff != "" {
			t.Errorf("seed %d: two builds of one batch differ:\n%s", seed, diff)
		}
		fate := make([]int, n)
		for _, r := range reqs {
			if len(r.Items) == 0 || r.Method == "" || !strings.HasPrefix(r.URL, "http") {
				t.Errorf("seed %d: request %s %s for %d items", seed, r.Method, r.URL, len(r.Items))
			}
			for _, i := range r.Items {
				fate[i]++
			}
			checkJudge(t, o, r)
		}
		for _, v := range verdicts {
			fate[v.Item]++
			checkVerdict(t, v, "Build")
		}
		for i, times := range fate {
			if times != 1 {
				t.Errorf("seed %d: event %d of a batch of %d ends %d times, want once", seed, i, n, times)
			}
		}
	}
}

// checkJudge wants one good verdict per item for any answer.
func checkJudge(t *testing.T, o destination.Opened, r destination.Request) {
	t.Helper()
	for status := 100; status < 600; status++ {
		for _, body := range []string{"", "\xff\x00{", `{"error":"no"}`, `[]`, `null`} {
			verdicts := o.HTTP.Judge(r, destination.Response{Status: status, Header: http.Header{}, Body: []byte(body)})
			left := map[int]bool{}
			for _, i := range r.Items {
				left[i] = true
			}
			for _, v := range verdicts {
				if !left[v.Item] {
					t.Fatalf("status %d, body %q: item %d has a second verdict, or is not of this request", status, body, v.Item)
				}
				delete(left, v.Item)
				checkVerdict(t, v, fmt.Sprintf("status %d", status))
				if status >= 500 && v.Outcome != destination.Retry {
					t.Errorf("status %d, body %q: outcome %d, want a retry", status, body, v.Outcome)
				}
			}
			if len(left) > 0 {
				t.Fatalf("status %d, body %q: %d items have no verdict", status, body, len(left))
			}
		}
	}
}

var code = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func checkVerdict(t *testing.T, v destination.Verdict, where string) {
	t.Helper()
	if why := badVerdict(v); why != "" {
		t.Errorf("%s: %s", where, why)
	}
}

// badVerdict says what is wrong with a verdict, "" for nothing. Its code has to be
// one of wire.Codes: nothing else goes up to the control plane.
func badVerdict(v destination.Verdict) string {
	switch {
	case v.Outcome < destination.Delivered || v.Outcome > destination.Dead:
		return fmt.Sprintf("outcome %d is none", v.Outcome)
	case v.Outcome != destination.Delivered && !wire.Code(v.Code).Known():
		return fmt.Sprintf("code %q is not declared in package wire", v.Code)
	case !utf8.ValidString(v.Detail):
		return "the detail is not UTF-8"
	}
	return ""
}

// checkRefusals wants problems with a path, without secrets, for bad input.
func checkRefusals(t *testing.T, kind destination.Kind, files []string) {
	c := readCase(t, files[0])
	const mark = "s3cr3t-mark\n\xff"
	bad := map[string]secret.String{}
	for _, f := range kind.Spec.Secrets {
		bad[f.Name] = secret.NewString(mark)
	}
	for name, open := range map[string]func() error{
		"settings that are no object": func() error { _, err := kind.Open([]byte(`[]`), c.opened); return err },
		"an unknown field":            func() error { _, err := kind.Open([]byte(`{"noSuchField":1}`), c.opened); return err },
		"an unknown secret": func() error {
			_, err := kind.Open(c.settings, map[string]secret.String{"noSuchSecret": secret.NewString(mark)})
			return err
		},
		"garbled secrets": func() error {
			if len(bad) == 0 {
				return nil
			}
			_, err := kind.Open(c.settings, bad)
			if err == nil {
				return nil // a kind may take any text
			}
			return err
		},
	} {
		err := open()
		if err == nil {
			if name != "garbled secrets" {
				t.Errorf("%s: opened, want problems", name)
			}
			continue
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
		checkProblems(t, name, err)
	}
}

// generate makes events that a destination may get: odd ids, users, and JSON.
func generate(seed uint64, size int) []event.Event {
	r := rand.New(rand.NewPCG(seed, 3))
	texts := []string{"", "a", "ünï ✓", "\u2028", `quote"s`, "a\nb", strings.Repeat("x", 300), "<&>", "\\", " lead", "'; drop"}
	pick := func() string { return texts[r.IntN(len(texts))] }
	events := make([]event.Event, 1+r.IntN(3*min(size, 100)))
	types := []string{"track", "identify", "page", "screen", "group", "alias", "merge", "odd", ""}
	for i := range events {
		m := map[string]any{"messageId": fmt.Sprint(pick(), seed, i), "type": types[r.IntN(len(types))], "userId": pick(), "event": pick(), "timestamp": now.Format(time.RFC3339),
			"properties": map[string]any{pick(): pick(), "n": r.Float64(), "list": []any{nil, true, pick()}}, "context": map[string]any{"traits": map[string]any{"email": pick()}}}
		b, _ := json.Marshal(m) // maps of strings and numbers
		events[i] = event.Event{Workspace: "ws_kit", Source: "src_kit", MessageID: id.Event(m["messageId"].(string)), Type: m["type"].(string), User: m["userId"].(string), ReceivedAt: now, JSON: b}
	}
	return events
}

func batch(events []event.Event) destination.Batch {
	b := destination.Batch{Now: now}
	for _, e := range events {
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

// line is one line of want.jsonl.
type line struct {
	Events  []id.Event          `json:"events"`
	Method  string              `json:"method,omitempty"`
	URL     string              `json:"url,omitempty"`
	Headers map[string][]string `json:"headers,omitempty"`
	Body    string              `json:"body,omitempty"`
	Outcome string              `json:"outcome,omitempty"`
	Code    string              `json:"code,omitempty"`
}

// compare holds the case's requests against want.jsonl, or rewrites it.
func (c *caseFile) compare(t *testing.T, o destination.Opened) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	for at := 0; at < len(c.events); at += o.Limits.BatchSize {
		events := c.events[at:min(at+o.Limits.BatchSize, len(c.events))]
		reqs, verdicts := o.HTTP.Build(batch(events))
		for _, r := range reqs {
			l := line{Method: r.Method, URL: r.URL, Headers: r.Header, Body: string(r.Body)}
			for _, i := range r.Items {
				l.Events = append(l.Events, events[i].MessageID)
			}
			_ = enc.Encode(l) // a buffer
		}
		for _, v := range verdicts {
			_ = enc.Encode(line{Events: []id.Event{events[v.Item].MessageID}, Outcome: [...]string{"", "delivered", "dropped", "retry", "dead"}[v.Outcome], Code: v.Code})
		}
	}
	if *update {
		c.archive.set("want.jsonl", got.Bytes())
		if err := os.WriteFile(c.path, c.archive.format(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(c.archive.get("want.jsonl")), got.String()); diff != "" {
		t.Errorf("%s: -want +got (rewrite with -update, and read the difference):\n%s", c.path, diff)
	}
}

// checkSecrets wants secrets in headers and nowhere else.
func (c *caseFile) checkSecrets(t *testing.T, o destination.Opened, events []event.Event) {
	t.Helper()
	reqs, verdicts := o.HTTP.Build(batch(events[:min(len(events), o.Limits.BatchSize)]))
	for _, value := range c.values {
		for _, r := range reqs {
			if strings.Contains(r.URL, value) || bytes.Contains(r.Body, []byte(value)) {
				t.Error("a secret stands in a request's URL or body")
			}
		}
		for _, v := range verdicts {
			if strings.Contains(v.Detail, value) {
				t.Error("a secret stands in a verdict")
			}
		}
	}
}

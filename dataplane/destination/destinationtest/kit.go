// Package destinationtest holds every kind of destination to the contract of
// package destination: Check runs a kind over its case files and over generated
// batches, CheckSink runs a sink against a fake of its other side, and Server is an
// endpoint that refuses requests that are not good HTTP and good JSON. Exchanges and
// ExchangeGenerated run a kind against a stand-in of its vendor's API.
//
// A case file is a txtar archive: settings.json, secrets.json (clear, made up, 6
// characters or more), events.jsonl, one event a line, found.json, what look-ups found
// by their Key, and want.jsonl, which -update rewrites: a line for each request, or for
// each event that ends without one.
package destinationtest

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/destination/cases"
	"weir/dataplane/destination/override"
	"weir/dataplane/event"
	"weir/shared/catalog"
	"weir/shared/catalog/form/formtest"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
)

var update = flag.Bool("update", false, "rewrite want.jsonl of the case files")

// now is the clock of every case.
var now = cases.Now()

// Check holds kind, whose folder is dir, to the contract.
func Check(t *testing.T, kind destination.Kind, dir string) {
	kind = override.Kind(kind)
	t.Run("spec", func(t *testing.T) { checkSpec(t, kind.Spec, dir) })
	files, err := filepath.Glob(filepath.Join(dir, "testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files in %s/testdata: %v", dir, err)
	}
	generated := map[string]bool{} // settings with which generated batches were built
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c, err := readCase(file)
			if err != nil {
				t.Fatal(err)
			}
			with := string(c.Settings) + string(c.Part("secrets.json"))
			c.alone, generated[with] = generated[with], true
			for _, mistake := range c.check(kind) {
				t.Error(mistake)
			}
			agree(t, kind, c)
		})
	}
	t.Run("refusals", func(t *testing.T) { checkRefusals(t, kind, files) })
}

// agree wants the form of a kind to refuse what the kind refuses of choices, and nothing else.
func agree(t *testing.T, kind destination.Kind, c *caseFile) {
	given := map[string]string{}
	for name, s := range c.Secrets {
		given[name] = s.Reveal()
	}
	of := formtest.Kind{Form: kind.Spec.Form, Secret: func(name string) bool {
		return slices.ContainsFunc(kind.Spec.Secrets, func(f catalog.Field) bool { return f.Name == name })
	}, Open: func(settings []byte, secrets map[string]string) error {
		sealed := map[string]secret.String{}
		for name, text := range secrets {
			sealed[name] = secret.NewString(text)
		}
		_, err := kind.Open(settings, sealed)
		return err
	}}
	formtest.Agree(t, of, c.Settings, given)
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

// check opens kind with the settings of the case and returns what is wrong with
// what it builds.
func (c *caseFile) check(kind destination.Kind) []string {
	o, err := kind.Open(c.Settings, c.Secrets)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("Open: %v", err)}
	case (o.HTTP == nil) == (o.Sink == nil):
		return []string{"exactly one of HTTP and Sink has to be set"}
	case o.Limits.Concurrency < 1 || o.Limits.Timeout <= 0 || o.Limits.BatchSize < 1:
		return []string{fmt.Sprintf("limits are not complete: %+v", o.Limits)}
	case o.HTTP == nil:
		return nil // see CheckSink
	}
	k := &caseCheck{file: c, opened: o, foreign: map[string]bool{}}
	for _, other := range catalog.All() {
		for _, code := range other.Codes {
			k.foreign[code.Name] = other.Family != kind.Spec.Family || other.Name != kind.Spec.Name
		}
	}
	k.build(c.Events, 0)
	for seed := range uint64(20) {
		if !c.alone {
			k.build(generate(seed, o.Limits.BatchSize), seed)
		}
	}
	if !k.lost {
		c.compare(&k.mistakes, o)
	}
	return k.found
}

// caseCheck is the check of one case.
type caseCheck struct {
	mistakes
	file    *caseFile
	opened  destination.Opened
	foreign map[string]bool // codes of other kinds
	lost    bool            // a request or verdict names an item that is not in its batch
}

// build wants every event in exactly one request or verdict, equal bytes for equal
// events, limits kept, and a good Judge.
func (k *caseCheck) build(all []event.Event, seed uint64) {
	for events := range slices.Chunk(all, k.opened.Limits.BatchSize) {
		b := cases.Batch(events)
		k.lookUps(&b, seed)
		k.stage(b, seed)
	}
}

// stage wants that of one stage of a batch, and of what follows once it is delivered.
func (k *caseCheck) stage(b destination.Batch, seed uint64) {
	reqs, verdicts := k.opened.HTTP.Build(b)
	again, verdictsAgain := k.opened.HTTP.Build(b)
	if !reflect.DeepEqual(reqs, again) || !reflect.DeepEqual(verdicts, verdictsAgain) { // cmp takes long for bodies
		k.once("differ", "seed %d: two builds of one batch differ:\n%s", seed, cmp.Diff(reqs, again)+cmp.Diff(verdicts, verdictsAgain))
	}
	fate := make([]int, len(b.Items))
	count := func(i int) {
		if i < 0 || i >= len(fate) {
			k.lost = true
			k.once("lost", "seed %d: there is no item %d in a batch of %d", seed, i, len(fate))
			return
		}
		fate[i]++
	}
	for _, r := range reqs {
		if len(r.Items) == 0 || r.Method == "" || !strings.HasPrefix(r.URL, "http") {
			k.once("request", "seed %d: request %s %s for %d items", seed, r.Method, r.URL, len(r.Items))
		}
		for _, i := range r.Items {
			count(i)
		}
		for _, part := range r.Parts {
			if !slices.Contains(r.Items, part) {
				k.once("parts", "seed %d: a part of a request is of item %d, which is not in it", seed, part)
			}
		}
		k.secrets("a request's URL", r.URL)
		k.secrets("a request's body", string(r.Body))
		if len(k.opened.Auth) > 0 { // what is secret is added after this
			for name, values := range r.Header {
				k.secrets("a request's header", name+": "+strings.Join(values, " "))
			}
		}
		if seed < 2 {
			k.judge(r)
		}
	}
	for _, v := range verdicts {
		count(v.Item)
		k.verdict(v, "Build")
	}
	for i, times := range fate {
		if times != 1 {
			k.once("fate", "seed %d: event %d of a batch of %d ends %d times, want once", seed, i, len(fate), times)
		}
	}
	for _, r := range reqs {
		if r.Next != 0 && (r.Next <= b.Stage || r.Next >= r.MaxStages()) {
			k.once("next", "seed %d: stage %d follows stage %d", seed, r.Next, b.Stage)
			return
		}
	}
	if k.lost {
		return
	}
	for _, next := range cases.Following(b, reqs) {
		k.stage(next, seed)
	}
}

// lookUps wants good look-ups of a kind that makes any, and a verdict on any answer;
// half of them find something.
func (k *caseCheck) lookUps(b *destination.Batch, seed uint64) {
	kind, chained := k.opened.HTTP.(destination.Chained)
	if !chained {
		return
	}
	requests := kind.LookUps(*b)
	if again := kind.LookUps(*b); !reflect.DeepEqual(requests, again) {
		k.once("look-ups differ", "seed %d: the look-ups of one batch differ:\n%s", seed, cmp.Diff(requests, again))
	}
	b.Found = map[string]string{}
	for n, r := range requests {
		if r.Key == "" || len(r.Items) == 0 || r.Method == "" || !strings.HasPrefix(r.URL, "http") {
			k.once("look-up", "seed %d: look-up %s %s by key %q for %d items", seed, r.Method, r.URL, r.Key, len(r.Items))
		}
		for _, i := range r.Items {
			if i < 0 || i >= len(b.Items) {
				k.once("look-up items", "seed %d: a look-up is for item %d of %d", seed, i, len(b.Items))
			}
		}
		k.secrets("a look-up's URL", r.URL)
		k.secrets("a look-up's body", string(r.Body))
		b.Found[r.Key] = []string{"", "found-1"}[n%2]
		for status := 200; status < 600; status++ {
			for _, body := range []string{"", "\xff\x00{", `{"error":"no"}`, `[]`, `null`} {
				_, v := kind.Find(r, destination.Response{Status: status, Header: http.Header{}, Body: []byte(body)})
				k.verdict(v, fmt.Sprintf("a look-up's status %d", status))
			}
			if seed > 1 {
				break
			}
		}
	}
}

// secrets wants none of the case's secrets in text, which stands in place.
func (k *caseCheck) secrets(place, text string) {
	for _, s := range k.file.secrets {
		if form, found := s.in(text); found {
			k.once([2]string{s.name, place}, "the secret %s stands in %s, %s", s.name, place, form)
		}
	}
}

// judge wants one good verdict per item for any answer.
func (k *caseCheck) judge(r destination.Request) {
	for status := 100; status < 600; status++ {
		bodies := []string{"", "\xff\x00{", `{"error":"no"}`, `[]`, `null`}
		if len(r.Items) > 20 {
			bodies = bodies[:1] // large ones with one body: time
		}
		for _, body := range bodies {
			verdicts := k.opened.HTTP.Judge(r, destination.Response{Status: status, Header: http.Header{}, Body: []byte(body)})
			left := map[int]bool{}
			for _, i := range r.Items {
				left[i] = true
			}
			for _, v := range verdicts {
				if !left[v.Item] {
					k.once("second", "status %d, body %q: item %d has a second verdict, or is not of this request", status, body, v.Item)
				}
				delete(left, v.Item)
				if v.Outcome == destination.Split { // its item is dead, once it is alone
					v.Outcome = destination.Dead
				}
				k.verdict(v, fmt.Sprintf("status %d", status))
				if status >= 500 && v.Outcome != destination.Retry {
					k.once("retry", "status %d, body %q: outcome %d, want a retry", status, body, v.Outcome)
				}
			}
			if len(left) > 0 {
				k.once("none", "status %d, body %q: %d items have no verdict", status, body, len(left))
			}
		}
	}
}

func (k *caseCheck) verdict(v destination.Verdict, where string) {
	if why := badVerdict(v); why != "" {
		k.once(why, "%s: %s", where, why)
	}
	if k.foreign[v.Code] {
		k.once(v.Code, "%s: code %q is declared by another kind: a kind gives its own and those that all kinds share", where, v.Code)
	}
	k.secrets("a verdict's detail", v.Detail)
}

var code = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// badVerdict says what is wrong with a verdict, "" for nothing. Its code has to be
// one of wire.Codes: nothing else goes up to the control plane.
func badVerdict(v destination.Verdict) string {
	switch {
	case v.Outcome < destination.Delivered || v.Outcome > destination.Dead:
		return fmt.Sprintf("outcome %d is none", v.Outcome)
	case v.Outcome != destination.Delivered && !wire.Code(v.Code).Known():
		return fmt.Sprintf("code %q is not declared: declare it in the kind's spec.yaml, under codes, and run the generator", v.Code)
	case !utf8.ValidString(v.Detail):
		return "the detail is not UTF-8"
	}
	return ""
}

// checkRefusals wants problems with a path, without secrets, for bad input.
func checkRefusals(t *testing.T, kind destination.Kind, files []string) {
	c, err := readCase(files[0])
	if err != nil {
		t.Fatal(err)
	}
	const mark = "s3cr3t-mark\n\xff"
	bad := map[string]secret.String{}
	for _, f := range kind.Spec.Secrets {
		bad[f.Name] = secret.NewString(mark)
	}
	for name, open := range map[string]func() error{
		"settings that are no object": func() error { _, err := kind.Open([]byte(`[]`), c.Secrets); return err },
		"an unknown field":            func() error { _, err := kind.Open([]byte(`{"noSuchField":1}`), c.Secrets); return err },
		"an unknown secret": func() error {
			_, err := kind.Open(c.Settings, map[string]secret.String{"noSuchSecret": secret.NewString(mark)})
			return err
		},
		"garbled secrets": func() error {
			if len(bad) == 0 {
				return nil
			}
			_, err := kind.Open(c.Settings, bad)
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

// compare holds the case's requests against want.jsonl, and what its answers mean against
// verdicts.jsonl, or rewrites both.
func (c *caseFile) compare(m *mistakes, o destination.Opened) {
	got, judged, wrong := c.Run(o)
	for _, text := range wrong {
		m.add("%s", text)
	}
	if *update {
		c.Set("want.jsonl", got)
		if len(judged) > 0 {
			c.Set("verdicts.jsonl", judged)
		}
		if err := c.Write(); err != nil {
			m.add("%v", err)
		}
		return
	}
	if diff := cmp.Diff(string(c.Part("want.jsonl")), string(got)) + cmp.Diff(string(c.Part("verdicts.jsonl")), string(judged)); diff != "" {
		m.add("%s: -want +got (rewrite with -update, and read the difference):\n%s", c.Path, diff)
	}
}

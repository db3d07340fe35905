// Package apitest is the conformance kit of sources that are files: each is held to a
// recording of its vendor's API, which answers nothing that is not recorded.
//
// A kind's cases are the files testdata/*.txtar in its folder: a comment with the
// addresses of the vendor's pages that the recording was written from, then the
// sections settings and secrets (JSON), and for each pull of a stream a section
// `pull STREAM TIME`, with `from TIME` where the configuration lets it begin later. Below
// it stand answers (the status, headers, an empty line, the body), before each the request
// that it answers, and last the rows that come out. Answers are written by hand; the flag
// -update writes requests and rows, which are then read against the vendor's pages.
//
// A section `trouble MEANING` has an answer that may come at any time, and what it means:
// wait, expired, or the code of a failure.
//
// Each case runs once as it stands. Then it runs again for each request of it, which
// gets another answer first: too many requests, credentials that are refused, no answer,
// one that is no JSON, one that ends in its midst, a position that has ended, and the
// file's own troubles. And it runs again with a death of the plane at each emit, before
// and after the rows are durable. Each of these has to end with the same rows.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/outbound/rate"
	"weir/dataplane/pull"
	"weir/shared/catalog"
	"weir/shared/catalog/form/formtest"
	"weir/shared/catalog/streams/word"
	"weir/shared/secret"
)

var update = flag.Bool("update-pulls", false, "rewrite requests and rows in the case files of sources that are pulled")

// Run holds every kind to its cases. root is the folder that has one folder per kind.
func Run(t *testing.T, kinds []pull.Kind, root string) {
	for _, k := range kinds {
		if k.Spec.Pull == nil {
			continue // its rows come by another protocol
		}
		t.Run(k.Spec.Name, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join(root, k.Spec.Name, "testdata", "*.txtar"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no case files (%v)", err)
			}
			pulled := map[string]bool{}
			for _, name := range files {
				t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { run(t, k, name, pulled) })
			}
			for _, s := range k.Spec.Streams { // those that settings name are the cases' own
				if !pulled[s.Name] {
					t.Errorf("no case pulls the stream %s", s.Name)
				}
			}
		})
	}
}

// run holds one case file, and notes which streams it pulls.
func run(t *testing.T, k pull.Kind, name string, pulled map[string]bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := read(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !strings.Contains(f.comment, "https://") {
		t.Errorf("%s names no page of the vendor", name)
	}
	for _, p := range f.pulls {
		pulled[p.stream] = true
	}
	var secrets map[string]string
	if err := json.Unmarshal(f.secrets, &secrets); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	formtest.Agree(t, formtest.Kind{Form: k.Spec.Form, Secret: func(name string) bool {
		return slices.ContainsFunc(k.Spec.Secrets, func(f catalog.Field) bool { return f.Name == name })
	}}, f.settings, secrets)
	calm := &play{kind: k, file: &f, fault: -1, death: -1, learn: *update}
	in(t, calm)
	if *update {
		if err := os.WriteFile(name, []byte(f.write()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i, p := range f.pulls {
		if diff := cmp.Diff(p.rows, calm.rows[i]); diff != "" {
			t.Errorf("pull %d, of %s: what comes out (-file +now):\n%s", i+1, p.stream, diff)
		}
		for _, x := range p.asked {
			if !calm.used[i][x.request] {
				t.Errorf("pull %d, of %s: not asked:\n%s", i+1, p.stream, x.request)
			}
		}
	}
	if t.Failed() {
		return
	}
	for _, tr := range troubles(k, &f) {
		for n := range calm.asked {
			p := &play{kind: k, file: &f, fault: n, trouble: tr, death: -1}
			if in(t, p); tr.means == word.Expired && p.child {
				continue // of a parent's list: the parent is gone
			}
			p.compare(t, calm, fmt.Sprintf("%q in place of answer %d", tr.text, n+1))
		}
	}
	for n := range 2 * calm.emits {
		p := &play{kind: k, file: &f, fault: -1, death: n}
		in(t, p)
		p.compare(t, calm, fmt.Sprintf("death %d at emit %d", n%2, n/2+1))
	}
}

// in plays in a bubble of time of its own.
func in(t *testing.T, p *play) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { p.t = t; p.play() })
}

// troubles are those of all vendors and of this one.
func troubles(k pull.Kind, f *file) []trouble {
	simple := func(means string, status int, header http.Header, body string) trouble {
		return trouble{means, fmt.Sprintf("%d %s", status, body), destination.Response{Status: status, Header: header, Body: []byte(body)}}
	}
	all := []trouble{
		simple("wait", 429, http.Header{"Retry-After": {"7"}}, ""),
		simple(pull.CodeReauthorize, 401, nil, ""),
		simple(pull.CodeUnreachable, 502, nil, "<html>"),
		simple(pull.CodeUnreachable, 0, nil, ""), // none
		simple(pull.CodeAnswer, 200, nil, "<html>"),
		{pull.CodeAnswer, "an answer that is cut", destination.Response{Status: 200, Body: []byte("{"), Cut: true}},
	}
	for status, means := range k.Spec.Pull.Errors {
		if means == word.Expired {
			all = append(all, simple(word.Expired, status, nil, ""))
		}
	}
	return append(all, f.troubles...)
}

// play is one run of a case.
type play struct {
	t       *testing.T
	kind    pull.Kind
	file    *file
	learn   bool // requests and rows are written
	trouble trouble
	fault   int // which request gets it first; -1: none
	death   int // at which emit it dies, twice its number, and one more for after the rows; -1: none

	asked, emits int
	used         []map[string]bool // by pull
	rows         []string
	table        map[string]string
	struck       bool // the trouble came
	now          bool // in this step
	token        bool // with a request for a token
	child        bool // of a stream for each row of another
}

// errDied is that the plane died at an emit.
var errDied = errors.New("died")

// play pulls all that the file pulls, one after the other.
func (p *play) play() {
	var settings, secrets map[string]any
	if err := errors.Join(json.Unmarshal(p.file.settings, &settings), json.Unmarshal(p.file.secrets, &secrets)); err != nil {
		p.t.Fatal(err)
	}
	opened := map[string]secret.String{}
	for name, value := range secrets {
		opened[name] = secret.NewString(fmt.Sprint(value))
	}
	open, err := p.kind.Open(p.file.settings, opened)
	if err != nil {
		p.t.Fatal(err)
	}
	p.table = map[string]string{}
	cursors := map[string]pull.Cursor{}
	for i := range p.file.pulls {
		p.used = append(p.used, map[string]bool{})
		p.rows = append(p.rows, p.one(open, &p.file.pulls[i], p.used[i], cursors))
	}
}

// one pulls a stream once, and returns its rows as text.
func (p *play) one(open pull.Opened, x *pulling, used map[string]bool, cursors map[string]pull.Cursor) string {
	var began time.Time
	now := func() time.Time { return x.at.Add(time.Since(began)) }
	answers, given := slices.Clone(x.asked), map[int]bool{}
	if p.learn {
		x.asked = nil
	}
	do := func(_ context.Context, r destination.Request) (destination.Response, error) {
		text := requestText(r)
		if p.asked++; p.asked-1 == p.fault {
			p.struck, p.now, p.token, p.child = true, true, strings.Contains(text, "grant_type="), p.kind.Spec.PullOf(p.file.settings).Stream(x.stream).For != ""
			if p.trouble.answer.Status == 0 {
				return destination.Response{}, errors.New("no answer")
			}
			return p.trouble.answer, nil
		}
		i := -1
		for n, e := range x.asked {
			if e.request == text && !given[n] {
				i = n
				break
			}
		}
		if i < 0 && p.learn && len(answers) > 0 {
			e := answers[0]
			answers, i = answers[1:], len(x.asked)
			e.request = text
			x.asked = append(x.asked, e)
		}
		if i < 0 {
			p.t.Fatalf("pull of %s at %v: the recording has no answer to\n%s", x.stream, x.at, text)
		}
		used[text] = true
		given[i] = x.asked[i].once
		res := x.asked[i].answer
		res.Header = res.Header.Clone()
		res.Body = bytes.Clone(res.Body)
		return res, nil
	}
	restart := func() pull.Puller {
		return open(pull.Deps{
			Do: func(ctx context.Context, r destination.Request, _ time.Duration, _ int) (destination.Response, error) {
				return do(ctx, r)
			},
			Keys: auth.New(func(ctx context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
				return do(ctx, r)
			}),
			Rates: &rate.Rates{}, Now: now, Log: slog.New(slog.DiscardHandler),
		})
	}
	var out strings.Builder
	emit := func(all []pull.Record, c pull.Cursor) error {
		p.emits++
		if p.death == 2*(p.emits-1) {
			return errDied
		}
		for _, r := range all {
			line := shown(r)
			out.WriteString(line)
			p.table[x.stream+"/"+r.Key] = line
		}
		if p.death == 2*(p.emits-1)+1 {
			return errDied
		}
		if len(c) > 64<<10 || !json.Valid(c) {
			p.t.Errorf("a cursor of %d bytes: %.100s", len(c), c)
		}
		cursors[x.stream] = slices.Clone(c)
		return nil
	}
	puller := restart()
	for range 1000 {
		began, p.now = time.Now(), false
		next, err := puller.Pull(p.t.Context(), x.stream, cursors[x.stream], pull.Budget{Until: x.at.Add(time.Hour), From: x.from}, emit)
		p.expect(next, err)
		if err == nil && next.Wait == 0 && !next.More {
			if p.learn {
				x.rows = out.String()
				if len(answers) > 0 {
					p.t.Fatalf("pull of %s at %v: %d answers are not asked for", x.stream, x.at, len(answers))
				}
			}
			return out.String()
		}
		if err != nil || next.Wait > 0 {
			puller = restart() // as if the time to wait were over
		}
	}
	p.t.Fatalf("pull of %s at %v: it does not end", x.stream, x.at)
	return ""
}

// expect holds the end of a step to what the trouble means.
func (p *play) expect(next pull.Next, err error) {
	p.t.Helper()
	var failure *pull.Failure
	switch {
	case errors.Is(err, errDied):
		return
	case errors.As(err, &failure):
		for _, text := range []string{"sk_", "<html>"} {
			if strings.Contains(failure.Text, text) {
				p.t.Errorf("the failure shows something of an answer: %s", failure.Text)
			}
		}
		if !p.struck || !p.token && failure.Code != p.trouble.means && !(p.trouble.means == word.Expired && failure.Code == pull.CodeRefused) {
			p.t.Fatalf("the step failed with %v, want %q", err, p.trouble.means)
		}
	case err != nil:
		p.t.Fatalf("the step failed with %v", err)
	case next.Wait > 0 && p.now && p.trouble.means == "wait" && p.trouble.answer.Header.Get("Retry-After") == "7" && next.Wait > 7*time.Second:
		p.t.Errorf("it waits for %v, the vendor said 7 s", next.Wait)
	case next.Wait > 0 && p.now && p.trouble.means != "wait" && next.Wait > time.Minute:
		p.t.Errorf("it waits for %v, want %q", next.Wait, p.trouble.means)
	}
}

// compare fails when the tables differ.
func (p *play) compare(t *testing.T, calm *play, what string) {
	t.Helper()
	if diff := cmp.Diff(calm.table, p.table); diff != "" {
		t.Fatalf("%s: the rows differ (-calm +then):\n%s", what, diff)
	}
}

// shown is a record as case files show it.
func shown(r pull.Record) string {
	var row bytes.Buffer
	if json.Compact(&row, r.Row) != nil {
		row.Write(r.Row)
	}
	action, at := "upsert", "-"
	if r.Deleted {
		action = "delete"
	}
	if !r.At.IsZero() {
		at = r.At.Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%s %s %s %s\n", action, r.Key, at, &row)
}

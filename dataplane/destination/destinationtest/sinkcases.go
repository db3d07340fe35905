package destinationtest

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/destination/cases"
	"weir/dataplane/destination/override"
)

// Side is the other side of a sink in a case.
type Side struct {
	Deps destination.Deps
	// Arrived returns what arrived, a line for each thing, in an order that is the same in
	// each run.
	Arrived func() []string
}

// SinkCases writes the events of each case file in dir to the other side that start
// makes, in one batch named "batch", and compares what arrived there, and behind it the
// outcome and code of each event that was not delivered, with want.jsonl. None of it holds a secret.
func SinkCases(t *testing.T, kind destination.Kind, dir string, start func(testing.TB) Side) {
	files, err := filepath.Glob(filepath.Join(dir, "testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files in %s/testdata: %v", dir, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			c, err := readCase(name)
			if err != nil {
				t.Fatal(err)
			}
			got := c.written(t, kind, start(t))
			for _, s := range c.secrets {
				if form, found := s.in(got); found {
					t.Errorf("the secret %s arrived in events, %s", s.name, form)
				}
			}
			if *update {
				c.Set("want.jsonl", []byte(got))
				if err := c.Write(); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(bytes.TrimSpace(c.Part("want.jsonl"))), strings.TrimSpace(got)); diff != "" {
				t.Errorf("what arrived differs: -want +got\n%s", diff)
			}
		})
	}
}

// written writes the events of a case and returns what arrived and what did not.
func (c *caseFile) written(t *testing.T, kind destination.Kind, other Side) string {
	o, err := override.Kind(kind).Open(c.Settings, c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	sink, err := o.Sink(t.Context(), other.Deps)
	if err != nil {
		t.Fatal(err)
	}
	b := cases.Batch(c.Events)
	b.Name = "batch"
	verdicts, err := sink.Write(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
	var out strings.Builder
	for _, line := range other.Arrived() {
		out.WriteString(line + "\n")
	}
	for _, v := range destination.Wrote(len(c.Events), verdicts, nil) {
		if why := badVerdict(v); why != "" {
			t.Error(why)
		}
		if v.Outcome != destination.Delivered {
			fmt.Fprintf(&out, "{\"messageId\":%q,%q:%q}\n", c.Events[v.Item].MessageID, cases.Outcome(v.Outcome), v.Code)
		}
	}
	return out.String()
}

package layout_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/layout"
)

var update = flag.Bool("update", false, "write the rows of testdata anew")

// TestCases reads testdata/*.txtar: a comment, then cases of two sections. The
// first is named "DIALECT: what it shows" and holds an event, behind options and
// metadata where there are any, each a line; "rows" holds what has to come out:
//
//	table
//	  column type value
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: %v, %d files", err, len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := regexp.MustCompile(`(?m)^-- (.*) --\n`).Split(string(text), -1)
			names := regexp.MustCompile(`(?m)^-- (.*) --\n`).FindAllStringSubmatch(string(text), -1)
			out := parts[0]
			for i := 0; i < len(names); i++ {
				out += "-- " + names[i][1] + " --\n" + parts[i+1]
				got := laid(t, names[i][1], parts[i+1])
				want := ""
				if i+1 < len(names) && names[i+1][1] == "rows" {
					i++
					want = parts[i+1]
				}
				if diff := cmp.Diff(want, got); diff != "" && !*update {
					t.Errorf("%s, %s: rows differ (-want +got):\n%s", file, names[i-1][1], diff)
				}
				out += "-- rows --\n" + got
			}
			if *update {
				if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func laid(t *testing.T, name, text string) string {
	kind, _, _ := strings.Cut(name, ":")
	d := dialect(t, kind)
	var o layout.Options
	m := layout.Meta{Now: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), MessageID: "auto-1"}
	for line := range strings.SplitSeq(text, "\n") {
		for prefix, into := range map[string]any{"options ": &o, "metadata ": &m} {
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				if err := json.Unmarshal([]byte(rest), into); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				text = strings.Replace(text, line+"\n", "", 1)
			}
		}
	}
	rows, drop, err := d.Rows(&o, m, []byte(text))
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	if drop != "" {
		return "dropped: " + drop + "\n"
	}
	var b strings.Builder
	for _, r := range rows {
		if r.Shared != "" {
			fmt.Fprintf(&b, "%s, or where another event has it ", r.Shared)
		}
		fmt.Fprintln(&b, r.Table)
		for _, c := range r.Columns {
			if strings.EqualFold(c.Name, "uuid_ts") && c.Raw == "2026-01-02T03:04:05.006Z" || c.Name == "received_at" && !strings.Contains(text, "received_at") && c.Raw == "2026-01-02T03:04:05.006Z" {
				continue // in every row, see standard.txtar
			}
			fmt.Fprintf(&b, "  %s %s %s\n", c.Name, c.Type, c.Raw)
		}
	}
	return b.String()
}

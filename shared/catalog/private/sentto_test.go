package private_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"weir/shared/catalog"
	"weir/shared/catalog/private"
)

var update = flag.Bool("update", false, "write what specs are read as into testdata/sentto.json")

// example is a spec of a custom destination or source as it is written and as it is read, and
// where the secrets are sent with these settings. The console's tests read the same file.
type example struct {
	Spec     string          `json:"spec"`
	Source   bool            `json:"source,omitempty"`
	Settings json.RawMessage `json:"settings"`
	SentTo   string          `json:"sentTo"`
	Read     json.RawMessage `json:"read"`
}

// TestTheConsoleKnowsWhereSecretsOfASpecOfOnesOwnAreSent holds what callers get of a spec,
// and what they seal for, to testdata/sentto.json.
func TestTheConsoleKnowsWhereSecretsOfASpecOfOnesOwnAreSent(t *testing.T) {
	t.Parallel()
	const name = "testdata/sentto.json"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var examples []example
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	for i, e := range examples {
		parse := private.Parse
		if e.Source {
			parse = private.ParseSource
		}
		spec, err := parse(e.Spec)
		if err != nil {
			t.Fatalf("example %d: %v", i, err)
		}
		if got := catalog.SentTo(spec, e.Settings); got != e.SentTo {
			t.Errorf("example %d is sent to %q, want %q", i, got, e.SentTo)
		}
		read, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, e.Read); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read, want.Bytes()) && !*update {
			t.Errorf("example %d is read as\n%s\nwant\n%s\n(-update writes it)", i, read, want.Bytes())
		}
		examples[i].Read = read
	}
	if !*update {
		return
	}
	var out bytes.Buffer
	w := json.NewEncoder(&out)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	if err := w.Encode(examples); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

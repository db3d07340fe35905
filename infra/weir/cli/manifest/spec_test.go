package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/infra/weir/cli/manifest"
	"weir/shared/fault"
)

func TestASpecStandsInTheFileOrBesideIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const spec = "family: destination\nname: crm\n"
	if err := os.WriteFile(filepath.Join(dir, "crm.yaml"), []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "long.yaml"), []byte(strings.Repeat("#", 257<<10)), 0o600); err != nil {
		t.Fatal(err)
	}
	parse := func(is string) (string, error) {
		files, err := manifest.Parse(filepath.Join(dir, "weir.yaml"), strings.NewReader("workspace: acme\nregion: eu\ndestinations:\n  - { name: crm, type: custom, spec: "+is+" }\n"))
		if len(files) != 1 || len(files[0].Document.Destinations) != 1 {
			t.Fatalf("%s: %v, %v", is, files, err)
		}
		return files[0].Document.Destinations[0].Spec, err
	}
	for _, is := range []string{`"family: destination\nname: crm\n"`, `{ from: file, path: crm.yaml }`, `{ from: file, path: "./crm.yaml" }`, `{ from: file, path: "` + filepath.Join(dir, "crm.yaml") + `" }`} {
		if got, err := parse(is); err != nil || got != spec {
			t.Errorf("%s: %q, %v", is, got, err)
		}
	}
	for is, code := range map[string]string{
		`{ from: env, name: X }`: "unknown_key", `{ from: file }`: "wrong_spec", `{ from: url, path: crm.yaml }`: "wrong_spec", `7`: "wrong_type",
		`{ from: file, path: none.yaml }`: "unreadable_spec", `{ from: file, path: long.yaml }`: "unreadable_spec", `{ from: file, path: "." }`: "unreadable_spec",
	} {
		_, err := parse(is)
		if problems := fault.ProblemsOf(err); len(problems) != 1 || problems[0].Code != code || !strings.Contains(problems[0].Path, "destinations[0].spec") {
			t.Errorf("%s: %v, want %s", is, err, code)
		}
	}
	files, err := manifest.Parse(filepath.Join(dir, "weir.yaml"), strings.NewReader("workspace: acme\nregion: eu\ndestinations:\n  - { name: crm, type: custom, spec: { from: file, path: crm.yaml } }\n"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := manifest.Format(&out, files[0].Document); err != nil || !strings.Contains(out.String(), "spec: |\n      family: destination\n      name: crm\n") {
		t.Errorf("written: %s, %v", out.String(), err)
	}
}

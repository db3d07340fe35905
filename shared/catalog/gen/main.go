// Gen turns each dataplane/{sources,destinations,warehouses}/<name>/spec.yaml
// into typed settings beside it (settings.gen.go), each family into a list of
// its kinds (all.gen.go), and all of them into shared/catalog/catalog.gen.json,
// which the catalog embeds. A destination that says its calls itself and has no Go
// file is embedded by the list. docs/destinations has a page of each. Run it from the root of the repository:
//
//	go run ./shared/catalog/gen
//
// Equal specs give equal bytes. Nothing is written unless every spec is good.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir/shared/catalog"
)

// family is a folder of kinds and the package with their contract.
type family struct {
	family   catalog.Family
	folder   string
	contract string
}

var families = []family{
	{catalog.Destinations, "destinations", "destination"},
	{catalog.Sources, "sources", "ingest"},
	{catalog.Warehouses, "warehouses", "warehouse"},
}

func main() {
	root := flag.String("root", ".", "the repository's root")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run reads all specs below root and writes all files.
func run(root string) error {
	if _, err := os.Stat(filepath.Join(root, "go.work")); err != nil {
		return fmt.Errorf("run this from the root of the repository: %w", err)
	}
	files := map[string][]byte{}
	all := []catalog.Spec{}
	for _, f := range families {
		specs, err := read(root, f)
		if err != nil {
			return err
		}
		all = append(all, specs...)
		plain := map[string]bool{}
		for _, s := range specs {
			plain[s.Name] = (s.Calls != nil || s.Pull != nil) && !written(filepath.Join(root, "dataplane", f.folder, s.Name))
			if plain[s.Name] {
				if s.Calls != nil && len(s.Calls.Go) > 0 {
					return fmt.Errorf("dataplane/%s/%s: the spec names a value by go, but there is no Go file", f.folder, s.Name)
				}
				files[filepath.Join("dataplane", f.folder, s.Name, "settings.gen.go")] = nil
				continue
			}
			if files[filepath.Join("dataplane", f.folder, s.Name, "settings.gen.go")], err = settingsFile(s); err != nil {
				return fmt.Errorf("settings of %s: %w", s.Name, err)
			}
		}
		list := filepath.Join("dataplane", f.folder, "all.gen.go")
		files[list] = nil
		if len(specs) > 0 {
			if files[list], err = listFile(f, specs, plain); err != nil {
				return fmt.Errorf("list of %s: %w", f.folder, err)
			}
		}
	}
	for name, text := range pages(root, all) {
		files[name] = text
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	files[filepath.Join("shared", "catalog", "catalog.gen.json")] = append(b, '\n')
	for name, content := range files {
		if err := put(filepath.Join(root, name), content); err != nil {
			return err
		}
	}
	return nil
}

// read returns the specs of one family in the order of their names.
func read(root string, f family) ([]catalog.Spec, error) {
	names, err := filepath.Glob(filepath.Join(root, "dataplane", f.folder, "*", "spec.yaml")) // sorted
	if err != nil {
		return nil, fmt.Errorf("find specs of %s: %w", f.folder, err)
	}
	var specs []catalog.Spec
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read a spec: %w", err)
		}
		s, err := catalog.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if folder := filepath.Base(filepath.Dir(name)); s.Name != folder || s.Family != f.family {
			return nil, fmt.Errorf("%s: it says family %s and name %s, but it lies in %s/%s", name, s.Family, s.Name, f.folder, folder)
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// written reports whether somebody wrote Go in a folder.
func written(folder string) bool {
	names, _ := filepath.Glob(filepath.Join(folder, "*.go")) // the pattern is good
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(name, ".gen.go") {
			return true
		}
	}
	return false
}

// put writes content where it differs from what is there; nil removes the file.
func put(name string, content []byte) error {
	if content == nil {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove a generated file: %w", err)
		}
		return nil
	}
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	fmt.Println(strings.TrimPrefix(name, "./"))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("make the folder of a generated file: %w", err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		return fmt.Errorf("write a generated file: %w", err)
	}
	return nil
}

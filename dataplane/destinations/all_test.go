package destinations_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations"
)

// TestAll holds every folder to the contract of destinations.
func TestAll(t *testing.T) {
	t.Parallel()
	folders := map[string]bool{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			folders[e.Name()] = true
		}
	}
	for _, kind := range destinations.All() {
		delete(folders, kind.Spec.Name)
		t.Run(kind.Spec.Name, func(t *testing.T) { destinationtest.Check(t, kind, kind.Spec.Name) })
	}
	for name := range folders {
		t.Errorf("folder %s is in no list: go run ./shared/catalog/gen", name)
	}
}

// BenchmarkBuild has a row for every kind that makes requests. The goal is 30 µs an event
// at most for those that are files, and 10 µs for those with code.
func BenchmarkBuild(b *testing.B) {
	for _, kind := range destinations.All() {
		destinationtest.Bench(b, kind, kind.Spec.Name)
	}
}

// TestEachKindHasCasesFromTheVendorsPages: twelve at least, and each says which page it was
// written from. Two kinds send to no vendor.
func TestEachKindHasCasesFromTheVendorsPages(t *testing.T) {
	t.Parallel()
	for _, kind := range destinations.All() {
		cases, err := filepath.Glob(filepath.Join(kind.Spec.Name, "testdata", "*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if kind.Spec.Name == "webhook" || kind.Spec.Name == "http" {
			continue
		}
		if len(cases) < 12 {
			t.Errorf("%s has %d cases, want 12", kind.Spec.Name, len(cases))
		}
		for _, name := range cases {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(archive.Comment), "https://") {
				t.Errorf("%s names no page of the vendor", name)
			}
		}
	}
}

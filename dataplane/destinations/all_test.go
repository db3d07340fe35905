package destinations_test

import (
	"os"
	"testing"

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

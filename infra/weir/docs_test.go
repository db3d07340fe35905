package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link finds the address of a link in Markdown.
var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// broken returns the relative links of a Markdown text in folder that lead to no file.
func broken(folder, text string) []string {
	var out []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		path, _, _ := strings.Cut(m[1], "#")
		if path == "" || strings.Contains(path, "://") || strings.HasPrefix(path, "mailto:") {
			continue
		}
		if _, err := os.Stat(filepath.Join(folder, path)); err != nil {
			out = append(out, m[1])
		}
	}
	return out
}

// TestLinksLeadToFiles holds the relative links of the documentation.
func TestLinksLeadToFiles(t *testing.T) {
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("no documentation: %v", err)
	}
	for _, name := range append(names, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range broken(filepath.Dir(name), string(text)) {
			t.Errorf("%s: the link to %s leads to no file", filepath.Base(name), to)
		}
	}
	text := "[here](house.md#floors) [away](https://example.com/house.md) [this page](#floors) [gone](gone.md#top)"
	if got := broken("../../docs", text); len(got) != 1 || got[0] != "gone.md#top" {
		t.Errorf("broken links of %q are %q, want only the last", text, got)
	}
}

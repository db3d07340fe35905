package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"weir/shared/catalog"
	"weir/shared/catalog/page"
)

// pages returns the pages of all kinds by file, nil for those of kinds that
// are gone.
func pages(root string, all []catalog.Spec) map[string][]byte {
	files := map[string][]byte{}
	for _, family := range []string{"destinations", "sources", "warehouses"} {
		old, _ := filepath.Glob(filepath.Join(root, "docs", family, "*.md")) // the pattern is good
		for _, name := range old {
			files[filepath.Join("docs", family, filepath.Base(name))] = nil
		}
	}
	var list bytes.Buffer
	list.WriteString("# Destinations\nGenerated from each kind's `spec.yaml`. `weir catalog NAME` prints the same; [warehouses](../warehouses) are destinations too: `weir catalog --family warehouse`.\n\n| type | |\n|---|---|\n")
	for _, s := range all {
		if s.Family != catalog.Destinations {
			files[filepath.Join("docs", string(s.Family)+"s", s.Name+".md")] = page.Write(s, page.Example{})
		}
		if s.Family != catalog.Destinations {
			continue
		}
		files[filepath.Join("docs", "destinations", s.Name+".md")] = page.Write(s, example(filepath.Join(root, "dataplane", "destinations", s.Name, "testdata")))
		list.WriteString("| [" + s.Name + "](" + s.Name + ".md) | " + s.Doc + " |\n")
	}
	if len(files) > 0 {
		files[filepath.Join("docs", "destinations", "README.md")] = list.Bytes()
	}
	return files
}

// example is the first case in a folder that sends something of one event.
func example(folder string) page.Example {
	names, _ := filepath.Glob(filepath.Join(folder, "*.txtar")) // sorted; the pattern is good
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		events, want := section(text, "events.jsonl"), section(text, "want.jsonl")
		var sent struct {
			Events []string `json:"events"`
			Method string   `json:"method"`
			URL    string   `json:"url"`
			Body   string   `json:"body"`
		}
		first, _, _ := bytes.Cut(want, []byte("\n"))
		if json.Unmarshal(first, &sent) != nil || sent.Method == "" || sent.Body == "" || len(sent.Events) != 1 {
			continue
		}
		for _, line := range bytes.Split(events, []byte("\n")) {
			var of struct {
				MessageID string `json:"messageId"`
			}
			if json.Unmarshal(line, &of) == nil && of.MessageID == sent.Events[0] {
				return page.Example{Event: indented(line), Request: sent.Method + " " + sent.URL + "\n\n" + indented([]byte(sent.Body))}
			}
		}
	}
	return page.Example{}
}

// section is a file of a txtar archive; nil: it has none.
func section(archive []byte, name string) []byte {
	_, rest, found := bytes.Cut(archive, []byte("-- "+name+" --\n"))
	if !found {
		return nil
	}
	if i := bytes.Index(rest, []byte("\n-- ")); i >= 0 {
		rest = rest[:i]
	}
	return bytes.TrimSpace(rest)
}

// indented is JSON for people; what is no JSON stays as it is.
func indented(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return strings.TrimSpace(string(text))
	}
	return b.String()
}

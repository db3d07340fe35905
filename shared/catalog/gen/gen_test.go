package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const spec = `
family: destination
name: hook
title: Hook
doc: One request per event.
fields:
  - { name: baseUrl, type: url, title: Address, doc: "Where it goes." }
  - { name: wait, type: duration, title: Wait, default: 1s }
  - { name: batch, type: object, title: Batch, fields: [{ name: size, type: integer, title: Size, required: true }] }
sentTo: [baseUrl]
secrets:
  - { name: token, type: string, title: Token }
`

const codes = `
codes:
  - { name: hook_list_full, doc: the list is full }
`

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestGeneratedFilesFollowTheSpecs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	destinations := filepath.Join(root, "dataplane", "destinations")
	write(t, filepath.Join(root, "go.work"), "go 1.26.0\n")
	write(t, filepath.Join(root, "shared", "catalog", "catalog.gen.json"), "[]")
	write(t, filepath.Join(destinations, "hook", "spec.yaml"), spec+codes)
	write(t, filepath.Join(destinations, "aaa", "spec.yaml"), strings.Replace(spec, "name: hook", "name: aaa", 1))
	write(t, filepath.Join(destinations, "a-b-4", "spec.yaml"), strings.NewReplacer("name: hook\n", "name: a-b-4\n", "hook_", "a_b_4_").Replace(spec+codes))
	if err := run(root); err != nil {
		t.Fatal(err)
	}
	files := map[string][]string{
		filepath.Join(destinations, "hook", "settings.gen.go"):       {"package hook", "BaseURL string", "*SettingsBatch", "catalog.Duration", "Token secret.String", "// BaseURL: Where it goes.", "CodeListFull = \"hook_list_full\" // the list is full"},
		filepath.Join(destinations, "a-b-4", "settings.gen.go"):      {"package ab4\n", "CodeListFull = \"a_b_4_list_full\""},
		filepath.Join(destinations, "all.gen.go"):                    {"package destinations", "[]destination.Kind", "aaa.Kind(),\n\t\thook.Kind", "ab4 \"weir/dataplane/destinations/a-b-4\"", "\t\tab4.Kind(),"},
		filepath.Join(root, "shared", "catalog", "catalog.gen.json"): {`"name": "aaa"`, `"name": "hook"`, `"name": "hook_list_full"`},
	}
	first := map[string][]byte{}
	for name, wants := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		first[name] = b
		for _, w := range wants {
			if !bytes.Contains(b, []byte(w)) {
				t.Errorf("%s lacks %q:\n%s", filepath.Base(name), w, b)
			}
		}
		if strings.HasSuffix(name, ".go") {
			if _, err := parser.ParseFile(token.NewFileSet(), name, b, parser.AllErrors); err != nil {
				t.Error(err)
			}
		}
	}
	if err := run(root); err != nil {
		t.Fatal(err)
	}
	for name := range files {
		if b, err := os.ReadFile(name); err != nil || !bytes.Equal(b, first[name]) {
			t.Errorf("%s changed in a second run, %v", filepath.Base(name), err)
		}
	}
	if err := os.RemoveAll(filepath.Join(destinations, "aaa")); err != nil {
		t.Fatal(err)
	}
	if err := run(root); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(destinations, "all.gen.go")); bytes.Contains(b, []byte("aaa")) {
		t.Errorf("a removed folder is still listed:\n%s", b)
	}
	write(t, filepath.Join(destinations, "other", "spec.yaml"), spec)
	if err := run(root); err == nil {
		t.Error("a spec that lies in another folder was accepted")
	}
}

package workspace_test

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"weir/shared/catalog"
	"weir/shared/workspace"
)

// What Check lets pass becomes a file's name, a token of a subject, a key of the blob
// store, a label and a line in a terminal: it must be all of them as it is.
func TestWhatMayBeANameIsOneEverywhere(t *testing.T) {
	t.Parallel()
	pieces := []string{"a", "Z", "9", "-", "_", ".", "..", "/", "\\", "*", ">", " ", "\x00", "\n", "\x1b[2J", "\u202e", "\u200b", "é", "e\u0301", "$", "~", ":", "%2f", "con", "files", "\"", "'", ";", "{", "\xff"}
	r := rand.New(rand.NewPCG(5, 6))
	text := func() string {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	specs := []catalog.Spec{{Family: catalog.Sources, Name: "http"}, {Family: catalog.Destinations, Name: "hook"}}
	encode := func(c workspace.Config) workspace.Config {
		var out workspace.Config
		b, err := json.Marshal(c)
		if err == nil {
			err = json.Unmarshal(b, &out)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	whole := workspace.Config{Format: 1, Workspace: "ws", Name: "acme", Region: "eu", Sources: []workspace.Source{{ID: "src", Name: "web", Type: "http", WriteKey: "wk"}},
		Destinations:    []workspace.Destination{{ID: "dst", Name: "hook", Type: "hook"}},
		Transformations: []workspace.Transformation{{ID: "tf", Name: "t", Language: "javascript", Code: "export function transformEvent(e) { return e; }"}},
		Libraries:       []workspace.Library{{Name: "lib", Language: "javascript", Code: "export const a = 1;"}}}
	const token = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	one := func(s string) bool { return strings.Trim(s, token) == "" } // of a subject, a path, a label, a key
	// dotted may hold '.', and be an element of a path nevertheless.
	dotted := func(s string) bool { return strings.Trim(s, token+".") == "" }
	shown := func(s string) bool {
		return filepath.IsLocal(s) && !strings.ContainsAny(s, "/\\*>\"'") && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 && s == strings.TrimSpace(s)
	}
	passed := map[string]int{}
	for what, of := range map[string]struct {
		set  func(*workspace.Config, string)
		good func(string) bool
	}{
		"workspace id":        {func(c *workspace.Config, s string) { c.Workspace = typed(s, c.Workspace) }, one},
		"workspace name":      {func(c *workspace.Config, s string) { c.Name = s }, one},
		"region":              {func(c *workspace.Config, s string) { c.Region = s }, one},
		"source id":           {func(c *workspace.Config, s string) { c.Sources[0].ID = typed(s, c.Sources[0].ID) }, one},
		"source name":         {func(c *workspace.Config, s string) { c.Sources[0].Name = s }, shown},
		"write key":           {func(c *workspace.Config, s string) { c.Sources[0].WriteKey = s }, dotted},
		"destination id":      {func(c *workspace.Config, s string) { c.Destinations[0].ID = typed(s, c.Destinations[0].ID) }, one},
		"destination name":    {func(c *workspace.Config, s string) { c.Destinations[0].Name = s }, shown},
		"transformation id":   {func(c *workspace.Config, s string) { c.Transformations[0].ID = typed(s, c.Transformations[0].ID) }, one},
		"transformation name": {func(c *workspace.Config, s string) { c.Transformations[0].Name = s }, shown},
		"library name":        {func(c *workspace.Config, s string) { c.Libraries[0].Name = s }, dotted},
	} {
		for range 1500 {
			c, s := encode(whole), text()
			of.set(&c, s)
			if len(workspace.Check(c, specs)) > 0 {
				continue
			}
			passed[what]++
			if !of.good(s) {
				t.Errorf("%s may be %q", what, s)
			}
		}
		if passed[what] == 0 {
			t.Errorf("no %s passed", what)
		}
	}
}

// typed gives a text the type of an identifier.
func typed[ID ~string](s string, _ ID) ID { return ID(s) }

package destinationtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/secret"
)

// caseFile is one case: settings, secrets, events, and what is wanted.
type caseFile struct {
	path     string
	archive  *archive
	settings []byte
	opened   map[string]secret.String
	secrets  []secretText
	events   []event.Event
	found    map[string]string // by Key, of a kind that looks up
	alone    bool              // another case has its settings: no generated batches are built again
}

func readCase(path string) (*caseFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a case: %w", err)
	}
	c := &caseFile{path: path, archive: parseArchive(text), opened: map[string]secret.String{}}
	c.settings = bytes.TrimSpace(c.archive.get("settings.json"))
	if err := c.readSecrets(); err != nil {
		return nil, err
	}
	if text := c.archive.get("found.json"); len(text) > 0 {
		if err := json.Unmarshal(text, &c.found); err != nil {
			return nil, fmt.Errorf("%s, found.json: %w", c.path, err)
		}
	}
	return c, c.readEvents()
}

func (c *caseFile) readSecrets() error {
	text := c.archive.get("secrets.json")
	if len(text) == 0 {
		return nil
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(text, &given); err != nil {
		return fmt.Errorf("%s, secrets.json: %w", c.path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := string(given[name])
		var text string
		if json.Unmarshal(given[name], &text) == nil {
			value = text
		}
		c.opened[name] = secret.NewString(value)
		for _, s := range secretTexts(name, given[name]) {
			if utf8.RuneCountInString(s.text) < minSecret {
				return fmt.Errorf("%s, secrets.json: %s is too short to be searched for: make up a secret of %d characters or more", c.path, s.name, minSecret)
			}
			c.secrets = append(c.secrets, s)
		}
	}
	return nil
}

func (c *caseFile) readEvents() error {
	for i, l := range bytes.Split(c.archive.get("events.jsonl"), []byte("\n")) {
		if len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		e, err := eventOf(l)
		if err != nil {
			return fmt.Errorf("%s, events.jsonl line %d: %w", c.path, i+1, err)
		}
		c.events = append(c.events, e)
	}
	if len(c.events) == 0 {
		return fmt.Errorf("%s: events.jsonl is missing or empty", c.path)
	}
	return nil
}

// checkProblems wants fault.Invalid, every problem with a path below settings or secrets.
func checkProblems(t *testing.T, name string, err error) {
	t.Helper()
	problems := fault.ProblemsOf(err)
	if fault.KindOf(err) != fault.Invalid || len(problems) == 0 {
		t.Errorf("%s: %v, want fault.Invalid with problems", name, err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Path, "settings") && !strings.HasPrefix(p.Path, "secrets") || !code.MatchString(p.Code) || p.Text == "" {
			t.Errorf("%s: problem %+v, want a path in settings or secrets, a code and a sentence", name, p)
		}
	}
}

// archive is a txtar file: a comment, then files behind lines "-- name --".
type archive struct {
	comment string
	names   []string
	files   map[string][]byte
}

func parseArchive(text []byte) *archive {
	a := &archive{files: map[string][]byte{}}
	name := ""
	for _, l := range bytes.SplitAfter(text, []byte("\n")) {
		if s := strings.TrimSpace(string(l)); strings.HasPrefix(s, "-- ") && strings.HasSuffix(s, " --") {
			name = strings.TrimSpace(s[3 : len(s)-3])
			a.set(name, nil)
			continue
		}
		if name == "" {
			a.comment += string(l)
			continue
		}
		a.files[name] = append(a.files[name], l...)
	}
	return a
}

func (a *archive) get(name string) []byte { return a.files[name] }

func (a *archive) set(name string, content []byte) {
	if _, there := a.files[name]; !there {
		a.names = append(a.names, name)
	}
	a.files[name] = content
}

func (a *archive) format() []byte {
	b := []byte(a.comment)
	for _, name := range a.names {
		b = append(b, "-- "+name+" --\n"...)
		b = append(b, a.files[name]...)
	}
	return b
}

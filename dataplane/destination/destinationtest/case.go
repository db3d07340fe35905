package destinationtest

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// caseFile is one case: settings, secrets, events, and what is wanted.
type caseFile struct {
	path     string
	archive  *archive
	settings []byte
	opened   map[string]secret.String
	values   []string // texts that are secret
	events   []event.Event
}

func readCase(t *testing.T, path string) *caseFile {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &caseFile{path: path, archive: parseArchive(text), opened: map[string]secret.String{}}
	c.settings = bytes.TrimSpace(c.archive.get("settings.json"))
	if s := c.archive.get("secrets.json"); len(s) > 0 {
		var given map[string]json.RawMessage
		if err := json.Unmarshal(s, &given); err != nil {
			t.Fatalf("%s: secrets.json: %v", path, err)
		}
		for name, raw := range given {
			value := string(raw)
			var text string
			if json.Unmarshal(raw, &text) == nil {
				value = text
			}
			c.opened[name] = secret.NewString(value)
			c.values = append(c.values, leaves(raw)...)
		}
	}
	for _, l := range bytes.Split(c.archive.get("events.jsonl"), []byte("\n")) {
		if len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		var head struct{ MessageID, Type, UserID, AnonymousID string }
		if err := json.Unmarshal(l, &head); err != nil || head.MessageID == "" {
			t.Fatalf("%s: an event is not readable or has no messageId: %v", path, err)
		}
		user := head.UserID
		if user == "" {
			user = head.AnonymousID
		}
		c.events = append(c.events, event.Event{Workspace: "ws_kit", Source: "src_kit", MessageID: id.Event(head.MessageID), Type: head.Type, User: user, ReceivedAt: now, JSON: l})
	}
	if len(c.events) == 0 {
		t.Fatalf("%s: events.jsonl is missing or empty", path)
	}
	return c
}

// leaves returns the texts of a JSON value that are long enough to be searched for.
func leaves(raw json.RawMessage) []string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	var all []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			if len(v) >= 6 {
				all = append(all, v)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return all
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

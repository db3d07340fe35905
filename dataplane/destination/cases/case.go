// Package cases reads and runs the case files of destinations on HTTP: for given settings,
// secrets and events, the requests that are made of them, and what answers mean. A case file
// is a txtar archive: settings.json, secrets.json in clear, events.jsonl, found.json,
// answers.jsonl, and what is wanted, want.jsonl and verdicts.jsonl. See
// docs/adding-a-destination.md.
package cases

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"weir/dataplane/event"
	"weir/shared/id"
	"weir/shared/secret"
)

// Now returns the clock of every case.
func Now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC) }

// Case is one case: settings, secrets, events, and what is wanted.
type Case struct {
	Path     string
	Settings []byte
	Secrets  map[string]secret.String
	Given    map[string]json.RawMessage // the secrets as they stand in the file
	Events   []event.Event
	Found    map[string]string // by Key, of a kind that looks up
	archive  *archive
}

// Read reads a case file.
func Read(path string) (*Case, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a case: %w", err)
	}
	c := &Case{Path: path, archive: parseArchive(text), Secrets: map[string]secret.String{}}
	c.Settings = bytes.TrimSpace(c.Part("settings.json"))
	if err := c.readSecrets(); err != nil {
		return nil, err
	}
	if text := c.Part("found.json"); len(text) > 0 {
		if err := json.Unmarshal(text, &c.Found); err != nil {
			return nil, fmt.Errorf("%s, found.json: %w", c.Path, err)
		}
	}
	return c, c.readEvents()
}

// Part is one of the files of a case, empty when it is not there.
func (c *Case) Part(name string) []byte { return c.archive.files[name] }

// Set sets one of the files of a case, for Write.
func (c *Case) Set(name string, content []byte) { c.archive.set(name, content) }

// Write writes the case into its file.
func (c *Case) Write() error { return os.WriteFile(c.Path, c.archive.format(), 0o644) }

func (c *Case) readSecrets() error {
	text := c.Part("secrets.json")
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, &c.Given); err != nil {
		return fmt.Errorf("%s, secrets.json: %w", c.Path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Given)) {
		value := string(c.Given[name])
		var text string
		if json.Unmarshal(c.Given[name], &text) == nil {
			value = text
		}
		c.Secrets[name] = secret.NewString(value)
	}
	return nil
}

func (c *Case) readEvents() error {
	for i, l := range bytes.Split(c.Part("events.jsonl"), []byte("\n")) {
		if len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		e, err := Event(l)
		if err != nil {
			return fmt.Errorf("%s, events.jsonl line %d: %w", c.Path, i+1, err)
		}
		c.Events = append(c.Events, e)
	}
	if len(c.Events) == 0 {
		return fmt.Errorf("%s: events.jsonl is missing or empty", c.Path)
	}
	return nil
}

// Event reads an event as a line of events.jsonl holds it.
func Event(l []byte) (event.Event, error) {
	var head struct{ MessageID, Type, UserID, AnonymousID string }
	if err := json.Unmarshal(l, &head); err != nil {
		return event.Event{}, err
	}
	if head.MessageID == "" {
		return event.Event{}, errors.New("there is no messageId")
	}
	return event.Event{
		Workspace: "ws_kit", Source: "src_kit", MessageID: id.Event(head.MessageID), Type: head.Type, User: cmp.Or(head.UserID, head.AnonymousID), ReceivedAt: Now(), JSON: l,
	}, nil
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

// Package singer pulls rows by taps of the Singer specification.
// Source: https://hub.meltano.com/singer/spec
package singer

import (
	_ "embed"
	"encoding/json"
	"time"

	"weir/dataplane/destination/fields"
	"weir/dataplane/pull"
	"weir/dataplane/pull/foreign"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind singer.
var Kind = pull.Define(spec, open)

func (s *Settings) foreign() foreign.Settings {
	return foreign.Settings{Connector: s.Connector, Config: s.Config, Credentials: s.Secrets.Credentials.Reveal(), Streams: s.Streams, Keys: s.Keys}
}

// Check lists what is wrong with settings and secrets.
func (s *Settings) Check() []fault.Problem {
	f := s.foreign()
	return f.Problems()
}

func open(s Settings, d pull.Deps) pull.Puller { return foreign.Open(protocol{}, s.foreign(), d) }

// protocol is what taps speak.
type protocol struct{}

func (protocol) Name() string { return "singer" }

func (protocol) Chatty() bool { return false }

func (protocol) Checks() []foreign.Check { return nil }

func (protocol) Discover() []string { return []string{"--config", foreign.Config, "--discover"} }

func (protocol) Read(catalog, state bool) []string {
	args := []string{"--config", foreign.Config}
	if catalog {
		args = append(args, "--catalog", foreign.Catalog)
	}
	if state {
		args = append(args, "--state", foreign.State)
	}
	return args
}

// Config gives start_date where there is none: most taps begin there.
func (protocol) Config(config map[string]json.RawMessage, s foreign.Stream) {
	if at, err := time.Parse(time.RFC3339, s.From); err == nil && config["start_date"] == nil {
		config["start_date"] = json.RawMessage(`"` + at.UTC().Format(time.RFC3339) + `"`)
	}
}

// entry is a stream of a catalog; what else stands there goes on as it is.
type entry struct {
	TapStreamID string   `json:"tap_stream_id"`
	Stream      string   `json:"stream"`
	Keys        []string `json:"key_properties"`
	Metadata    []struct {
		Breadcrumb []string                   `json:"breadcrumb"`
		Metadata   map[string]json.RawMessage `json:"metadata"`
	} `json:"metadata"`
}

// Select selects a stream by its metadata, and by the older word in its schema.
func (protocol) Select(said []byte, s foreign.Stream) (foreign.Selection, error) {
	var catalog struct {
		Streams []json.RawMessage `json:"streams"`
	}
	unreadable := &pull.Failure{Code: pull.CodeAnswer, Text: "What the tap says with --discover is no catalog."}
	if err := json.Unmarshal(said, &catalog); err != nil {
		return foreign.Selection{}, unreadable
	}
	for _, text := range catalog.Streams {
		var e entry
		whole := map[string]json.RawMessage{}
		if json.Unmarshal(text, &e) != nil || json.Unmarshal(text, &whole) != nil {
			return foreign.Selection{}, unreadable
		}
		if e.TapStreamID != s.Name && e.Stream != s.Name {
			continue
		}
		chosen, err := selected(whole, e, s)
		if err != nil {
			return foreign.Selection{}, unreadable
		}
		found := foreign.Selection{Catalog: chosen, Name: e.Stream, Keys: e.Keys}
		if found.Name == "" {
			found.Name = e.TapStreamID
		}
		for _, m := range e.Metadata {
			var keys []string
			if len(m.Breadcrumb) == 0 && len(found.Keys) == 0 && json.Unmarshal(m.Metadata["table-key-properties"], &keys) == nil {
				found.Keys = keys
			}
		}
		if len(found.Keys) == 0 {
			found.Keys = nil // its SCHEMA says it
		}
		return found, nil
	}
	return foreign.Selection{}, &pull.Failure{Code: pull.CodeNoStream, Text: "The tap has no such stream."}
}

// selected is the catalog with one stream.
func selected(whole map[string]json.RawMessage, e entry, s foreign.Stream) ([]byte, error) {
	method := "FULL_TABLE"
	if s.Cursor != "" {
		method = "INCREMENTAL"
	}
	type member = map[string]json.RawMessage
	text := func(v any) json.RawMessage {
		b, _ := json.Marshal(v) // of texts
		return b
	}
	type described struct {
		Breadcrumb []string `json:"breadcrumb"`
		Metadata   member   `json:"metadata"`
	}
	top := member{}
	all := []described{}
	for _, m := range e.Metadata {
		if len(m.Breadcrumb) == 0 {
			for name, v := range m.Metadata {
				top[name] = v
			}
			continue
		}
		d := described{m.Breadcrumb, member{}}
		for name, v := range m.Metadata {
			d.Metadata[name] = v
		}
		if string(d.Metadata["inclusion"]) != `"unsupported"` {
			d.Metadata["selected"] = json.RawMessage("true")
		}
		all = append(all, d)
	}
	top["selected"] = json.RawMessage("true")
	if top["forced-replication-method"] == nil {
		top["replication-method"] = text(method)
	}
	if s.Cursor != "" {
		top["replication-key"] = text(s.Cursor)
		whole["replication_key"] = text(s.Cursor)
	}
	whole["replication_method"] = text(method)
	metadata, err := json.Marshal(append([]described{{[]string{}, top}}, all...))
	if err != nil {
		return nil, err
	}
	whole["metadata"], whole["selected"] = metadata, json.RawMessage("true")
	schema := member{}
	if json.Unmarshal(whole["schema"], &schema) == nil && schema != nil {
		schema["selected"] = json.RawMessage("true")
		if b, err := json.Marshal(schema); err == nil {
			whole["schema"] = b
		}
	}
	return json.Marshal(map[string]any{"streams": []member{whole}})
}

// deletedAt is the field by which taps that see deletes mark them.
const deletedAt = "_sdc_deleted_at"

func (protocol) Parse(line fields.Value, _ json.RawMessage) foreign.Message {
	m := foreign.Message{Stream: line.Get("stream").Text()}
	wrong := func(text string) foreign.Message {
		return foreign.Message{Failure: &pull.Failure{Code: pull.CodeAnswer, Text: text}}
	}
	switch line.Get("type").Text() {
	case "RECORD":
		if m.Row = line.Get("record"); m.Row == nil || m.Stream == "" {
			return wrong("A RECORD of the tap has no record, or no stream.")
		}
		m.Deleted, m.Table = m.Row.Get(deletedAt) != nil, line.Get("version").Text()
	case "ACTIVATE_VERSION": // all rows of the version are given when the tap ends well
		m.Table, m.Whole = line.Get("version").Text(), true
	case "SCHEMA":
		if m.Stream == "" {
			return wrong("A SCHEMA of the tap has no stream.")
		}
		m.Keys = []string{}
		for k := range line.Get("key_properties").Elements() {
			m.Keys = append(m.Keys, k.Text())
		}
	case "STATE":
		if value := line.Get("value"); value.IsObject() {
			m.State = json.RawMessage(value)
		}
	case "BATCH":
		return wrong("The tap gives rows as files (BATCH): configure it to give records.")
	}
	return m
}

// Package airbyte pulls rows by source connectors of the Airbyte protocol.
// Source: https://docs.airbyte.com/understanding-airbyte/airbyte-protocol/
package airbyte

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"

	"weir/dataplane/destination/fields"
	"weir/dataplane/pull"
	"weir/dataplane/pull/foreign"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind airbyte.
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

// protocol is what connectors speak.
type protocol struct{}

func (protocol) Name() string { return "airbyte" }

// Chatty: lines that are no messages are logs.
func (protocol) Chatty() bool { return true }

func (protocol) Config(map[string]json.RawMessage, foreign.Stream) {}

func failure(code, text string) *pull.Failure { return &pull.Failure{Code: code, Text: text} }

// Checks are spec, which names what the configuration has to have, and check.
func (protocol) Checks() []foreign.Check {
	return []foreign.Check{
		{Args: []string{"spec"}, Line: func(line fields.Value, config map[string]json.RawMessage) *pull.Failure {
			if line.Get("type").Text() != "SPEC" {
				return nil
			}
			var missing []string
			for name := range line.Get("spec", "connectionSpecification", "required").Elements() {
				if config[name.Text()] == nil {
					missing = append(missing, name.Text())
				}
			}
			if missing == nil {
				return nil
			}
			return failure(pull.CodeRefused, "The connector asks for what neither config nor credentials has: "+strings.Join(missing, ", ")+".")
		}},
		{Args: []string{"check", "--config", foreign.Config}, Line: func(line fields.Value, _ map[string]json.RawMessage) *pull.Failure {
			if line.Get("type").Text() == "CONNECTION_STATUS" && line.Get("connectionStatus", "status").Text() != "SUCCEEDED" {
				return failure(pull.CodeReauthorize, "The connector's check of the connection failed: correct config and credentials.")
			}
			return nil
		}},
	}
}

func (protocol) Discover() []string { return []string{"discover", "--config", foreign.Config} }

func (protocol) Read(_, state bool) []string {
	args := []string{"read", "--config", foreign.Config, "--catalog", foreign.Catalog}
	if state {
		args = append(args, "--state", foreign.State)
	}
	return args
}

// stream is a stream of a catalog.
type stream struct {
	Name    string     `json:"name"`
	Modes   []string   `json:"supported_sync_modes"`
	Defined bool       `json:"source_defined_cursor"`
	Cursor  []string   `json:"default_cursor_field"`
	Keys    [][]string `json:"source_defined_primary_key"`
}

// Select configures a stream: incremental where a cursor is named.
func (protocol) Select(said []byte, s foreign.Stream) (foreign.Selection, error) {
	for line := range strings.SplitSeq(string(said), "\n") {
		var m struct {
			Type    string `json:"type"`
			Catalog struct {
				Streams []json.RawMessage `json:"streams"`
			} `json:"catalog"`
		}
		if json.Unmarshal([]byte(line), &m) != nil || m.Type != "CATALOG" {
			continue
		}
		for _, text := range m.Catalog.Streams {
			var x stream
			if json.Unmarshal(text, &x) != nil || x.Name != s.Name {
				continue
			}
			return configured(text, x, s)
		}
		return foreign.Selection{}, failure(pull.CodeNoStream, "The connector has no such stream.")
	}
	return foreign.Selection{}, failure(pull.CodeAnswer, "The connector did not say its catalog.")
}

// configured is the catalog with one stream.
func configured(text json.RawMessage, x stream, s foreign.Stream) (foreign.Selection, error) {
	one := map[string]any{"stream": text, "sync_mode": "full_refresh", "destination_sync_mode": "append"}
	if s.Cursor != "" {
		if !slices.Contains(x.Modes, "incremental") {
			return foreign.Selection{}, failure(pull.CodeRefused, "The connector cannot read this stream incrementally: name no cursor in the setting streams.")
		}
		cursor := strings.Split(s.Cursor, ".")
		if x.Defined && len(x.Cursor) > 0 {
			cursor = x.Cursor
		}
		one["sync_mode"], one["cursor_field"], one["destination_sync_mode"] = "incremental", cursor, "append_dedup"
	}
	keys := x.Keys
	if s.Keys != nil {
		keys = nil
		for _, k := range s.Keys {
			keys = append(keys, strings.Split(k, "."))
		}
	}
	found := foreign.Selection{Name: x.Name}
	if keys != nil {
		one["primary_key"] = keys
		for _, path := range keys {
			found.Keys = append(found.Keys, strings.Join(path, "."))
		}
	}
	var err error
	found.Catalog, err = json.Marshal(map[string]any{"streams": []any{one}})
	return found, err
}

// deletedAt is the field by which connectors that read changes of databases mark deletes.
const deletedAt = "_ab_cdc_deleted_at"

func (protocol) Parse(line fields.Value, after json.RawMessage) foreign.Message {
	var m foreign.Message
	switch line.Get("type").Text() {
	case "RECORD":
		m.Stream, m.Row = line.Get("record", "stream").Text(), line.Get("record", "data")
		if m.Stream == "" || m.Row == nil {
			m.Failure = failure(pull.CodeAnswer, "A RECORD of the connector has no data, or no stream.")
		}
		m.Deleted = m.Row.Get(deletedAt) != nil
	case "STATE":
		m.State = state(line.Get("state"), after)
	case "TRACE":
		if line.Get("trace", "type").Text() != "ERROR" {
			break
		}
		switch line.Get("trace", "error", "failure_type").Text() {
		case "config_error":
			m.Failure = failure(pull.CodeReauthorize, "The connector says that its configuration is wrong, or that it is not let in: correct config and credentials.")
		case "transient_error":
			m.Failure = failure(pull.CodeUnreachable, "The connector says that it cannot go on now.")
		default:
			m.Failure = failure(pull.CodeAnswer, "The connector says that it has an error; its log is in the plane's folder connectors.")
		}
	}
	return m
}

// state is what the next run is given: the data of a legacy state, else a list of messages,
// the last of each stream or the last global one.
func state(s fields.Value, after json.RawMessage) json.RawMessage {
	switch s.Get("type").Text() {
	case "GLOBAL":
		return json.RawMessage("[" + string(s) + "]")
	case "STREAM":
		out := []byte("[")
		of := name(s)
		for former := range fields.Value(after).Elements() {
			if former.Get("type").Text() == "STREAM" && name(former) != of {
				out = append(append(out, former...), ',')
			}
		}
		return append(append(out, s...), ']')
	}
	if data := s.Get("data"); data != nil {
		return json.RawMessage(data)
	}
	return nil
}

// name is what tells the state of a stream from others.
func name(s fields.Value) string {
	d := s.Get("stream", "stream_descriptor")
	return d.Get("namespace").Text() + "\x00" + d.Get("name").Text()
}

package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/shared/command"
)

func TestPreviewWarehousePrintsRowsForEachEvent(t *testing.T) {
	t.Parallel()
	s := newShell(t, newFake(t))
	s.in = `{"type":"page","messageId":7,"userId":1.0,"properties":{"n":12345678901234567890123,"f":1.50,"ok":true,"tags":["a",1],"a":{"b":1},"at":"2024-01-01"}}
no JSON

{"type":"merge","messageId":"m"}
[1]
{"type":"extract","messageId":"m","event":"E"}
{"type":"alias"}
`
	file := s.file("wh.yaml", "settings:\n  jsonPaths: page.properties.a, page.properties.c\n  metadata: { sourceId: src_1 }\n")
	out := s.must("preview", "warehouse", "postgres", "--settings", file, "--now", "2026-01-02T03:04:05Z")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	want := `{"messageId":"7","rows":[{"table":"pages","columns":{"uuid_ts":"datetime","user_id":"string","received_at":"datetime","context_source_id":"string","id":"string","n":"int","f":"float","ok":"boolean","tags":"string","a":"json","at":"datetime"},` +
		`"values":{"uuid_ts":"2026-01-02T03:04:05.000Z","user_id":"1","received_at":"2026-01-02T03:04:05.000Z","context_source_id":"src_1","id":"7","n":12345678901234567890123,"f":1.50,"ok":true,"tags":["a",1],"a":"{\"b\":1}","at":"2024-01-01T00:00:00.000Z"}}],"dropped":null,"error":null}
{"messageId":"","rows":[],"dropped":null,"error":"the event is no JSON object of at most 128 levels"}
{"messageId":"m","rows":[],"dropped":"unsupported_event","error":null}
{"messageId":"","rows":[],"dropped":null,"error":"the event is no JSON object of at most 128 levels"}
{"messageId":"m","rows":[],"dropped":null,"error":"an extract needs a recordId"}`
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 6:\n%s", len(lines), out)
	}
	if d := cmp.Diff(want, strings.Join(lines[:5], "\n")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var made struct {
		MessageID string
		Rows      []struct{ Values map[string]string }
	}
	if err := json.Unmarshal([]byte(lines[5]), &made); err != nil || len(made.Rows) != 1 || !strings.HasPrefix(made.MessageID, "auto-") || made.Rows[0].Values["id"] != made.MessageID {
		t.Errorf("an event without messageId: %v, %s; want one id that begins with auto- in both places", err, lines[5])
	}
	s.fails(command.ExitFailed, []string{`There is no warehouse of type "fax"`, "clickhouse", "snowflake"}, "preview", "warehouse", "fax")
	s.in = `{"type":"track","messageId":"m","channel":"web","event":"E","properties":{"channel":"email"}}`
	segment := s.file("segment.yaml", "settings: { layout: segment, skipTracksTable: true }\n")
	if out := s.must("preview", "warehouse", "postgres", "--settings", segment); !strings.Contains(out, `"channel":"email"`) {
		t.Errorf("layout: segment shows %s, want the property channel", out)
	}
	s.fails(command.ExitFailed, []string{"layout is rudderstack or segment"}, "preview", "warehouse", "postgres", "--settings", s.file("other.yaml", "settings: { layout: jitsu }\n"))
	wrong := s.file("wrong.yaml", "settings: { jsonPaths: 5 }\n")
	s.fails(command.ExitFailed, []string{"jsonPaths is a list of paths"}, "preview", "warehouse", "postgres", "--settings", wrong)
}

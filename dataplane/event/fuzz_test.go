package event_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/event"
)

// FuzzCut holds the cutter against encoding/json: what that accepts as a batch
// is cut into the same members, and a cut batch of valid members is valid.
func FuzzCut(f *testing.F) {
	for _, s := range []string{`{"batch":[{"userId":"u"},1,"x"]}`, `{"batch":[[}]}`, `{"sentAt":1,"batch":[]}`, `{"batch":["\\\""]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var b event.Batch
		err := b.Cut(body)
		var want struct {
			Batch []json.RawMessage `json:"batch"`
		}
		if err == nil {
			whole := true
			for _, m := range b.Members {
				whole = whole && json.Valid(m)
			}
			if whole && !json.Valid(body) {
				t.Fatalf("cut into valid members, but no JSON: %q", body)
			}
			if !whole && json.Valid(body) {
				t.Fatalf("JSON, but cut into what is none: %q", body)
			}
			// Unmarshal takes BATCH for batch and the last of two, so it judges only plain bodies.
			if bytes.Count(bytes.ToLower(body), []byte("batch")) == 1 && json.Unmarshal(body, &want) == nil {
				if len(want.Batch) != len(b.Members) {
					t.Fatalf("%d members, want %d: %q", len(b.Members), len(want.Batch), body)
				}
				for i, m := range b.Members {
					if !bytes.Equal(m, want.Batch[i]) {
						t.Fatalf("member %d: %q, want %q", i, m, want.Batch[i])
					}
				}
			}
		}
	})
}

// FuzzCheck holds the check of JSON against two libraries: it takes exactly what
// they take, but for the levels.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+7,true,false,null,"\u00e9\n\ud800"],"a":{}}`, ` [ ] `, `{"a":"0123456\\"}`, `"12345678\"`, "\"\x1f\"", `-`, `01`, `1.`, `1e`, `tru`, `{"a":1,}`, `[1,]`,
		`{"long key with spaces and an \"escape\" in it":"a long text with \u0000, \t and 日本語"}`, "\"\xed\xa0\x80\"", `[[[[]]]]`, `{}{}`, `"\u12g4"`,
	} {
		f.Add([]byte(s))
	}
	const levels = 4
	f.Fuzz(func(t *testing.T, b []byte) {
		want := event.Code("")
		switch {
		case !utf8.Valid(b):
			want = event.InvalidUTF8
		case !json.Valid(b) || !jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)):
			want = event.InvalidJSON
		case nesting(b) > levels:
			want = event.TooDeep
		}
		got := event.Check(b, levels)
		if want == event.InvalidJSON && got == event.TooDeep && nesting(b) > levels {
			return // whichever comes first
		}
		if got != want {
			t.Fatalf("Check(%q) = %q, want %q", b, got, want)
		}
	})
}

// nesting returns how many brackets are open at most, for JSON its levels.
func nesting(b []byte) (most int) {
	level, text := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			level++
			most = max(most, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return most
}

// FuzzParser sends one member through a parser twice: with a batch around it and
// alone. What is kept is JSON, has every value that was sent, and has no key twice.
func FuzzParser(f *testing.F) {
	for _, s := range []string{
		`{"userId":"u","context":{"weir":1},"timestamp":"x"}`, `{"anonymousId":1,"receivedAt":2,"integrations":{"All":false}}`,
		`{"userId":" \ud800","messageId":null,"type":5,"sentAt":"","originalTimestamp":1e9}`, `{"user\u0049d":"u","a":[[[]]]}`,
	} {
		f.Add([]byte(s))
	}
	under := event.Batch{SentAt: []byte(`"2026-01-01"`), Context: []byte(`{"a":1,"b":{"c":[]}}`), Integrations: []byte(`{"All":true}`)}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, b := range []*event.Batch{nil, &under} {
			var p event.Parser
			s := stamp
			if b == nil {
				s.Type = "track"
			}
			p.Begin(s, b, len(raw), 1)
			e, code := p.Event(raw)
			if code != "" {
				if !bytes.Equal(e.JSON, raw) || e.Quarantine != string(code) {
					t.Fatalf("quarantined %q as %q (%s)", raw, e.JSON, e.Quarantine)
				}
				if len(raw) < 1<<10 && json.Valid(raw) && utf8.Valid(raw) && (code == event.InvalidJSON || code == event.InvalidUTF8) {
					t.Fatalf("%s for JSON: %q", code, raw)
				}
				continue
			}
			if !json.Valid(e.JSON) || !utf8.Valid(e.JSON) || !utf8.ValidString(e.User) || !utf8.ValidString(string(e.MessageID)) || e.User == "" || e.MessageID == "" {
				t.Fatalf("%q became %q, user %q, message %q", raw, e.JSON, e.User, e.MessageID)
			}
			again := event.Parser{}
			again.Begin(stamp, nil, len(e.JSON), 1)
			if _, code := again.Event(e.JSON); code == event.DuplicateKey {
				t.Fatalf("%q became %q with a key twice", raw, e.JSON)
			}
			found(t, raw, e, b == nil)
		}
	})
}

// found fails when a value that Weir does not own has changed.
func found(t *testing.T, sent []byte, e event.Event, typed bool) {
	t.Helper()
	have := map[string][]byte{}
	for key, value := range event.Fields(e.JSON) {
		have[string(key)] = value
	}
	for key, value := range event.Fields(sent) {
		switch string(key) {
		case "receivedAt", "request_ip", "timestamp", "originalTimestamp", "sentAt", "context", "integrations":
			continue
		case "messageId":
			if e.Generated {
				continue
			}
		case "type":
			if typed {
				continue
			}
		}
		if !bytes.Equal(have[string(key)], value) {
			t.Fatalf("key %q: %q became %q", key, value, have[string(key)])
		}
	}
}

// FuzzTime holds ParseTime against time.Parse and its own output.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-01-02T03:04:05.678Z", "2026-01-02", "1767323045", "2026-01-02 03:04 +0100", "2026-01-02T3:04:05.678Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := event.ParseTime(append(append([]byte{'"'}, s...), '"'))
		if _, digits := strconv.ParseInt(s, 10, 64); digits == nil || !ok {
			// time.Parse takes an hour of one digit, which RFC 3339 does not know.
			if want, err := time.Parse(time.RFC3339Nano, s); err == nil && !ok && s[13] == ':' && want.UTC().Year() >= 0 && want.UTC().Year() <= 9999 && want.Second() < 60 {
				t.Fatalf("refused %q", s)
			}
			return
		}
		if got.Year() < 0 || got.Year() > 9999 {
			t.Fatalf("%q is %v", s, got)
		}
		if want, err := time.Parse(time.RFC3339Nano, s); err == nil && want.UnixMilli() != got.UnixMilli() {
			t.Fatalf("%q is %v, want %v", s, got, want)
		}
	})
}

package transform_test

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/dataplane/event"
	"weir/dataplane/transform"
)

func TestChecks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings, in string
		want         string // JSON, or a code
	}{
		"no checks":        {`{}`, `{"event":"A","context":{"ip":"1.2.3.4"}}`, `{"event":"A","context":{"ip":"1.2.3.4"}}`},
		"allowed":          {`{"checks":{"events":{"allow":["A","B"]}}}`, `{"type":"track","event":"B"}`, `{"type":"track","event":"B"}`},
		"not allowed":      {`{"checks":{"events":{"allow":["A"]}}}`, `{"type":"track","event":"a"}`, "filtered"},
		"denied":           {`{"checks":{"events":{"deny":["Caf\u00e9"]}}}`, `{"type":"track","event":"Café"}`, "filtered"},
		"not denied":       {`{"checks":{"events":{"deny":["A"]}}}`, `{"type":"track","event":"B"}`, `{"type":"track","event":"B"}`},
		"no track call":    {`{"checks":{"events":{"allow":["A"]}}}`, `{"type":"page","name":"B"}`, `{"type":"page","name":"B"}`},
		"both":             {`{"checks":{"events":{"allow":["A"],"deny":["A"]}}}`, `{"type":"track","event":"A"}`, "filtered"},
		"bot dropped":      {`{"checks":{"bots":"drop"}}`, `{"context":{"userAgent":"GoogleBOT/2.1"}}`, "bot"},
		"crawler":          {`{"checks":{"bots":"drop"}}`, `{"context":{"userAgent":"a Crawler"}}`, "bot"},
		"person":           {`{"checks":{"bots":"drop"}}`, `{"context":{"userAgent":"Mozilla"}}`, `{"context":{"userAgent":"Mozilla"}}`},
		"bot kept":         {`{"checks":{"bots":"keep"}}`, `{"context":{"userAgent":"spider"}}`, `{"context":{"userAgent":"spider"}}`},
		"bot flagged":      {`{"checks":{"bots":"flag"}}`, `{"context": { "userAgent":"spider" },"x":1.0}`, `{"context": { "userAgent":"spider" ,"weir":{"bot":true}},"x":1.0}`},
		"flag in weir":     {`{"checks":{"bots":"flag"}}`, `{"context":{"weir":{"badTime":"x"},"userAgent":"spider"}}`, `{"context":{"weir":{"badTime":"x","bot":true},"userAgent":"spider"}}`},
		"flag in empty":    {`{"checks":{"bots":"flag"}}`, `{"context":{"weir":{},"userAgent":"spider"}}`, `{"context":{"weir":{"bot":true},"userAgent":"spider"}}`},
		"flag over no":     {`{"checks":{"bots":"flag"}}`, `{"context":{"weir":{"bot":false},"userAgent":"spider"}}`, `{"context":{"weir":{"bot":true},"userAgent":"spider"}}`},
		"flag over text":   {`{"checks":{"bots":"flag"}}`, `{"context":{"weir":"x","userAgent":"spider"}}`, `{"context":{"weir":{"bot":true},"userAgent":"spider"}}`},
		"address":          {`{"checks":{"anonymizeIP":true}}`, `{"context":{"ip":"203.0.113.9"},"big":12345678901234567890,"request_ip":"198.51.100.7"}`, `{"context":{"ip":"203.0.113.0"},"big":12345678901234567890,"request_ip":"198.51.100.0"}`},
		"address of six":   {`{"checks":{"anonymizeIP":true}}`, `{"request_ip":"2001:db8:1:2:3:4:5:6"}`, `{"request_ip":"2001:db8:1::"}`},
		"mapped address":   {`{"checks":{"anonymizeIP":true}}`, `{"request_ip":"::ffff:203.0.113.9"}`, `{"request_ip":"203.0.113.0"}`},
		"zone":             {`{"checks":{"anonymizeIP":true}}`, `{"request_ip":"fe80::1%eth0"}`, `{"request_ip":"fe80::"}`},
		"address twice":    {`{"checks":{"anonymizeIP":true}}`, `{"context":{"ip":"203.0.113.9","ip":"203.0.113.8"}}`, `{"context":{"ip":"203.0.113.0","ip":"203.0.113.0"}}`},
		"no address":       {`{"checks":{"anonymizeIP":true}}`, `{"context":{"ip":"unknown"},"request_ip":5}`, `{"context":{"ip":"unknown"},"request_ip":5}`},
		"flag and address": {`{"checks":{"anonymizeIP":true,"bots":"flag"}}`, `{"request_ip":"203.0.113.9","context":{"userAgent":"bot","ip":"203.0.113.9"}}`, `{"request_ip":"203.0.113.0","context":{"userAgent":"bot","ip":"203.0.113.0","weir":{"bot":true}}}`},
		"strange context":  {`{"checks":{"anonymizeIP":true,"bots":"drop"}}`, `{"context":["bot"]}`, `{"context":["bot"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, problems := transform.CompileChecks(json.RawMessage(tc.settings))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			in := event.Event{JSON: []byte(tc.in), User: "u"}
			if strings.Contains(tc.in, `"track"`) {
				in.Type = "track"
			}
			out, got := c.Apply(in)
			if got == "" {
				got = string(out.JSON)
			} else if string(out.JSON) != tc.in || out.User != "u" {
				t.Errorf("dropped, and the event became %s", out.JSON)
			}
			if got != tc.want || string(in.JSON) != tc.in {
				t.Errorf("Apply(%s) = %s, want %s", tc.in, got, tc.want)
			}
		})
	}
}

func TestBadChecksAreProblems(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		`{"checks":{"bots":"eat"}}`: "settings.checks.bots not_in_enum", `{"checks":[]}`: "settings.checks malformed", `{"checks":{"events":{"allow":"A"}}}`: "settings.checks malformed",
	} {
		if c, ps := transform.CompileChecks(json.RawMessage(settings)); c != nil || len(ps) != 1 || ps[0].Path+" "+ps[0].Code != want {
			t.Errorf("CompileChecks(%s) = %v, %v, want %s", settings, c, ps, want)
		}
	}
}

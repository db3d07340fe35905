package http_test

import (
	"bytes"
	nethttp "net/http"
	"strings"
	"testing"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
)

func TestAWebhookIsOneEventWhateverItBrings(t *testing.T) {
	server, s, g := gateway(t)
	const form = "application/x-www-form-urlencoded"
	deep := strings.Repeat("[", event.MaxDepth) + strings.Repeat("]", event.MaxDepth)
	bottom := deep[1 : len(deep)-1]
	accepted := uint64(0)
	for name, tc := range map[string]struct {
		method, query, kind, body string
		want                      string // properties
	}{
		"an object, to the byte":      {body: `{"id":12345678901234567890, "type":"x","userId":7,"a":1,"a":"\ud800\u0000"}`, want: `{"id":12345678901234567890, "type":"x","userId":7,"a":1,"a":"\ud800\u0000"}`},
		"JSON that says it is a form": {kind: form, body: `{"a":1}`, want: `{"a":1}`},
		"a list":                      {body: `[{"a":1},2]`, want: `[{"a":1},2]`},
		"a batch is no batch here":    {body: `{"batch":[{"userId":"u"},{"userId":"v"}]}`, want: `{"batch":[{"userId":"u"},{"userId":"v"}]}`},
		"a form":                      {kind: form + "; charset=utf-8", body: "b=2&a=x+%C3%A9%22&b=3&c", want: `{"a":"x é\"","b":["2","3"],"c":""}`},
		"a form with bytes":           {kind: form, body: "a=%FF", want: `"a=%FF"`},
		"a broken form":               {kind: form, body: "a=%zz", want: `"a=%zz"`},
		"text":                        {kind: "text/plain", body: "a \"b\"\n\x01", want: `"a \"b\"\n\u0001"`},
		"broken JSON":                 {body: `{"a":`, want: `"{\"a\":"`},
		"two values":                  {body: `{} {}`, want: `"{} {}"`},
		"an attempt to get out":       {body: `1},"userId":"u","p":{`, want: `"1},\"userId\":\"u\",\"p\":{"`},
		"bytes":                       {body: "\xff\x00", want: `{"base64":"/wA="}`},
		"JSON as deep as fits":        {body: bottom, want: bottom},
		"JSON that is too deep":       {body: deep, want: `"` + deep + `"`},
		"nothing":                     {want: `{}`},
		"a query":                     {method: "GET", query: "?writeKey=wk&hub.challenge=1&a=x&a=y", want: `{"a":["x","y"],"hub.challenge":"1"}`},
		"a GET with a body":           {method: "GET", query: "?a=1", body: `{"b":2}`, want: `{"b":2},"context":{"webhook":{"query":{"a":"1"}}}`},
		"a query beside a body":       {query: "?writeKey=wk&topic=orders&n=1&n=2", body: `{"b":2}`, want: `{"b":2},"context":{"webhook":{"query":{"n":["1","2"],"topic":"orders"}}}`},
		"a query that is no query":    {query: "?a=%zz;b", body: `7`, want: `7,"context":{"webhook":{"query":{"raw":"a=%zz;b"}}}`},
		"a query that is no text":     {method: "GET", query: "?a=%FF", want: `{"raw":"a=%FF"}`},
		"control characters":          {body: strings.Repeat("\x01", 100_000), want: `"` + strings.Repeat(`\u0001`, 100_000) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			method := "POST"
			if tc.method != "" {
				method = tc.method
			}
			for _, path := range []string{"/v1/webhook", "/v1/webhook/"} {
				r := send(t, method, server.URL+path+tc.query, []byte(tc.body), func(r *nethttp.Request) { r.Header.Set("Content-Type", tc.kind) })
				got := s.take()
				accepted++
				if r.Status != 200 || len(got) != 1 || got[0].Type != "track" || got[0].User == "" || !got[0].Generated ||
					!bytes.Contains(got[0].JSON, []byte(`"properties":`+tc.want+`,`)) || !bytes.HasPrefix(got[0].JSON, []byte(`{"event":"webhook",`)) {
					var text []byte
					for _, e := range got {
						text = append(text, e.JSON...)
					}
					t.Fatalf("%d %+v, %.500s", r.Status, r.Error, text)
				}
				fields(t, got[0])
			}
		})
	}
	if got := g.Counts(); len(got) != 1 || got[0].Accepted != accepted || got[0].Refused != 0 {
		t.Errorf("%d calls, counts %+v", accepted, got)
	}
}

func TestAWebhookIsOpenedWithAKeyAndHasItsLimits(t *testing.T) {
	server, s, _ := gateway(t)
	for name, tc := range map[string]struct {
		key, query, body, encoding, code string
		status                           int
	}{
		"key in the query": {"", "?writeKey=wk", "x", "", "", 200},
		"key in the body":  {"", "", `{"writeKey":"wk"}`, "", "", 200},
		"zipped":           {"wk", "", string(zipped([]byte("x"))), "gzip", "", 200},
		"no key":           {"", "", "x", "", "no_write_key", 401},
		"an unknown key":   {"bad", "", "x", "", "unknown_write_key", 401},
		"disabled":         {"off", "", "x", "", "source_disabled", 404},
		"over 1 MiB":       {"wk", "", strings.Repeat("x", event.MaxBytes), "", "event_too_large", 413},
		"over 4 MiB":       {"wk", "", strings.Repeat("x", ingest.MaxBody+1), "", "request_too_large", 413},
	} {
		t.Run(name, func(t *testing.T) {
			r := send(t, "POST", server.URL+"/v1/webhook"+tc.query, []byte(tc.body), func(r *nethttp.Request) {
				r.Header.Del("Authorization")
				if tc.key != "" {
					r.SetBasicAuth(tc.key, "")
				}
				r.Header.Set("Content-Encoding", tc.encoding)
			})
			if got := s.take(); r.Status != tc.status || r.Error.Code != tc.code || (len(got) == 1) != (tc.status == 200) {
				t.Errorf("%d %+v, %d events, want %d %s", r.Status, r.Error, len(got), tc.status, tc.code)
			}
		})
	}
}

package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
	"weir/dataplane/sources/webhook"
	"weir/shared/secret"
)

// gateway serves one webhook source, opened with settings and the signing key,
// and counts what it keeps.
func gateway(t *testing.T, settings, key string) (string, *atomic.Int64) {
	t.Helper()
	opened, err := webhook.Kind().Open([]byte(settings), map[string]secret.String{"signingKey": secret.NewString(key)})
	if err != nil {
		t.Fatal(err)
	}
	kept := new(atomic.Int64)
	g, err := ingest.New(ingest.Config{
		Kinds: []ingest.Kind{webhook.Kind()}, Version: "1.2.3",
		Append: func(_ context.Context, events []event.Event) error { kept.Add(int64(len(events))); return nil },
		Source: func(string) (ingest.Entry, bool) {
			return ingest.Entry{Workspace: "ws_a", Source: "src_a", Name: "hooks", Type: "webhook", Opened: opened}, true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return server.URL, kept
}

// github is how GitHub signs. Secret, body and signature are those of
// docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
const (
	github          = `{"signature":{"header":"X-Hub-Signature-256","prefix":"sha256="}}`
	githubKey       = "It's a Secret to Everybody"
	githubBody      = "Hello, World!"
	githubSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

func TestOnlyWhatTheSenderSignedIsTaken(t *testing.T) {
	t.Parallel()
	// HMACs of RFC 2202 and RFC 4231, test case 2: key Jefe.
	const jefe, asks = "Jefe", "what do ya want for nothing?"
	for name, tc := range map[string]struct {
		settings, key, path, header, signature, body string
		want                                         int
	}{
		"signed":                  {github, githubKey, "/v1/webhook", "X-Hub-Signature-256", githubSignature, githubBody, 200},
		"another body":            {github, githubKey, "/v1/webhook", "X-Hub-Signature-256", githubSignature, githubBody + " ", 401},
		"another key":             {github, "another", "/v1/webhook", "X-Hub-Signature-256", githubSignature, githubBody, 401},
		"no prefix":               {github, githubKey, "/v1/webhook", "X-Hub-Signature-256", githubSignature[7:], githubBody, 401},
		"cut short":               {github, githubKey, "/v1/webhook", "X-Hub-Signature-256", githubSignature[:40], githubBody, 401},
		"only the prefix":         {github, githubKey, "/v1/webhook", "X-Hub-Signature-256", "sha256=", githubBody, 401},
		"not hexadecimal":         {github, githubKey, "/v1/webhook", "X-Hub-Signature-256", "sha256=zz", githubBody, 401},
		"another header":          {github, githubKey, "/v1/webhook", "X-Signature", githubSignature, githubBody, 401},
		"an event's own route":    {github, githubKey, "/v1/track", "X-Hub-Signature-256", githubSignature, `{"userId":"u","event":"e"}`, 401},
		"a batch":                 {github, githubKey, "/v1/batch", "", "", `{"batch":[{"type":"track","userId":"u","event":"e"}]}`, 401},
		"a beacon":                {github, githubKey, "/beacon/v1/batch?writeKey=wk", "", "", `{"batch":[{"type":"track","userId":"u","event":"e"}]}`, 401},
		"a batch without a key":   {`{}`, "", "/v1/batch", "", "", `{"batch":[{"type":"track","userId":"u","event":"e"}]}`, 200},
		"no signing key":          {github, "", "/v1/webhook", "", "", githubBody, 200},
		"defaults":                {`{}`, jefe, "/v1/webhook", "X-Signature", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", asks, 200},
		"SHA-1":                   {`{"signature":{"hash":"sha1"}}`, jefe, "/v1/webhook", "X-Signature", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", asks, 200},
		"SHA-512":                 {`{"signature":{"hash":"sha512"}}`, jefe, "/v1/webhook", "X-Signature", "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737", asks, 200},
		"base64":                  {`{"signature":{"encoding":"base64"}}`, jefe, "/v1/webhook", "X-Signature", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", asks, 200},
		"hexadecimal for base64":  {`{"signature":{"encoding":"base64"}}`, jefe, "/v1/webhook", "X-Signature", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", asks, 401},
		"a query is not a body":   {github, githubKey, "/v1/webhook?Hello=World", "X-Hub-Signature-256", githubSignature, "", 401},
		"what a query carries on": {github, githubKey, "/v1/webhook?topic=x", "X-Hub-Signature-256", githubSignature, githubBody, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, kept := gateway(t, tc.settings, tc.key)
			req, err := http.NewRequest(http.MethodPost, url+tc.path, bytes.NewReader([]byte(tc.body)))
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("wk", "")
			if tc.header != "" {
				req.Header.Set(tc.header, tc.signature)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			text, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			var answer struct{ Error struct{ Code string } }
			if err := json.Unmarshal(text, &answer); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if res.StatusCode != tc.want || (answer.Error.Code == "bad_signature") != (tc.want == 401) || (kept.Load() == 1) != (tc.want == 200) {
				t.Errorf("%d %s, %d events kept, want %d", res.StatusCode, text, kept.Load(), tc.want)
			}
		})
	}
}

func TestAPixelIsNotSigned(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int64{"": 1, githubKey: 0} {
		url, kept := gateway(t, github, key)
		res, err := http.Get(url + "/pixel/v1/track?writeKey=wk&userId=u&event=e")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 200 || kept.Load() != want {
			t.Errorf("with key %q: %d, %d events kept, want 200 and %d", key, res.StatusCode, kept.Load(), want)
		}
	}
}

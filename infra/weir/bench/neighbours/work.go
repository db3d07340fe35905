package neighbours

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"weir/infra/weir/bench/webhook"
)

const one = `{"userId":"u%d","event":"E","messageId":"e%d"}`

// hangingWebhook is a webhook that gives no answer, beside a warehouse that the
// plane's owner may forbid.
func hangingWebhook(ctx context.Context, s *site) (string, error) {
	h, err := webhook.New(ctx, webhook.Failure{Name: "hangs", Behave: webhook.Hang})
	if err != nil {
		return "", err
	}
	s.later(h.Close)
	return tenant(map[string]string{"hook": fmt.Sprintf("type: webhook, settings: { url: %q }", h.URL), "lake": "type: duckdb, settings: { path: lake, syncEvery: 5s }"}), nil
}

// unload starts weir anew, with events of the evil tenant on their way and a guard that
// forbids what its configuration has.
func unload(ctx context.Context, s *site) error {
	for n := range 500 {
		s.send(ctx, "/v1/track", fmt.Sprintf(one, n%50, n))
	}
	if how := s.product.Stop(endTime); how != "" {
		return fmt.Errorf("stop: %s", how)
	}
	if err := os.WriteFile(filepath.Join(s.data, "planes", "eu", "guard.yaml"), []byte("destinations: { types: [webhook] }\n"), 0o600); err != nil {
		return fmt.Errorf("write the guard: %w", err)
	}
	if err := s.start(ctx, ""); err != nil {
		return err
	}
	return s.until(ctx, "workspace_unloaded")
}

// knock sends 50 events a second.
func knock(ctx context.Context, s *site) error {
	for n := 0; pause(ctx, 20*time.Millisecond); n++ {
		s.send(ctx, "/v1/track", fmt.Sprintf(one, n%50, sequence.Add(1)))
	}
	return nil
}

const chains = 40

// heavyChains are chains of code that takes 20 ms for an event.
func heavyChains(ctx context.Context, s *site) (string, error) {
	h, err := webhook.New(ctx, webhook.Failure{Name: "takes all"})
	if err != nil {
		return "", err
	}
	s.later(h.Close)
	var code, destinations, connections strings.Builder
	for n := range chains {
		_, _ = fmt.Fprintf(&code, `  - name: heavy%d
    language: javascript
    code: |
      export function transformEvent(event) { const until = Date.now() + 20; while (Date.now() < until); event.chain = %d; return event; }
`, n, n)
		_, _ = fmt.Fprintf(&destinations, "  - { name: hook%d, type: webhook, settings: { url: %q } }\n", n, h.URL)
		_, _ = fmt.Fprintf(&connections, "  - { source: web, destination: hook%d, transformations: [heavy%d] }\n", n, n)
	}
	return fmt.Sprintf("workspace: evil\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: %s }\ntransformations:\n%sdestinations:\n%sconnections:\n%s---\n", evilKey, code.String(), destinations.String(), connections.String()), nil
}

// spin keeps the chains busy until status says so.
func spin(ctx context.Context, s *site) error {
	going, stop := context.WithCancel(ctx)
	var busy sync.WaitGroup
	busy.Go(func() { _ = spinOn(going, s) })
	err := s.until(ctx, "code_slow")
	stop()
	busy.Wait()
	return err
}

// spinOn sends five events a second: work for four processors.
func spinOn(ctx context.Context, s *site) error {
	for pause(ctx, 200*time.Millisecond) {
		n := sequence.Add(1)
		s.send(ctx, "/v1/track", fmt.Sprintf(one, n%50, n))
	}
	return nil
}

// row waits until there is something to query.
func row(ctx context.Context, s *site) error {
	s.send(ctx, "/v1/track", fmt.Sprintf(one, 1, 1))
	for !strings.Contains(s.run(ctx, "query", "lake", "select count(*) as n from tracks", "--workspace", "evil", "--output", "json"), `"n":1`) {
		if !pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("nothing is in the lake: %w", ctx.Err())
		}
	}
	return nil
}

// wideQueries asks for what no memory and no patience holds, two at a time.
func wideQueries(ctx context.Context, s *site) error {
	return each(ctx, []string{
		"select length(string_agg(repeat('x', 1000), ',')) from range(3000000)",
		"select sum(hash(a.range + b.range)) from range(100000) a, range(100000) b",
	}, func(sql string) error {
		s.run(ctx, "query", "lake", sql, "--workspace", "evil")
		return nil
	})
}

// hostile is code that no bundler survives, or not soon.
func hostile() []string {
	return []string{strings.Repeat("[", 200_000), strings.Repeat("1,", 130_000) + "1"}
}

// saves has the control plane judge hostile code.
func saves(ctx context.Context, s *site) error {
	return each(ctx, hostile(), func(code string) error {
		file := filepath.Join(s.dir, fmt.Sprintf("evil-%d.yaml", len(code)))
		text := fmt.Sprintf(`workspace: evil
region: eu
sources: [{ name: web, type: http, writeKey: %s }]
transformations:
  - { name: t, language: javascript, code: %q }
destinations: [{ name: lake, type: duckdb, settings: { path: lake, syncEvery: 5s } }]
connections: [{ source: web, destination: lake, transformations: [t] }]
`, evilKey, code)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write a configuration: %w", err)
		}
		s.run(ctx, "diff", "-f", file)
		return nil
	})
}

// previews tries hostile code on the plane, as the console does.
func previews(ctx context.Context, s *site) error {
	return each(ctx, append(hostile(), "export function transformEvent(e) { for (;;); }"), func(code string) error {
		_, answer, err := ask(ctx, s.in.Control+"/api/v1/capabilities", s.in.Token, []byte(`{"workspace":"evil","action":"preview","origin":""}`))
		var granted struct{ Token, ViewURL string }
		if err == nil {
			err = json.Unmarshal(answer, &granted)
		}
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil || granted.Token == "" {
			return fmt.Errorf("ask for a capability: %s: %w", answer, err)
		}
		body, err := json.Marshal(map[string]any{"code": code, "events": []any{map[string]string{"type": "track", "event": "E", "userId": "u"}}})
		if err != nil {
			return err
		}
		status, answer, err := ask(ctx, granted.ViewURL+"/v1/preview/transformation", granted.Token, body)
		if err == nil && (status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound) {
			return fmt.Errorf("preview: %d %s", status, answer)
		}
		return nil // what becomes of it is the evil tenant's own affair
	})
}

// each does work with every item, again and again until ctx ends, all items at a time.
func each(ctx context.Context, items []string, work func(string) error) error {
	failures := make(chan error, len(items))
	for _, item := range items {
		go func() {
			for ctx.Err() == nil {
				if err := work(item); err != nil {
					failures <- err
					return
				}
				pause(ctx, 100*time.Millisecond)
			}
			failures <- nil
		}()
	}
	var failed error
	for range items {
		if err := <-failures; err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

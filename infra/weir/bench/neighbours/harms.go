package neighbours

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// harm is a way to hurt others.
type harm struct {
	name  string
	small bool // on a small disk
	// objects returns the evil tenant's configuration. What it opens is closed with the
	// site.
	objects func(context.Context, *site) (string, error)
	// begin returns when the harm is done, or goes on.
	begin func(context.Context, *site) error
	goOn  func(context.Context, *site) error // until the context ends; nil: it does by itself
	alarm string                             // what weir status says of it; "": nothing
}

// strangers is the alarm of those who are no tenant, so that status names none.
const strangers = "senders_slow"

func harms() []harm {
	return []harm{
		{name: "dead letters at quota", small: true, objects: refusing, begin: fill("dead_full", `"userId":"u",`), goOn: flood(`"userId":"u",`), alarm: "dead_full"},
		{name: "quarantine at quota", small: true, objects: refusing, begin: fill("quarantine_full", ""), goOn: flood(""), alarm: "quarantine_full"},
		{name: "stage at quota", small: true, objects: absent, begin: fill("stage_full", `"userId":"u",`), goOn: flood(`"userId":"u",`), alarm: "stage_full"},
		{name: "dedupe window at quota", small: true, objects: bare, begin: forget, goOn: keys, alarm: "dedupe_window_short"},
		{name: "an unloadable workspace", objects: hangingWebhook, begin: unload, goOn: knock, alarm: "workspace_unloaded"},
		{name: "hanging warehouses", objects: hangingWarehouses, begin: hangLoads, goOn: hangQueries, alarm: "warehouse_slow"},
		{name: "slow bodies without a key", objects: bare, begin: drips, goOn: nil, alarm: strangers},
		{name: "heavy chains", objects: heavyChains, begin: spin, goOn: spinOn, alarm: "code_slow"},
		{name: "wide queries", objects: lake, begin: row, goOn: wideQueries, alarm: "view_slow"},
		{name: "hostile code at save", objects: lake, begin: nothing, goOn: saves, alarm: "code_costly"},
		{name: "hostile code at preview", objects: lake, begin: nothing, goOn: previews, alarm: "view_slow"},
	}
}

func nothing(context.Context, *site) error { return nil }

// goodTenant is the neighbour's configuration: a webhook behind light code.
func goodTenant(sink string) string {
	return fmt.Sprintf(`workspace: good
region: eu
sources:
  - { name: app, type: http, writeKey: %s }
transformations:
  - name: light
    language: javascript
    code: |
      export function transformEvent(event) { event.light = true; return event; }
destinations:
  - { name: hook, type: webhook, settings: { url: "%s/events" } }
connections:
  - { source: app, destination: hook, transformations: [light] }
`, goodKey, sink)
}

// tenant is a configuration of the evil one: its destinations, each connected to its
// source.
func tenant(destinations map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "workspace: evil\nregion: eu\nsources:\n  - { name: web, type: http, writeKey: %s }\n", evilKey)
	if len(destinations) > 0 {
		b.WriteString("destinations:\n")
		for name, settings := range destinations {
			fmt.Fprintf(&b, "  - { name: %s, %s }\n", name, settings)
		}
		b.WriteString("connections:\n")
		for name := range destinations {
			fmt.Fprintf(&b, "  - { source: web, destination: %s }\n", name)
		}
	}
	return b.String() + "---\n"
}

func bare(context.Context, *site) (string, error) { return tenant(nil), nil }

func lake(context.Context, *site) (string, error) {
	return tenant(map[string]string{"lake": "type: duckdb, settings: { path: lake, syncEvery: 5s }"}), nil
}

// postgres is a warehouse at a port of this machine.
func postgres(s *site, port string) (string, error) {
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte("of no use"), 0o600); err != nil {
		return "", fmt.Errorf("write a password: %w", err)
	}
	return fmt.Sprintf("type: postgres, settings: { host: 127.0.0.1, port: %s, database: db, user: weir, schema: weir, sslMode: disable, syncEvery: 5s }, secrets: { password: { from: file, path: %q } }", port, password), nil
}

// absent is a warehouse where nobody listens.
func absent(_ context.Context, s *site) (string, error) {
	settings, err := postgres(s, "1")
	return tenant(map[string]string{"lake": settings}), err
}

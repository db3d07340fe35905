package plan_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"weir/dataplane/destination"
	"weir/dataplane/ingest"
	"weir/dataplane/ingest/ratelimit"
	"weir/dataplane/plan"
	"weir/dataplane/warehouse"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/script/scripttest"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// hook is a kind whose every opening counts.
func kinds(opened *int) plan.Kinds {
	spec := catalog.Spec{Family: catalog.Destinations, Name: "hook", Title: "Hook", Doc: "A hook.",
		Fields:  []catalog.Field{{Name: "url", Type: catalog.TypeURL, Title: "URL", Required: true}, {Name: "method", Type: catalog.TypeString, Title: "Method", Default: "POST"}},
		Secrets: []catalog.Field{{Name: "token", Type: catalog.TypeString, Title: "Token"}}}
	return plan.Kinds{
		Code:    scripttest.Compiler(),
		Sources: []ingest.Kind{{Spec: catalog.Spec{Family: catalog.Sources, Name: "http", Title: "HTTP", Doc: "HTTP."}}},
		Destinations: []destination.Kind{{Spec: spec, Open: func(settings []byte, secrets map[string]secret.String) (destination.Opened, error) {
			*opened++
			switch secrets["token"].Reveal() {
			case "strange":
				return destination.Opened{}, fault.Problems("No:", []fault.Problem{{Path: "secrets.token", Code: "made_up", Text: "No."}})
			case "panic":
				panic("a kind with a bug")
			}
			var got struct{ Method string }
			if err := json.Unmarshal(settings, &got); err != nil || got.Method != "POST" {
				return destination.Opened{}, fault.New(fault.Internal, "defaults were not filled in: %s", settings)
			}
			return destination.Opened{Limits: destination.Limits{Concurrency: *opened}}, nil
		}}},
	}
}

func config() workspace.Config {
	return workspace.Config{
		Format: 1, Workspace: "ws_a", Name: "acme", Region: "eu",
		Sources: []workspace.Source{{ID: "src_a", Name: "web", Type: "http", WriteKey: "wk_a"}, {ID: "src_off", Name: "off", Type: "http", WriteKey: "wk_off", Disabled: true}},
		Destinations: []workspace.Destination{{ID: "dst_a", Name: "hook", Type: "hook", Settings: []byte(`{"url":"http://127.0.0.1:1/"}`),
			Secrets: map[string]secret.Ref{"token": {Version: 3, Fingerprint: "aa"}}}},
		Connections: []workspace.Connection{{Source: "src_a", Destination: "dst_a"}},
	}
}

func secrets(value string) plan.Secrets {
	return plan.Secrets{secret.OfDestination("ws_a", "dst_a", "token", 3): secret.NewString(value)}
}

func revision(c workspace.Config, n uint64) workspace.Revision {
	return workspace.Revision{Workspace: "ws_a", Number: n, Config: c}
}

func compile(t *testing.T, former *plan.Plan, c workspace.Config, k plan.Kinds, value string) *plan.Plan {
	t.Helper()
	p, problems, err := former.Next(t.Context(), revision(c, 1), k, secrets(value))
	if err != nil || len(problems) > 0 {
		t.Fatalf("problems: %v, error %v", problems, err)
	}
	return p
}

func TestTheRateOfASourceComesFromItsSettings(t *testing.T) {
	t.Parallel()
	opened := 0
	k, c := kinds(&opened), config()
	limit := int64(0)
	k.Sources[0].Spec.Fields = []catalog.Field{
		{Name: "rate", Type: catalog.TypeInteger, Title: "Rate", Default: 7, Min: &limit}, {Name: "burst", Type: catalog.TypeInteger, Title: "Burst", Min: &limit},
	}
	c.Sources[0].Settings = []byte(`{"rate":50,"burst":100}`)
	var h plan.Holder
	if err := h.Put(compile(t, nil, c, k, "s")); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]ratelimit.Rate{"wk_a": {Events: 50, Burst: 100}, "wk_off": {Events: 7}} {
		if e, _ := h.Source(key); e.Rate != want {
			t.Errorf("%s: %+v, want %+v", key, e.Rate, want)
		}
	}
}

func TestAHolderAnswersFromPlansAndTombstones(t *testing.T) {
	t.Parallel()
	var opened int
	var h plan.Holder
	if _, known := h.Route("ws_a", "src_a"); known {
		t.Error("an empty holder knows a workspace")
	}
	if _, presence := h.Target("ws_a", "dst_a"); presence != destination.Unknown {
		t.Errorf("a destination of an unknown workspace is %v, want Unknown", presence)
	}
	if err := h.Put(compile(t, nil, config(), kinds(&opened), "x")); err != nil {
		t.Fatal(err)
	}
	if e, ok := h.Source("wk_a"); !ok || e.Source != "src_a" || e.Workspace != "ws_a" || e.Name != "web" || e.Disabled {
		t.Errorf("wk_a opens %+v, %v", e, ok)
	}
	if e, ok := h.Source("wk_off"); !ok || !e.Disabled {
		t.Errorf("wk_off opens %+v, %v, want disabled", e, ok)
	}
	if r, known := h.Route("ws_a", "src_a"); !known || r.Revision != 1 || len(r.Table.Destinations()) != 1 {
		t.Errorf("src_a is routed to %v, %v", r, known)
	}
	if r, known := h.Route("ws_a", "src_gone"); !known || r != nil {
		t.Errorf("a source that is gone: %v, %v; want a known nothing", r, known)
	}
	if target, presence := h.Target("ws_a", "dst_a"); presence != destination.Present || target.Name != "hook" {
		t.Errorf("dst_a is %v, %v", target, presence)
	}
	if target, presence := h.Target("ws_a", "dst_gone"); presence != destination.Removed || target != nil {
		t.Errorf("dst_gone is %v, %v, want Removed", target, presence)
	}
	for object, removed := range map[string]bool{"": false, "src_a": false, "src_off": false, "dst_a": false, "dst_gone": true, "src_gone": true} {
		if h.Removed("ws_a", object) != removed || h.Removed("ws_unknown", object) {
			t.Errorf("%q is removed: %v, want %v; and unknown workspaces lack nothing", object, !removed, removed)
		}
	}
	h.Remove("ws_a")
	if !h.Removed("ws_a", "") || !h.Removed("ws_a", "dst_a") {
		t.Error("a removed workspace is not removed")
	}
	if _, ok := h.Source("wk_a"); ok {
		t.Error("the write key of a removed workspace opens something")
	}
	if _, presence := h.Target("ws_a", "dst_a"); presence != destination.Removed {
		t.Errorf("a destination of a removed workspace is %v, want Removed", presence)
	}
	if r, known := h.Route("ws_a", "src_a"); !known || r != nil {
		t.Errorf("a source of a removed workspace: %v, %v, want a known nothing", r, known)
	}
}

func TestAHolderKnowsWhatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	var opened int
	var h plan.Holder
	h.Unload("ws_a", []string{"wk_a"})
	if _, known := h.Route("ws_a", "src_a"); known || !h.Waits("wk_a") || h.Waits("wk_b") || len(h.Unloaded()) != 1 {
		t.Errorf("known %v, not loaded %v; want that wk_a waits for ws_a", known, h.Unloaded())
	}
	h.Unload("ws_b", nil)
	if !h.Waits("wk_b") {
		t.Error("a write key that may be of ws_b does not wait")
	}
	if err := h.Put(compile(t, nil, config(), kinds(&opened), "x")); err != nil {
		t.Fatal(err)
	}
	h.Remove("ws_b")
	h.Unload("ws_a", nil) // it runs
	if h.Waits("wk_a") || h.Waits("wk_b") || len(h.Unloaded()) != 0 {
		t.Errorf("not loaded: %v, want none", h.Unloaded())
	}
}

func TestObjectsAreFoundByNameAndIdentifier(t *testing.T) {
	t.Parallel()
	var opened int
	p := compile(t, nil, config(), kinds(&opened), "x")
	for named, want := range map[string]id.Source{"web": "src_a", "src_a": "src_a", "off": "src_off", "none": "", "": ""} {
		if got, ok := p.Source(named); ok != (want != "") || ok && got != want {
			t.Errorf("Source(%q) = %s, %v, want %q", named, got, ok, want)
		}
	}
	for named, want := range map[string]id.Destination{"hook": "dst_a", "dst_a": "dst_a", "web": "", "": ""} {
		if got, ok := p.Destination(named); ok != (want != "") || ok && got != want {
			t.Errorf("Destination(%q) = %s, %v, want %q", named, got, ok, want)
		}
	}
}

func TestAWriteKeyOfAnotherWorkspaceIsNotTakenOver(t *testing.T) {
	t.Parallel()
	var opened int
	var h plan.Holder
	if err := h.Put(compile(t, nil, config(), kinds(&opened), "x")); err != nil {
		t.Fatal(err)
	}
	c := config()
	c.Workspace, c.Destinations, c.Connections = "ws_b", nil, nil
	p, problems, _ := plan.Compile(t.Context(), workspace.Revision{Workspace: "ws_b", Number: 1, Config: c}, kinds(&opened), nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	err := h.Put(p)
	if err == nil || fault.KindOf(err) != fault.Conflict || len(fault.ProblemsOf(err)) != 2 || fault.ProblemsOf(err)[0].Code != plan.CodeWriteKey {
		t.Errorf("Put = %v, want Conflict with both keys", err)
	}
	if e, _ := h.Source("wk_a"); e.Workspace != "ws_a" {
		t.Errorf("wk_a opens %+v, want still ws_a", e)
	}
}

func TestUnchangedDestinationsAreTakenOver(t *testing.T) {
	t.Parallel()
	var opened int
	k := kinds(&opened)
	first := compile(t, nil, config(), k, "x")
	target := func(p *plan.Plan) *destination.Target {
		var h plan.Holder
		if err := h.Put(p); err != nil {
			t.Fatal(err)
		}
		got, _ := h.Target("ws_a", "dst_a")
		return got
	}
	same := compile(t, first, config(), k, "x")
	if target(same) != target(first) || opened != 1 {
		t.Errorf("an unchanged destination was opened %d times", opened)
	}
	off := config()
	off.Destinations[0].Disabled = true
	if got := target(compile(t, same, off, k, "x")); !got.Disabled || got.Limits.Concurrency != 1 || opened != 1 {
		t.Errorf("a disabled destination is %+v after %d openings, want what was open", got, opened)
	}
	if got := target(compile(t, same, config(), k, "y")); got.Limits.Concurrency != 2 {
		t.Errorf("with another secret the destination was not opened again")
	}
	moved := config()
	moved.Destinations[0].Settings = []byte(`{"url":"http://127.0.0.1:2/"}`)
	if got := target(compile(t, same, moved, k, "x")); got.Limits.Concurrency != 3 {
		t.Errorf("with other settings the destination was not opened again")
	}
}

func TestEveryProblemHasAPathAndACodeThatMayGoUp(t *testing.T) {
	t.Parallel()
	change := func(f func(*workspace.Config)) workspace.Config {
		c := config()
		f(&c)
		return c
	}
	for name, tc := range map[string]struct {
		config     workspace.Config
		secrets    plan.Secrets
		path, code string
	}{
		"transformations": {change(func(c *workspace.Config) {
			c.Transformations = []workspace.Transformation{{ID: "tf_a", Name: "t", Language: "javascript", Code: "export function ("}}
			c.Connections[0].Transformations = []id.Transformation{"tf_a"}
		}), secrets("x"), "transformations[0].code", "syntax_error"},
		"unknown destination": {change(func(c *workspace.Config) { c.Destinations[0].Type = "fax" }), secrets("x"), "destinations[0].type", "unknown_type"},
		"unknown source":      {change(func(c *workspace.Config) { c.Sources[0].Type = "fax" }), secrets("x"), "sources[0].type", "unknown_type"},
		"bad settings":        {change(func(c *workspace.Config) { c.Destinations[0].Settings = []byte(`{"url":"ftp://x"}`) }), secrets("x"), "destinations[0].settings.url", "bad_url"},
		"no secret":           {config(), nil, "destinations[0].secrets.token", "secret_missing"},
		"another workspace":   {change(func(c *workspace.Config) { c.Workspace = "ws_b" }), secrets("x"), "workspace", "workspace_mismatch"},
		"a code of a kind":    {config(), secrets("strange"), "destinations[0].secrets.token", "open_failed"},
		"a kind that panics":  {config(), secrets("panic"), "destinations[0]", "open_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opened int
			p, problems, _ := plan.Compile(t.Context(), revision(tc.config, 1), kinds(&opened), tc.secrets)
			if p != nil || len(problems) == 0 {
				t.Fatalf("it was compiled")
			}
			found := false
			for _, got := range problems {
				found = found || got.Path == tc.path && got.Code == tc.code
				if !wire.Code(got.Code).Known() {
					t.Errorf("the code %s may not go up", got.Code)
				}
			}
			if !found {
				t.Errorf("problems %+v, want %s at %s", problems, tc.code, tc.path)
			}
		})
	}
}

func TestASourceIsOpenedWithItsSecrets(t *testing.T) {
	t.Parallel()
	var opened int
	k, c := kinds(&opened), config()
	k.Sources[0].Spec.Secrets = []catalog.Field{{Name: "key", Type: catalog.TypeString, Title: "Key"}}
	k.Sources[0].Open = func(_ []byte, secrets map[string]secret.String) (ingest.Opened, error) {
		switch key := secrets["key"].Reveal(); key {
		case "refused":
			return ingest.Opened{}, fault.Problems("bad", []fault.Problem{{Path: "secrets.key", Code: "malformed", Text: "No."}})
		case "panic":
			panic("a kind with a bug")
		default:
			return ingest.Opened{Verify: func(_ http.Header, body []byte) bool { return string(body) == key }}, nil
		}
	}
	c.Sources[0].Secrets = map[string]secret.Ref{"key": {Version: 2, Fingerprint: strings.Repeat("a", 32)}}
	name := secret.OfSource("ws_a", "src_a", "key", 2)
	for value, want := range map[string]string{"refused": "sources[0].secrets.key malformed", "panic": "sources[0] open_failed", "": "sources[0].secrets.key secret_missing"} {
		given := secrets("s")
		if value != "" {
			given[name] = secret.NewString(value)
		}
		_, problems, _ := plan.Compile(t.Context(), revision(c, 1), k, given)
		if len(problems) != 1 || problems[0].Path+" "+problems[0].Code != want {
			t.Errorf("with %q: %+v, want %s", value, problems, want)
		}
	}
	given := secrets("s")
	given[name] = secret.NewString("right")
	p, problems, _ := plan.Compile(t.Context(), revision(c, 1), k, given)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var h plan.Holder
	if err := h.Put(p); err != nil {
		t.Fatal(err)
	}
	if e, _ := h.Source("wk_a"); e.Verify == nil || !e.Verify(nil, []byte("right")) || e.Verify(nil, []byte("wrong")) {
		t.Error("the source is not opened with its secret")
	}
	if e, _ := h.Source("wk_off"); e.Verify == nil || e.Verify(nil, []byte("right")) {
		t.Error("a source without the secret has another's")
	}
}

func TestFilesOfDisabledWarehousesAreListedToo(t *testing.T) {
	t.Parallel()
	opened := 0
	k := kinds(&opened)
	k.Warehouses = []warehouse.Kind{{Spec: catalog.Spec{Family: catalog.Warehouses, Name: "lake", Title: "Lake", Doc: "A lake."}, Open: func([]byte, map[string]secret.String) (warehouse.Opened, error) {
		return warehouse.Opened{File: "./x.db", Open: func(context.Context, warehouse.Deps) (warehouse.Warehouse, error) { return nil, nil }}, nil
	}}}
	var h plan.Holder
	for _, ws := range []id.Workspace{"ws_a", "ws_b"} {
		p, problems, _ := plan.Compile(t.Context(), workspace.Revision{Workspace: ws, Number: 1, Config: workspace.Config{Format: 1, Workspace: ws, Name: "acme", Region: "eu",
			Destinations: []workspace.Destination{{ID: "dst_lake", Name: "lake", Type: "lake", Disabled: ws == "ws_a"}}}}, k, nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if err := h.Put(p); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.Files()["./x.db"]; len(got) != 2 || len(h.Warehouses()) != 1 {
		t.Errorf("Files lists %v, Warehouses %d", got, len(h.Warehouses()))
	}
}

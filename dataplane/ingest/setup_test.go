package ingest_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/dataplane/ingest"
)

// ask sends a GET without a body.
func ask(h http.Handler, path string, edit func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Host = "in.shop.example:8090"
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// three is a config with the source web (keys wk and a/b), the disabled source
// off, and no other.
func three() ingest.Config {
	c := config(fine)
	c.Source = func(key string) (ingest.Entry, bool) {
		switch key {
		case "wk", "a/b":
			return ingest.Entry{Workspace: "ws_a", Source: "src_web", Name: `The "shop"`, Type: "lines"}, true
		case "off":
			return ingest.Entry{Workspace: "ws_a", Source: "src_off", Name: "off", Type: "lines", Disabled: true}, true
		}
		return ingest.Entry{}, false
	}
	return c
}

// TestAWriteKeyThatMayBeOneOfAWorkspaceThatIsNotLoadedIsAskedToWait: upon 401 SDKs
// drop events.
func TestAWriteKeyThatMayBeOneOfAWorkspaceThatIsNotLoadedIsAskedToWait(t *testing.T) {
	c := config(fine)
	c.Source = func(string) (ingest.Entry, bool) { return ingest.Entry{}, false }
	c.Waits = func(key string) bool { return key != "none" }
	g := gateway(t, c)
	body := `{"writeKey":"wk","messageId":"m"}`
	for name, got := range map[string]*httptest.ResponseRecorder{
		"the user name":     post(g, body, nil),
		"the body":          post(g, body, func(r *http.Request) { r.Header.Del("Authorization") }),
		"the query":         post(g, body, func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "writeKey=wk" }),
		"its configuration": ask(g, "/sourceConfig?writeKey=wk", nil),
		"its settings":      ask(g, "/v1/projects/wk/settings", nil),
	} {
		if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" || !strings.Contains(got.Body.String(), "workspace_unloaded") {
			t.Errorf("by %s: %d %s, want 503 with Retry-After", name, got.Code, got.Body)
		}
	}
	if got := post(g, body, func(r *http.Request) { r.SetBasicAuth("none", "") }); got.Code != http.StatusUnauthorized {
		t.Errorf("a key that is of no workspace: %d, want 401", got.Code)
	}
}

func TestSDKsLearnHowToSend(t *testing.T) {
	g := gateway(t, three())
	basic := func(user string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, "") }
	}
	const (
		stats   = `"config":{"statsCollection":{"errors":{"enabled":false},"metrics":{"enabled":false}}},"destinations":[]}}`
		web     = `{"source":{"id":"src_web","name":"The \"shop\"","workspaceId":"ws_a","enabled":true,` + stats
		off     = `{"source":{"id":"src_off","name":"off","workspaceId":"ws_a","enabled":false,` + stats
		http1   = `{"integrations":{"Segment.io":{"apiKey":"wk","apiHost":"in.shop.example:8090/v1","protocol":"http"}}}`
		https   = `{"integrations":{"Segment.io":{"apiKey":"wk","apiHost":"in.shop.example:8090/v1","protocol":"https"}}}`
		unknown = `{"success":false,"error":{"code":"unknown_write_key","message":"No source of this plane has this write key."}}`
	)
	for name, tc := range map[string]struct {
		path   string
		edit   func(*http.Request)
		status int
		want   string
	}{
		"sourceConfig":              {"/sourceConfig", basic("wk"), 200, web},
		"as the browser asks":       {"/sourceConfig/?p=npm&v=3.34.1&build=modern&writeKey=wk&lockIntegrationsVersion=false&lockPluginsVersion=false", basic("wk"), 200, web},
		"key in the query":          {"/sourceConfig?writeKey=wk", nil, 200, web},
		"a disabled source":         {"/sourceConfig/", basic("off"), 200, off},
		"an unknown key":            {"/sourceConfig/", basic("bad"), 401, unknown},
		"no key":                    {"/sourceConfig/", nil, 401, `{"success":false,"error":{"code":"no_write_key","message":"There is no write key: send it as the Basic user name, or as writeKey in the query or the body."}}`},
		"settings":                  {"/v1/projects/wk/settings", nil, 200, http1},
		"settings with a slash":     {"/v1/projects/wk/settings/", nil, 200, http1},
		"settings over TLS":         {"/v1/projects/wk/settings", func(r *http.Request) { r.TLS = new(tls.ConnectionState) }, 200, https},
		"settings behind a proxy":   {"/v1/projects/wk/settings", func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, 200, https},
		"settings, another scheme":  {"/v1/projects/wk/settings", func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "gopher") }, 200, http1},
		"settings, an escaped key":  {"/v1/projects/a%2Fb/settings", nil, 200, `{"integrations":{"Segment.io":{"apiKey":"a/b","apiHost":"in.shop.example:8090/v1","protocol":"http"}}}`},
		"settings, a hostile host":  {"/v1/projects/wk/settings", func(r *http.Request) { r.Host = `"}` }, 200, `{"integrations":{"Segment.io":{"apiKey":"wk","apiHost":"\"}/v1","protocol":"http"}}}`},
		"settings, an unknown key":  {"/v1/projects/bad/settings", nil, 401, unknown},
		"settings, disabled source": {"/v1/projects/off/settings", nil, 404, `{"success":false,"error":{"code":"source_disabled","message":"The source is disabled."}}`},
		"cluster-info":              {"/cluster-info", nil, 200, `{"nodeCount":1}`},
		"cluster-info with a slash": {"/cluster-info/", nil, 200, `{"nodeCount":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(g, tc.path, tc.edit)
			if w.Code != tc.status || w.Body.String() != tc.want || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, tc.status, tc.want)
			}
			if got := w.Header().Get("Cache-Control"); (got == "no-store") != (w.Code == 200) {
				t.Errorf("Cache-Control %q", got)
			}
		})
	}
	if counts := g.Counts(); len(counts) != 0 {
		t.Errorf("asking was counted: %+v", counts)
	}
}

func TestPreflightsAllowWhatSDKsSend(t *testing.T) {
	g := gateway(t, three())
	for path, headers := range map[string]string{
		"/sourceConfig/":            "authorization,content-type",
		"/v1/track":                 "anonymousid,authorization,content-type,sentat",
		"/v1/batch":                 "anonymousid,authorization,content-type,rsa-recovered,rsa-retry-attempt,rsa-retry-reason,rsa-since-first-attempt,rsa-since-last-attempt,sentat",
		"/v1/t":                     "authorization,x-retry-count",
		"/v1/projects/wk/settings":  "",
		"/beacon/v1/batch":          "content-type",
		"/pixel/v1/page":            "authorization",
		"/v1/webhook":               "content-encoding,content-type,x-signature",
		"/cluster-info":             "rs-nodecount,rs-targetnode,rs-useragent",
		"/a/path/that/is/not/there": "x-any",
	} {
		r := httptest.NewRequest("OPTIONS", path, nil)
		r.Header.Set("Origin", "https://shop.example")
		r.Header.Set("Access-Control-Request-Method", "POST")
		if headers != "" {
			r.Header.Set("Access-Control-Request-Headers", headers)
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		h := w.Header()
		if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "https://shop.example" || h.Get("Access-Control-Allow-Headers") != headers || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
	}
	for _, path := range []string{"/sourceConfig/?writeKey=wk", "/sourceConfig/", "/v1/projects/wk/settings", "/v1/projects/bad/settings"} {
		w := ask(g, path, func(r *http.Request) { r.Header.Set("Origin", "https://shop.example") })
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != "https://shop.example" {
			t.Errorf("%s: allowed origin %q", path, got)
		}
	}
}

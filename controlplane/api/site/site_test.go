package site_test

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/site"
	"weir/controlplane/store"
)

func TestAssetsAreSentCompressedToWhoTakesThat(t *testing.T) {
	t.Parallel()
	script := strings.Repeat("console.log(1);\n", 1000)
	s := site.Site{
		Files: fstest.MapFS{
			"index.html":       {Data: []byte("<!doctype html>")},
			"assets/app-1a.js": {Data: []byte(script)},
			"favicon.svg":      {Data: []byte("<svg/>")},
		},
		Planes: func(context.Context, string) ([]store.Plane, error) { return nil, nil },
		Log:    slog.New(slog.DiscardHandler),
	}
	e := echo.New()
	e.GET("/*", s.Serve)
	for header, zipped := range map[string]bool{
		"gzip, deflate, br": true, "br;q=1.0, gzip;q=0.5": true, "GZIP": true,
		"": false, "br": false, "gzip;q=0": false, "gzip; q=0.0": false,
	} {
		for range 2 { // the second is from what was kept
			r := httptest.NewRequest(http.MethodGet, "/assets/app-1a.js", nil)
			r.Header.Set("Accept-Encoding", header)
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			var body io.Reader = w.Body
			if got := w.Header().Get("Content-Encoding") == "gzip"; got != zipped {
				t.Fatalf("Accept-Encoding %q: gzip %v, want %v", header, got, zipped)
			}
			if zipped {
				if w.Body.Len() > len(script)/10 {
					t.Errorf("%d bytes became %d", len(script), w.Body.Len())
				}
				z, err := gzip.NewReader(w.Body)
				if err != nil {
					t.Fatal(err)
				}
				body = z
			}
			text, err := io.ReadAll(body)
			if err != nil || string(text) != script {
				t.Errorf("Accept-Encoding %q: %d bytes, %v", header, len(text), err)
			}
			if h := w.Header(); h.Get("Vary") != "Accept-Encoding" || !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Content-Type") != "text/javascript; charset=utf-8" {
				t.Errorf("Accept-Encoding %q: %v", header, h)
			}
		}
	}
	icon := httptest.NewRecorder()
	e.ServeHTTP(icon, httptest.NewRequest(http.MethodGet, "/favicon.svg", nil))
	if got := icon.Header().Get("Cache-Control"); got != "public, max-age=86400" {
		t.Errorf("the icon is kept by %q, want for a day", got)
	}
	r := httptest.NewRequest(http.MethodGet, "/workspaces/acme", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Body.String() != "<!doctype html>" || w.Header().Get("Content-Security-Policy") == "" || w.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("a page: %v %s", w.Header(), w.Body)
	}
}

package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/controlplane/api/web"
)

func TestAnswersAreCompressedWhereThatIsWorthIt(t *testing.T) {
	t.Parallel()
	long := `{"catalog":"` + strings.Repeat("a destination, ", 1000) + `"}`
	for name, tc := range map[string]struct {
		takes, kind, encoding, body string
		zipped                      bool
	}{
		"long JSON":               {"gzip, br", "application/json; charset=UTF-8", "", long, true},
		"a long problem":          {"gzip", "application/problem+json", "", long, true},
		"who does not take it":    {"", "application/json", "", long, false},
		"short JSON":              {"gzip", "application/json", "", `{"ok":true}`, false},
		"a stream of events":      {"gzip", "text/event-stream", "", "data: " + long + "\n\n", false},
		"a file of the console":   {"gzip", "text/javascript", "", long, false},
		"what is compressed once": {"gzip", "application/json", "gzip", long, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := web.Compressed(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.kind)
				if tc.encoding != "" {
					w.Header().Set("Content-Encoding", tc.encoding)
				}
				_, _ = io.WriteString(w, tc.body)
				if tc.kind != "text/event-stream" {
					return
				}
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Errorf("flush: %v", err)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/api/v1/catalog", nil)
			r.Header.Set("Accept-Encoding", tc.takes)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if !tc.zipped {
				if w.Body.String() != tc.body || w.Header().Get("Content-Encoding") != tc.encoding {
					t.Errorf("%v, %d bytes, want %d as they are", w.Header(), w.Body.Len(), len(tc.body))
				}
				return
			}
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(z)
			if err != nil || string(got) != tc.body || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%v: %d bytes, %v, want %d", w.Header(), len(got), err, len(tc.body))
			}
		})
	}
}

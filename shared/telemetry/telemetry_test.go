package telemetry_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/telemetry"
)

func TestALineIsReadable(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text", ""} {
		var out bytes.Buffer
		log, err := telemetry.NewLogger(telemetry.LogConfig{Out: &out, Format: format, Role: "dataplane"})
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("not wanted")
		log.Info("revision applied", telemetry.KeyNumber, 7, telemetry.KeyTook, 1500*time.Microsecond, "credential", secret.NewString("hunter2"))
		text := out.String()
		for _, want := range []string{"revision applied", "1.5ms", "dataplane", "***", "info"} {
			if !strings.Contains(text, want) {
				t.Errorf("format %q: %q lacks %q", format, text, want)
			}
		}
		if strings.Contains(text, "hunter2") || strings.Contains(text, "not wanted") {
			t.Errorf("format %q: %q says too much", format, text)
		}
		if format == "json" && !json.Valid(bytes.TrimSpace(out.Bytes())) {
			t.Errorf("%q is not JSON", text)
		}
	}
}

func TestUnknownFormatsAndLevelsAreRefused(t *testing.T) {
	t.Parallel()
	for _, cfg := range []telemetry.LogConfig{{Format: "xml"}, {Level: "loud"}, {Level: "info+2"}} {
		if _, err := telemetry.NewLogger(cfg); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("NewLogger(%+v): %v, want Invalid", cfg, err)
		}
	}
}

func TestTheHandlerServesTheMetricsOfAllRegistries(t *testing.T) {
	t.Parallel()
	second := prometheus.NewRegistry()
	second.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "weir_deliver_requests_total"}))
	h := telemetry.Handler(telemetry.NewRegistry(), second)
	for path, want := range map[string]string{"/metrics": "weir_deliver_requests_total 0", "/debug/pprof/": "goroutine"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
		if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("GET %s: %d without %q", path, rec.Code, want)
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if rec.Code != http.StatusNotFound {
		t.Errorf("GET /: %d, want 404", rec.Code)
	}
}

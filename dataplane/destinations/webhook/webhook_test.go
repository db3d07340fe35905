package webhook_test

import (
	"testing"
	"time"

	"weir/dataplane/destinations/webhook"
	"weir/shared/fault"
	"weir/shared/secret"
)

func TestOpenReportsBadInput(t *testing.T) {
	t.Parallel()
	const good = `{"url":"http://127.0.0.1:9999/events"}`
	for name, tc := range map[string]struct{ settings, headers, path, code string }{
		"no url":                        {`{}`, ``, "settings.url", "required"},
		"not http":                      {`{"url":"ftp://example.com"}`, ``, "settings.url", "bad_url"},
		"headers are no object":         {good, `"Authorization: x"`, "secrets.headers", "wrong_type"},
		"headers are no JSON":           {good, `Authorization`, "secrets.headers", "wrong_type"},
		"a header's value is no string": {good, `{"A":1}`, "secrets.headers.A", "wrong_type"},
		"a line break in a value":       {good, `{"A":"x\r\nB: y"}`, "secrets.headers.A", "malformed"},
		"a space in a name":             {good, `{"A B":"x"}`, "secrets.headers", "bad_header"},
		"an empty name":                 {good, `{"":"x"}`, "secrets.headers", "bad_header"},
		"a header of the connection":    {good, `{"content-length":"3"}`, "secrets.headers", "not_allowed"},
		"one header twice":              {good, `{"a":"x","A":"y"}`, "secrets.headers", "duplicate_name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secrets := map[string]secret.String{}
			if tc.headers != "" {
				secrets["headers"] = secret.NewString(tc.headers)
			}
			_, err := webhook.Kind().Open([]byte(tc.settings), secrets)
			for _, p := range fault.ProblemsOf(err) {
				if p.Path == tc.path && p.Code == tc.code {
					return
				}
			}
			t.Errorf("Open = %v (%+v), want a problem %s at %s", err, fault.ProblemsOf(err), tc.code, tc.path)
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	o, err := webhook.Kind().Open([]byte(`{"url":"http://127.0.0.1:9999/events"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := o.Limits; !l.Ordered || l.Concurrency != 16 || l.Timeout != 30*time.Second || l.BatchSize != 1 || l.BatchWait != 0 {
		t.Errorf("limits = %+v, want ordered, 16, 30 s, single", l)
	}
	o, err = webhook.Kind().Open([]byte(`{"url":"http://127.0.0.1:9999/events","ordered":false,"concurrency":3,"batch":{"size":7}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := o.Limits; l.Ordered || l.Concurrency != 3 || l.BatchSize != 7 || l.BatchWait != 200*time.Millisecond {
		t.Errorf("limits = %+v, want unordered, 3, batches of 7 within 200 ms", l)
	}
}

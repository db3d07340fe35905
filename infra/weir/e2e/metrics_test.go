package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestTheDashboardAndTheRulesFindTheirMetrics looks up every metric that the
// shipped dashboard and alert rules ask for at a plane that delivered an event.
func TestTheDashboardAndTheRulesFindTheirMetrics(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	const secret = "zebra-7f1c"
	accept(t, in.Gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":%q,"event":%q,"messageId":%q,"properties":{"x":%q}}`, secret, secret, secret, secret))
	until(t, "the event", func() bool { return len(hook.ids()) == 1 })
	var text string
	delivered := regexp.MustCompile(`weir_ledger_destination_events\{[^}]*kind="delivered"[^}]*\} 1\n`)
	until(t, "metrics of the destination", func() bool {
		res, err := http.Get(in.Metrics + "/metrics")
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		text = string(b)
		return err == nil && delivered.MatchString(text)
	})
	if strings.Contains(text, secret) {
		t.Error("a metric holds something of an event")
	}
	there := map[string]bool{}
	for l := range strings.Lines(text) {
		if name := regexp.MustCompile(`^[a-z_]+`).FindString(l); name != "" {
			there[name] = true
		}
	}
	for file, exprs := range map[string][]string{"../../grafana/weir.json": dashboard(t), "../../prometheus/alerts.yaml": rules(t)} {
		if len(exprs) < 10 {
			t.Errorf("%s has %d expressions, want its at least ten", file, len(exprs))
		}
		for _, e := range exprs {
			names := regexp.MustCompile(`\b(weir|go|process)_[a-z_]+`).FindAllString(e, -1)
			if len(names) == 0 {
				t.Errorf("%s: %q names no metric", file, e)
			}
			for _, n := range names {
				if !there[n] {
					t.Errorf("%s: the plane has no metric %s", file, n)
				}
			}
		}
	}
}

func dashboard(t *testing.T) (exprs []string) {
	t.Helper()
	b, err := os.ReadFile("../../grafana/weir.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	return exprs
}

func rules(t *testing.T) (exprs []string) {
	t.Helper()
	b, err := os.ReadFile("../../prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations struct{ Summary, Description string }
			}
		}
	}
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			if r.Annotations.Summary == "" || r.Annotations.Description == "" {
				t.Errorf("%s does not say what it means and what to do", r.Alert)
			}
			exprs = append(exprs, r.Expr)
		}
	}
	return exprs
}

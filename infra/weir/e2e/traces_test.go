package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"weir/shared/telemetry/telemetrytest"
)

// TestTracesTellTheWayAndNothingOfAnEvent has a frame's steps collected: one that
// is refused and one that goes through code.
func TestTracesTellTheWayAndNothingOfAnEvent(t *testing.T) {
	c := telemetrytest.Collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	bad, good := newSink(t), newSink(t)
	bad.set(func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if !bytes.Contains(body, []byte("REFUSE")) {
			return false
		}
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write(body)
		return true
	})
	_, in := dev(t, t.TempDir(), hostileConfig(bad.URL, good.URL))
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"`+mark+`u","event":"`+mark+`e","messageId":"`+mark+`1","properties":{"x":"`+mark+`REFUSE"}}`)
	accept(t, in.Gateway, "/v1/track", "wk_web", `{"userId":"`+mark+`u","event":"throw","messageId":"`+mark+`2","properties":{"secret":"`+mark+`"}}`)
	want := []string{"append", "deliver", "deliver", "route", "settled", "transform"}
	until(t, "both at the neighbour", func() bool { return len(good.ids()) == 2 })
	until(t, "a first step of each trace, the steps of a frame whose event was sent twice, and why it was refused", func() bool {
		steps, roots := map[string][]string{}, map[string]int{} // by trace
		refused, whole := false, false
		for _, s := range c.Spans() {
			id := fmt.Sprintf("%x", s.TraceId)
			steps[id] = append(steps[id], s.Name)
			refused = refused || s.Status.GetMessage() == "rejected_422"
			if len(s.ParentSpanId) == 0 {
				roots[id]++
			}
		}
		for id, names := range steps {
			whole = whole || roots[id] == 1 && slices.Equal(slices.Sorted(slices.Values(names)), want)
		}
		return refused && whole && len(roots) == len(steps)
	})
	if found := marked(c.Raw(), 3); found != "" {
		t.Errorf("traces hold %s", found)
	}
}

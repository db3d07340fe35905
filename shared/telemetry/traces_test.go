package telemetry_test

import (
	"encoding/hex"
	"log/slog"
	"testing"
	"time"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"

	"weir/shared/fault"
	"weir/shared/telemetry"
	"weir/shared/telemetry/telemetrytest"
)

func TestStepsOfAFrameShareATraceThatNobodyHandsOn(t *testing.T) {
	c := telemetrytest.Collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	begun := time.Now().Add(-time.Second)
	for _, step := range []string{"append", "deliver"} { // two processes
		traces, err := telemetry.NewTraces(t.Context(), telemetry.TraceConfig{Share: 1})
		if err != nil {
			t.Fatal(err)
		}
		if step == "append" {
			traces.Of("pl_a", 1, 7).Root(step, begun, slog.Int(telemetry.KeyCount, 3))
		} else {
			traces.Of("pl_a", 1, 7).Span(step, begun, "rejected_400", slog.String(telemetry.KeyDestination, "dst_x"))
		}
		if err := traces.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := c.Spans()
	if len(got) != 2 {
		t.Fatalf("%d spans, want 2", len(got))
	}
	root, step := got[0], got[1]
	if root.Name != "append" || len(root.ParentSpanId) > 0 || hex.EncodeToString(step.ParentSpanId) != hex.EncodeToString(root.SpanId) ||
		hex.EncodeToString(step.TraceId) != hex.EncodeToString(root.TraceId) {
		t.Errorf("%v is not under %v", step, root)
	}
	if took := time.Duration(step.EndTimeUnixNano - step.StartTimeUnixNano); took < time.Second || took > time.Minute {
		t.Errorf("the step took %v, want a second", took)
	}
	if step.Status.Code != spans.Status_STATUS_CODE_ERROR || step.Status.Message != "rejected_400" {
		t.Errorf("its status is %v", step.Status)
	}
	about := map[string]string{}
	for _, kv := range step.Attributes {
		about[kv.Key] = kv.Value.String()
	}
	if len(about) != 4 || about["destination"] == "" || about["plane"] == "" || about["partition"] == "" || about["sequence"] == "" {
		t.Errorf("its attributes are %v", about)
	}
}

func TestTheShareOfFramesIsTraced(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", telemetrytest.Collect(t).URL)
	const frames = 100_000
	for share, want := range map[float64][2]int{0: {0, 0}, 0.01: {900, 1100}, 1: {frames, frames}} {
		traces, err := telemetry.NewTraces(t.Context(), telemetry.TraceConfig{Share: share})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for frame := range uint64(frames) {
			if traces.Of("pl_a", 1, frame) != nil {
				n++
			}
		}
		if n < want[0] || n > want[1] {
			t.Errorf("share %v: %d of %d frames", share, n, frames)
		}
		if err := traces.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := telemetry.NewTraces(t.Context(), telemetry.TraceConfig{Share: 2}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a share of 2: %v, want fault.Invalid", err)
	}
	if (*telemetry.Traces)(nil).Of("pl_a", 1, 1) != nil {
		t.Error("no traces give one")
	}
}

package command

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"weir/shared/telemetry"
)

// traced is the share of frames that are traced when nothing else is said.
const traced = 0.001

// Traces connects to the collector that OpenTelemetry's variables name, nil for
// none. Close it when the planes have ended. An error is one of usage.
func (p Process) Traces(ctx context.Context, log *slog.Logger) (*telemetry.Traces, error) {
	if p.variable("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && p.variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" || p.variable("OTEL_SDK_DISABLED") == "true" {
		return nil, nil //nolint:nilnil // nil traces nothing
	}
	share := traced
	switch sampler, arg := strings.TrimPrefix(p.variable("OTEL_TRACES_SAMPLER"), "parentbased_"), p.variable("OTEL_TRACES_SAMPLER_ARG"); {
	case sampler == "always_on":
		share = 1
	case sampler == "always_off":
		share = 0
	case sampler != "" && sampler != "traceidratio":
		return nil, Usage("OTEL_TRACES_SAMPLER: %q is none of always_on, always_off, traceidratio", sampler)
	case arg != "":
		var err error
		if share, err = strconv.ParseFloat(arg, 64); err != nil {
			return nil, Usage("OTEL_TRACES_SAMPLER_ARG: %q is no share between 0 and 1, such as 0.001", arg)
		}
	case sampler == "traceidratio":
		share = 1
	}
	all, err := telemetry.NewTraces(ctx, telemetry.TraceConfig{Version: p.Version, Share: share, Log: log})
	if err != nil {
		return nil, Usage("%v", err)
	}
	return all, nil
}

// variable returns a variable of the environment, "" when it is not set.
func (p Process) variable(name string) string {
	value, _ := p.Env(name)
	return value
}

package cli

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"weir/shared/telemetry"
)

// traced is the share of frames that are traced when nothing else is said.
const traced = 0.001

// traces connects to the collector that OpenTelemetry's variables name, nil for
// none. Close it when the planes have ended.
func (k *console) traces(ctx context.Context, log *slog.Logger) (*telemetry.Traces, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" || os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return nil, nil //nolint:nilnil // nil traces nothing
	}
	share := traced
	switch sampler, arg := strings.TrimPrefix(os.Getenv("OTEL_TRACES_SAMPLER"), "parentbased_"), os.Getenv("OTEL_TRACES_SAMPLER_ARG"); {
	case sampler == "always_on":
		share = 1
	case sampler == "always_off":
		share = 0
	case sampler != "" && sampler != "traceidratio":
		return nil, usage("OTEL_TRACES_SAMPLER: %q is none of always_on, always_off, traceidratio", sampler)
	case arg != "":
		var err error
		if share, err = strconv.ParseFloat(arg, 64); err != nil {
			return nil, usage("OTEL_TRACES_SAMPLER_ARG: %q is no share between 0 and 1, such as 0.001", arg)
		}
	case sampler == "traceidratio":
		share = 1
	}
	all, err := telemetry.NewTraces(ctx, telemetry.TraceConfig{Version: k.Version, Share: share, Log: log})
	if err != nil {
		return nil, usage("%v", err)
	}
	return all, nil
}

package telemetry

import (
	"io"
	"log/slog"
	"strings"
	"time"

	"weir/shared/fault"
)

// LogConfig says how a process logs. The zero value writes text from level info
// on to nowhere; set Out.
type LogConfig struct {
	Out    io.Writer // nil discards
	Format string    // "text" (also when empty) or "json"
	Level  string    // debug, info (also when empty), warn, error
	Role   string    // controlplane, dataplane; stands in each line as "role" when set
}

// NewLogger returns a logger. It may be used from many goroutines; lines are
// written whole. fault.Invalid: an unknown format or level.
func NewLogger(cfg LogConfig) (*slog.Logger, error) {
	var level slog.Level
	if cfg.Level != "" {
		if err := level.UnmarshalText([]byte(cfg.Level)); err != nil || strings.ContainsAny(cfg.Level, "+-") {
			return nil, fault.New(fault.Invalid, "The log level %q is none of debug, info, warn, error.", cfg.Level)
		}
	}
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	var h slog.Handler
	switch {
	case cfg.Format != "" && cfg.Format != "text" && cfg.Format != "json":
		return nil, fault.New(fault.Invalid, "The log format %q is none of text, json.", cfg.Format)
	case cfg.Out == nil:
		return slog.New(slog.DiscardHandler), nil
	case cfg.Format == "json":
		h = slog.NewJSONHandler(cfg.Out, opts)
	default:
		h = slog.NewTextHandler(cfg.Out, opts)
	}
	log := slog.New(h)
	if cfg.Role != "" {
		log = log.With("role", cfg.Role)
	}
	return log, nil
}

// readable writes times in UTC with milliseconds, durations with their unit (in
// JSON they would be bare nanoseconds), and levels in lower case.
func readable(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime:
		a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
	case len(groups) == 0 && a.Key == slog.LevelKey:
		a.Value = slog.StringValue(strings.ToLower(a.Value.String()))
	case a.Value.Kind() == slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Microsecond).String())
	}
	return a
}

package telemetry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"weir/shared/fault"
)

// TraceConfig says which traces a process gives.
type TraceConfig struct {
	Version string  // of the program
	Share   float64 // of all frames, those that are traced, from 0 to 1
	Log     *slog.Logger
}

// Traces gives spans of frames to an OpenTelemetry collector. A frame's trace
// id follows from its plane, partition and number, and so does whether it is
// traced: the parts of the way need not hand anything on, also not over the log.
// A nil *Traces traces nothing.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	most     uint64 // the hash of a frame that is traced is not above it
}

// exportTime is how long the last spans may take to be sent.
const exportTime = 5 * time.Second

// NewTraces connects to the collector that the standard variables of
// OpenTelemetry name (OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _CERTIFICATE), by
// OTLP over HTTP. A collector that is away costs spans and nothing else: 2048
// wait at most. fault.Invalid: the share is none.
func NewTraces(ctx context.Context, cfg TraceConfig) (*Traces, error) {
	if !(cfg.Share >= 0 && cfg.Share <= 1) {
		return nil, fault.New(fault.Invalid, "The share of traced frames is %v, not between 0 and 1.", cfg.Share)
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the collector of traces: %w", err)
	}
	return newTraces(cfg, exporter), nil
}

func newTraces(cfg TraceConfig, exporter sdk.SpanExporter) *Traces {
	if cfg.Log != nil {
		// What goes wrong may quote the collector's answer, so only its kind is told.
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {
			cfg.Log.Warn("traces could not be exported", "remedy", "check OTEL_EXPORTER_OTLP_ENDPOINT and the collector")
		}))
	}
	about := resource.NewSchemaless(attribute.String("service.name", "weir"), attribute.String("service.version", cfg.Version))
	p := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter), sdk.WithResource(about), sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(ids{}),
		sdk.WithRawSpanLimits(sdk.SpanLimits{AttributeValueLengthLimit: 128, AttributeCountLimit: 16, EventCountLimit: 0, LinkCountLimit: 0, AttributePerEventCountLimit: 0, AttributePerLinkCountLimit: 0}),
	)
	most := uint64(math.MaxUint64)
	if cfg.Share < 1 {
		most = uint64(cfg.Share * math.MaxUint64)
	}
	return &Traces{provider: p, tracer: p.Tracer("weir"), most: most}
}

// Close sends what waits, for 5 s at most.
func (t *Traces) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), exportTime)
	defer cancel()
	return errors.Join(t.provider.ForceFlush(ctx), t.provider.Shutdown(ctx))
}

// Of returns the trace of a frame; nil: it has none.
func (t *Traces) Of(plane string, partition int, frame uint64) *Trace {
	if t == nil || mix(frame*64+uint64(partition)) > t.most || t.most == 0 {
		return nil
	}
	var at [16]byte
	binary.BigEndian.PutUint64(at[:], uint64(partition))
	binary.BigEndian.PutUint64(at[8:], frame)
	sum := sha256.Sum256(append([]byte(plane+"\x00"), at[:]...))
	tr := &Trace{traces: t, about: []attribute.KeyValue{
		attribute.String(KeyPlane, plane), attribute.Int(KeyPartition, partition), attribute.Int64(KeySequence, int64(frame)),
	}}
	copy(tr.id.trace[:], sum[:16])
	copy(tr.id.span[:], sum[16:])
	return tr
}

// mix spreads numbers evenly (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Trace is one frame's. Attributes of spans are those of logs: identifiers of
// configuration objects, codes, numbers and times.
type Trace struct {
	traces *Traces
	id     identity
	about  []attribute.KeyValue
}

// Root is the first step, under which the others stand: the append to the log.
func (tr *Trace) Root(name string, begun time.Time, about ...slog.Attr) {
	ctx := context.WithValue(context.Background(), idKey{}, tr.id)
	tr.span(ctx, name, begun, "", about)
}

// Span is one step, from begun until now. A code says what went wrong with it.
func (tr *Trace) Span(name string, begun time.Time, code string, about ...slog.Attr) {
	root := trace.NewSpanContext(trace.SpanContextConfig{TraceID: tr.id.trace, SpanID: tr.id.span, TraceFlags: trace.FlagsSampled, Remote: true})
	tr.span(trace.ContextWithRemoteSpanContext(context.Background(), root), name, begun, code, about)
}

func (tr *Trace) span(ctx context.Context, name string, begun time.Time, code string, about []slog.Attr) {
	all := append(make([]attribute.KeyValue, 0, len(tr.about)+len(about)), tr.about...)
	for _, a := range about {
		if a.Value.Kind() == slog.KindInt64 {
			all = append(all, attribute.Int64(a.Key, a.Value.Int64()))
		} else {
			all = append(all, attribute.String(a.Key, a.Value.String()))
		}
	}
	_, s := tr.traces.tracer.Start(ctx, name, trace.WithTimestamp(begun), trace.WithAttributes(all...))
	if code != "" {
		s.SetStatus(codes.Error, code)
	}
	s.End()
}

// identity is a trace's, and its first span's.
type identity struct {
	trace trace.TraceID
	span  trace.SpanID
}

type idKey struct{}

// ids gives a root span the identity that its context carries, and others a random one.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if id, ok := ctx.Value(idKey{}).(identity); ok {
		return id.trace, id.span
	}
	var id identity
	_, _ = rand.Read(id.trace[:]) // never fails
	_, _ = rand.Read(id.span[:])
	return id.trace, id.span
}

func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	_, _ = rand.Read(id[:])
	return id
}

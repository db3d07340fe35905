package transform

import (
	"context"
	"log/slog"
	"time"

	"weir/dataplane/event"
)

type Config struct {
	Workers    int
	Command    []string
	Memory     int64
	Timeout    time.Duration
	MaxOutputs int
	MaxBytes   int
	Log        *slog.Logger
}
type Engine struct{}

func New(Config) (*Engine, error)               { return &Engine{}, nil }
func (e *Engine) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (e *Engine) Apply(ctx context.Context, c *Chain, m Meta, in []event.Event) (Result, error) {
	return Result{}, nil
}

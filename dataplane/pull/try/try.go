// Package try reads the first rows of each stream of a source, on the machine where
// somebody writes its file. Nothing is kept, and no rows go anywhere.
package try

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"weir/dataplane/outbound"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/outbound/rate"
	"weir/dataplane/pull"
	"weir/shared/secret"
)

// Config is how a source is tried.
type Config struct {
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Streams []string // "": all
	From    string   // where the first window begins, RFC 3339; "": with the oldest row
	Rows    int      // of each stream, at most
}

// Line is one row, or why a stream has none. Code and Detail are of a failure.
type Line struct {
	Stream  string `json:"stream"`
	Key     string `json:"key,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
	Row     []byte `json:"-"`
	Code    string `json:"code,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// Times and bounds of a try.
const (
	streamTime = 2 * time.Minute
	mostSteps  = 20
)

// errEnough ends a stream of which enough was read.
var errEnough = errors.New("enough")

// Read reads the streams one after the other, and calls each with what came.
//
// fault.Invalid: settings or secrets are not right. Other errors are those of each and ctx.
func Read(ctx context.Context, k pull.Kind, settings []byte, secrets map[string]secret.String, cfg Config, each func(Line) error) error {
	open, err := k.Open(settings, secrets)
	if err != nil {
		return err
	}
	client := outbound.New(outbound.Config{Dial: cfg.Dial})
	defer client.Close()
	puller := open(pull.Deps{
		Do: client.Read, Dial: cfg.Dial, Keys: auth.New(client.Do), Rates: &rate.Rates{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	for _, stream := range cfg.Streams {
		if err := one(ctx, puller, stream, cfg, each); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// one reads the first rows of a stream.
func one(ctx context.Context, puller pull.Puller, stream string, cfg Config, each func(Line) error) error {
	step, stop := context.WithTimeout(ctx, streamTime)
	defer stop()
	left := cfg.Rows
	var cursor pull.Cursor
	var shown error // of each
	emit := func(all []pull.Record, c pull.Cursor) error {
		cursor = c
		for _, r := range all {
			if shown = each(Line{Stream: stream, Key: r.Key, Deleted: r.Deleted, Row: r.Row}); shown != nil {
				return shown
			}
			if left--; left <= 0 {
				return errEnough
			}
		}
		return nil
	}
	for range mostSteps {
		next, err := puller.Pull(step, stream, cursor, pull.Budget{Until: time.Now().Add(streamTime), From: cfg.From}, emit)
		var failure *pull.Failure
		switch {
		case shown != nil:
			return shown
		case errors.Is(err, errEnough):
			return nil
		case errors.As(err, &failure):
			return each(Line{Stream: stream, Code: failure.Code, Detail: failure.Text})
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return each(Line{Stream: stream, Code: pull.CodeUnreachable, Detail: "The vendor does not answer in time."})
		case next.Wait > 0:
			return each(Line{Stream: stream, Code: "limited", Detail: "The account's limit is reached: try again in " + next.Wait.Round(time.Second).String() + "."})
		case !next.More:
			return nil
		}
	}
	return nil
}

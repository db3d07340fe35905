package cluster

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
)

// codeNeedsLimit: the account demands a limit of each stream.
const codeNeedsLimit = 10113

// Widen lets a stream that is full take more: it loses its limit, or has twice as much
// where the account demands one. It may be called from several goroutines and
// processes at a time.
//
// fault.Limited: the account or the servers let it take no more. Other errors are the
// client's own.
func (c *Cluster) Widen(ctx context.Context, stream string) error {
	if c == nil { // the embedded server
		return fault.New(fault.Limited, "The log %s has no room.", stream)
	}
	have, err := c.cfg.JS.Stream(ctx, stream)
	if err != nil {
		return err
	}
	cfg := have.CachedInfo().Config
	if cfg.MaxBytes <= 0 || cfg.MaxBytes > int64(have.CachedInfo().State.Bytes)+roomForOthers {
		return nil // somebody else did
	}
	limits := []int64{-1, 2 * cfg.MaxBytes}
	if most := c.limits.StoreMaxStreamBytes; most > 0 {
		limits = []int64{min(2*cfg.MaxBytes, most)}
	}
	for _, limit := range slices.Compact(limits) {
		if limit == cfg.MaxBytes {
			break
		}
		cfg.MaxBytes = limit
		_, err = c.cfg.JS.UpdateStream(ctx, cfg)
		if err == nil {
			c.cfg.Log.WarnContext(ctx, "log is full of what was acknowledged, and takes more than its limit", "log", stream, "limit", limit)
			return nil
		}
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != codeNeedsLimit && !noRoom(err) {
			return err
		}
	}
	return fault.New(fault.Limited, "The servers let the log %s take no more.", stream)
}

// roomForOthers is how much a stream has free at least when it is not full, in bytes:
// more than the largest record.
const roomForOthers = 16 << 20

package overflow

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"weir/shared/fault"
)

// insistMoves is how many moves one append makes room by at most. One suffices unless
// records are large or the log's limit is another than that of Config.
const insistMoves = 4

// insist is Append for what has no other place.
func (o *Log) insist(ctx context.Context, key string, data []byte) (uint64, error) {
	for n := 0; ; n++ {
		seq, err := o.Log.Append(ctx, key, data)
		if err == nil {
			o.weigh(key, len(data))
			return seq, nil
		}
		if n == insistMoves || o.c.Stored == 0 || fault.KindOf(err) != fault.Limited {
			return 0, err
		}
		if moved, failed := o.moveAny(ctx, key, max(o.c.Segment, int64(len(data)))); failed != nil || moved == 0 {
			return 0, cmp.Or(failed, err)
		}
	}
}

// moveAny moves the oldest of key or, where the log has none of it, of the largest key.
func (o *Log) moveAny(ctx context.Context, key string, size int64) (int64, error) {
	if n, err := o.move(ctx, key, size); n > 0 || err != nil {
		return n, err
	}
	st, err := o.Log.State(ctx)
	if err != nil {
		return 0, err
	}
	keys, err := o.Log.Keys(ctx)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	held := o.sizes(ctx, keys, st.Bytes)
	return o.move(ctx, slices.MaxFunc(slices.Collect(maps.Keys(held)), func(a, b string) int {
		return cmp.Or(cmp.Compare(held[a], held[b]), cmp.Compare(b, a))
	}), size)
}

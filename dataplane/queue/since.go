package queue

import (
	"context"
	"time"
)

// Since returns the number, from low to high, of the first record of log that is
// not older than age; high when there is none below it. What is old is told by the
// earlier of two clocks, the machine's and the newest record's, because one of them
// may have jumped. Times of records must not go back.
func Since(ctx context.Context, log Log, low, high uint64, age time.Duration) (uint64, error) {
	newest, err := log.Last(ctx)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	if newest.At.Before(now) {
		now = newest.At
	}
	for low < high { // below low all are old; from high on none is asked for
		mid := low + (high-low)/2
		at := time.Time{}
		for rec, err := range log.ReadTo(ctx, mid, "") {
			if err != nil {
				return 0, err
			}
			at = rec.At
			break
		}
		if at.IsZero() || now.Sub(at) <= age {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low, nil
}

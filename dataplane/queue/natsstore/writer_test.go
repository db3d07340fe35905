package natsstore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
)

func BenchmarkWriter(b *testing.B) {
	for _, clients := range []int{64, 512} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			s, err := natsstore.Open(b.Context(), natsstore.Config{Dir: b.TempDir(), MaxBytes: 64 << 30})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			w := queue.NewWriter(s.Logs(queue.Events), s.Slots())
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			events := make([]event.Event, 4096)
			for i := range events {
				events[i] = numbered(fmt.Sprintf("user-%d", i), i, 300)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for c := range clients {
				wg.Go(func() {
					for i := c; left.Add(-1) >= 0; i++ {
						if err := w.Append(ctx, events[i%len(events):i%len(events)+1:i%len(events)+1]); err != nil {
							b.Errorf("Append: %v", err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			cancel()
			<-ended
		})
	}
}

package delay_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"weir/shared/delay"
)

func TestForEndsWithTheTimeOrTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if !delay.For(ctx, time.Second) || time.Since(begun) != time.Second {
			t.Errorf("it ended after %v, want the second that was asked for", time.Since(begun))
		}
		if delay.For(ctx, time.Hour) || time.Since(begun) != time.Minute {
			t.Errorf("it ended after %v, want when the context did", time.Since(begun))
		}
	})
}

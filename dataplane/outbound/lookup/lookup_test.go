package lookup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/dataplane/outbound/lookup"
)

func TestWhatWasFoundIsKeptForAWhile(t *testing.T) {
	t.Parallel()
	var c lookup.Cache
	now := time.Unix(1e9, 0)
	c.Put("ws_a", "dst_a", "ada", "17", now)
	c.Put("ws_a", "dst_a", "none", "", now)
	get := func(key string, at time.Time) string {
		found, ok := c.Get("ws_a", "dst_a", key, at)
		return fmt.Sprintf("%q %v", found, ok)
	}
	if got := get("ada", now.Add(9*time.Minute)); got != `"17" true` {
		t.Errorf("soon: %s", got)
	}
	if _, ok := c.Get("ws_a", "dst_b", "ada", now); ok {
		t.Error("another destination found it")
	}
	if _, ok := c.Get("ws_b", "dst_a", "ada", now); ok {
		t.Error("another workspace found it")
	}
	if got := get("none", now); got != `"" false` {
		t.Errorf("nothing is kept: %s", got)
	}
	if got := get("ada", now.Add(11*time.Minute)); got != `"" false` {
		t.Errorf("late: %s", got)
	}
	c.Put("ws_a", "dst_a", "ada", "18", now)
	c.Forget("ws_a", "dst_a", "ada")
	if got := get("ada", now); got != `"" false` {
		t.Errorf("forgotten: %s", got)
	}
}

// TestOneWorkspaceTakesNothingFromAnother, and no more than its share.
func TestOneWorkspaceTakesNothingFromAnother(t *testing.T) {
	t.Parallel()
	var c lookup.Cache
	now := time.Unix(1e9, 0)
	c.Put("ws_a", "dst_a", "ada", "17", now)
	for i := range 20_000 {
		c.Put("ws_b", "dst_b", fmt.Sprint(i), strings.Repeat("x", 100), now)
	}
	kept := 0
	for i := range 20_000 {
		if _, ok := c.Get("ws_b", "dst_b", fmt.Sprint(i), now); ok {
			kept++
		}
	}
	if _, ok := c.Get("ws_a", "dst_a", "ada", now); !ok || kept < 3000 || kept > 3600 {
		t.Errorf("%d of another workspace are kept, and ours %v, want about 3,400 and ours", kept, ok)
	}
	if _, ok := c.Get("ws_b", "dst_b", "19999", now); !ok {
		t.Error("the newest is forgotten")
	}
}

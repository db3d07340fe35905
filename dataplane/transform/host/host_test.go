package host_test

import (
	"strings"
	"testing"

	"weir/dataplane/transform/host"
)

// TestStrangersArgumentsAreRefused: code can reach these functions with anything.
func TestStrangersArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 4<<20+1)
	for _, args := range [][]any{
		nil, {"sha256"}, {"rot13", "x", false, nil, false}, {5, "x", false, nil, false}, {"sha256", 5, false, nil, false}, {"sha256", large, false, nil, false},
		{"sha256", large, true, nil, false}, {"sha256", "€", true, nil, false}, {"sha256", "x", false, large, false}, {"sha256", "x", false, 5, false}, {"sha256", nil, nil, nil, nil},
	} {
		if got, err := host.Hash(args); err == nil {
			t.Errorf("%.60v: %v", args, got)
		}
	}
	for _, args := range [][]any{nil, {"x"}, {-1}, {1<<16 + 1}, {1.5}, {1, 2}} {
		if got, err := host.Random(args); err == nil {
			t.Errorf("%v: %.60v", args, got)
		}
	}
	if got, err := host.Hash([]any{"sha256", strings.Repeat("é", 4<<20), true, nil, false}); err != nil {
		t.Errorf("4 MiB of bytes: %v, %v", got, err)
	}
}

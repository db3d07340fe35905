package stack_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/infra/weir/stack"
)

// TestAPlaneThatCannotStartSaysWhy starts a stack whose data plane has a guard.yaml that
// cannot be read: Run returns that plane's error, and never says that the stack is up.
func TestAPlaneThatCannotStartSaysWhy(t *testing.T) {
	dir := t.TempDir()
	plane := filepath.Join(dir, "planes", "eu")
	if err := os.MkdirAll(plane, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(plane, "guard.yaml"), []byte("destinations: [unfinished"), 0o600); err != nil {
		t.Fatal(err)
	}
	free := stack.Address{Text: "127.0.0.1:0"}
	err := stack.Run(t.Context(), stack.Config{
		DataDir: dir, Regions: []string{"eu"}, Version: "test", Log: slog.New(slog.DiscardHandler), Note: t.Logf,
		HTTP: free, Hub: free, Gateway: free, View: free, Metrics: free,
	}, func(context.Context, stack.Running) error {
		t.Error("the stack was told to be up without its data plane")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "guard.yaml") {
		t.Fatalf("Run: %v; want an error that names guard.yaml", err)
	}
}

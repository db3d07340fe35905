package dev

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/stack"
	"weir/shared/command"
	"weir/shared/fault"
	"weir/shared/workspace/document"
)

// makeWebhook starts the built-in webhook on a free port and returns its URL.
func (k invocation) makeWebhook(ctx context.Context) (string, error) {
	address, err := stack.FreeAddress("127.0.0.1")
	if err != nil {
		return "", err
	}
	return "http://" + address + "/", k.serveWebhook(ctx, address)
}

// resumeWebhook starts the built-in webhook where an earlier start had it, while
// the first workspace still sends there.
func (k invocation) resumeWebhook(ctx context.Context, f devFlags, control *remote.Control) error {
	made, err := os.ReadFile(filepath.Join(f.dataDir, firstFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.New(fault.Unavailable, "the first configuration cannot be read: %v", err)
	}
	doc, _, err := control.Document(ctx, firstWorkspace)
	if fault.KindOf(err) == fault.Missing {
		return nil
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(doc.Destinations, func(d document.Destination) bool { return d.Name == firstDestination })
	if i < 0 {
		return nil
	}
	var settings struct{ URL string }
	if json.Unmarshal(doc.Destinations[i].Settings, &settings) != nil || settings.URL == "" || !strings.Contains(string(made), `"`+settings.URL+`"`) {
		return nil
	}
	address := strings.TrimSuffix(strings.TrimPrefix(settings.URL, "http://"), "/")
	if err := k.serveWebhook(ctx, address); err != nil {
		k.Note("weir: the built-in webhook cannot listen on %s (%v); what goes to the destination %s waits until it can", address, err, firstDestination)
	}
	return nil
}

// serveWebhook takes everything and prints the first event. It ends with ctx.
func (k invocation) serveWebhook(ctx context.Context, address string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	var shown atomic.Bool
	srv := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 2<<20))
			if err == nil && shown.CompareAndSwap(false, true) {
				k.Say("first event delivered: %s", command.Clean(string(body)))
			}
		}),
	}
	go func() { _ = srv.Serve(l) }() // ends with the line below
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return nil
}

// Package site serves the console: the files of its build, and index.html for every
// address that is a page of it. The page may load its own files and talk to this
// address and to the planes' views, and nothing else. Files whose names hold a digest
// are kept by browsers for a year, and sent compressed.
package site

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"weir/controlplane/store"
	"weir/shared/fault"
)

// Site is the console's files. All is required.
type Site struct {
	Files fs.FS // with index.html at the top
	// Planes lists the data planes, whose views the page may talk to.
	Planes func(ctx context.Context, region string) ([]store.Plane, error)
	Log    *slog.Logger

	zipped sync.Map // of assets, whose content never changes: name to []byte
}

// Serve answers with a file. An address that is no file is one of the console's
// pages: index.html.
func (s *Site) Serve(c echo.Context) error {
	name := strings.TrimPrefix(path.Clean(c.Request().URL.Path), "/")
	if name == "api" || strings.HasPrefix(name, "api/") {
		return echo.ErrNotFound
	}
	info, err := fs.Stat(s.Files, name)
	if name == "" || err != nil || info.IsDir() {
		if strings.HasPrefix(name, "assets/") {
			return fault.New(fault.Missing, "there is no such file; the console was built anew, reload the page")
		}
		name = "index.html"
	}
	text, err := fs.ReadFile(s.Files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return c.String(http.StatusNotFound, "The console is not built: run `make web`.\n")
	}
	if err != nil {
		return err
	}
	h := c.Response().Header()
	switch {
	case strings.HasPrefix(name, "assets/"): // the name holds a digest of the content
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	case name == "favicon.svg": // browsers ask for it at every change of the address
		h.Set("Cache-Control", "public, max-age=86400")
	default:
		h.Set("Cache-Control", "no-cache")
	}
	if name == "index.html" {
		h.Set("Content-Security-Policy", s.contentPolicy(c.Request().Context()))
	}
	if strings.HasPrefix(name, "assets/") && isText(name) {
		h.Set("Vary", "Accept-Encoding")
		if takesGzip(c.Request()) {
			if text, err = s.compressed(name, text); err != nil {
				return fmt.Errorf("compress %s: %w", name, err)
			}
			h.Set("Content-Encoding", "gzip")
		}
	}
	return c.Blob(http.StatusOK, contentType(name), text)
}

func isText(name string) bool {
	return slices.Contains([]string{".js", ".css", ".svg", ".json"}, path.Ext(name))
}

// takesGzip reports whether a caller lists gzip without refusing it by a weight of zero.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			_, q, said := strings.Cut(weight, "=")
			return !said || strings.Trim(q, "0. ") != ""
		}
	}
	return false
}

// compressed is an asset in gzip, which is made once.
func (s *Site) compressed(name string, text []byte) ([]byte, error) {
	if known, ok := s.zipped.Load(name); ok {
		return known.([]byte), nil
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	s.zipped.Store(name, b.Bytes())
	return b.Bytes(), nil
}

// contentType is fixed here because the system's own list differs between
// machines.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".json", ".map", ".webmanifest":
		return "application/json"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return "application/octet-stream"
	}
}

// contentPolicy lets the console's page load its own files and talk to this
// address, to the planes' views and, for test events, to their gateways, and nothing else.
func (s *Site) contentPolicy(ctx context.Context) string {
	connect := []string{"'self'"}
	planes, err := s.Planes(ctx, "")
	if err != nil {
		s.Log.WarnContext(ctx, "planes' views not known to the console's page", "error", err)
	}
	for _, p := range planes {
		for _, at := range []string{p.ViewURL, p.GatewayURL} {
			u, err := url.Parse(at)
			if err != nil || u.Host == "" || strings.ContainsAny(u.Host, "; ,'\"") {
				continue
			}
			if origin := u.Scheme + "://" + u.Host; !slices.Contains(connect, origin) {
				connect = append(connect, origin)
			}
		}
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; connect-src " +
		strings.Join(connect, " ") + "; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

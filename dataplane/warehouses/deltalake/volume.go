package deltalake

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir/dataplane/warehouse"
)

// directory is where the files of one merge, or of one part of it, are in the volume.
type directory struct {
	w     *connection
	path  string // with / at its end; "" before Next
	files []string
	made  []string
}

// removeTime is how long removing files may take.
const removeTime = 30 * time.Second

// volume is the path of the volume.
func (s *Settings) volume() string {
	return "/Volumes/" + s.Catalog + "/" + s.Schema + "/" + s.Volume + "/"
}

// next makes a directory that nothing else has.
func (d *directory) next(ctx context.Context) error {
	path := d.w.settings.volume() + d.w.api.now().UTC().Format("20060102T150405") + "-" + rand.Text() + "/"
	if err := d.send(ctx, http.MethodPut, "directories", path, nil); err != nil {
		return err
	}
	d.path, d.made = path, append(d.made, path)
	return nil
}

// put writes a file into the directory. Errors are Failures.
func (d *directory) put(ctx context.Context, file []byte) error {
	name := fmt.Sprintf("%s%06d.parquet", d.path, len(d.files))
	d.files = append(d.files, name)
	return d.send(ctx, http.MethodPut, "files", name, file)
}

// remove removes files and directories as far as it can, also when ctx ended.
func (d *directory) remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	for _, f := range d.files {
		if d.send(ctx, http.MethodDelete, "files", f, nil) != nil {
			return
		}
	}
	for _, path := range d.made {
		if d.send(ctx, http.MethodDelete, "directories", path, nil) != nil {
			return
		}
	}
}

// send sends a request of the Files API.
func (d *directory) send(ctx context.Context, method, what, path string, body []byte) error {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	at := "/api/2.0/fs/" + what + strings.Join(parts, "/")
	if what == "files" && method == http.MethodPut {
		at += "?overwrite=true"
	}
	err := d.w.api.send(ctx, method, at, "application/octet-stream", body, nil)
	var e *apiError
	if !errors.As(err, &e) {
		return err
	}
	s := d.w.settings
	switch e.status {
	case http.StatusForbidden:
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the volume is refused: grant read volume, write volume on volume %s to the sign-in: %w", s.within(s.Volume), e))
	case http.StatusNotFound:
		if method == http.MethodDelete {
			return nil
		}
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("there is no volume %s, or the sign-in may not see it: create volume %[1]s, and grant read volume, write volume on it: %w", s.within(s.Volume), e))
	}
	return warehouse.Fail(warehouse.CodeUnreachable, e)
}

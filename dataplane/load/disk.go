package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/dataplane/load/stage"
	"weir/shared/durable"
	"weir/shared/id"
)

// manifest is one load as it lies on disk until it is closed.
type manifest struct {
	ID     string        `json:"id"`
	At     time.Time     `json:"at"` // uuid_ts of its rows
	From   []uint64      `json:"from"`
	To     []uint64      `json:"to"` // by partition, the first record that is not part of it
	Staged bool          `json:"staged"`
	Full   bool          `json:"full"` // there was more than one load takes
	Tables []stage.Table `json:"tables,omitempty"`
}

// cursor is the first record of each partition that is in no closed manifest.
type cursor struct {
	Next []uint64 `json:"next"`
	Last string   `json:"last"` // the closed manifest's ID
	// Workspace is the destination's, by which its removal is known.
	Workspace id.Workspace `json:"workspace,omitempty"`
}

// next returns the first record of each partition that no closed load of d has.
func (e *Engine) next(d id.Destination) ([]uint64, error) {
	var c cursor
	_, err := get(filepath.Join(e.c.Dir, string(d), "cursor.json"), &c)
	return c.Next, err
}

// put writes v so that after a crash the old or the new is there, whole.
func put(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	if err := durable.MakeFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("make a load's folder: %w", err)
	}
	if err := durable.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("keep a load: %w", err)
	}
	return nil
}

// get reads what put wrote; false when there is nothing.
func get(path string, v any) (bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return true, nil
}

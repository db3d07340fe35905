package warehouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"weir/shared/durable"
	"weir/shared/id"
)

// Owners lets one user at a time have an embedded file, and knows whose the files
// of the release before are.
type Owners struct {
	mu    sync.Mutex
	slots map[string]chan struct{}
	used  map[string][]id.Workspace // by clean path below the data folder
}

// Take waits for name; release gives it back and may be called once.
func (o *Owners) Take(ctx context.Context, name string) (release func(), err error) {
	o.mu.Lock()
	if o.slots == nil {
		o.slots = map[string]chan struct{}{}
	}
	slot, ok := o.slots[name]
	if !ok {
		slot = make(chan struct{}, 1)
		o.slots[name] = slot
	}
	o.mu.Unlock()
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// formerFile, in filesFolder, is written once: which workspaces used which paths
// when files lay directly in the data folder. A path that a later revision names
// gives no right to such a file.
const formerFile = "former.json"

// Adopt is called once before a revision of the hub runs. used is the workspaces by
// the path of a file in their newest revision. The first call on a data folder keeps
// it, and what is kept counts ever after. After an error, the disk's, used counts
// until the process ends.
func (o *Owners) Adopt(dataDir string, used map[string][]id.Workspace) error {
	name := filepath.Join(dataDir, filesFolder, formerFile)
	kept := map[string][]id.Workspace{}
	b, err := os.ReadFile(name)
	switch {
	case err == nil:
		if err = json.Unmarshal(b, &kept); err != nil {
			err = fmt.Errorf("read %s: %w", name, err)
		}
	case errors.Is(err, fs.ErrNotExist):
		for path, by := range used {
			if path = filepath.Clean(path); filepath.IsLocal(path) && !strings.HasPrefix(path, filesFolder+string(filepath.Separator)) {
				kept[path] = slices.Compact(slices.Sorted(slices.Values(append(kept[path], by...))))
			}
		}
		if b, err = json.Marshal(kept); err == nil {
			err = errors.Join(durable.MakeFolder(filepath.Dir(name)), durable.WriteFile(name, b, 0o600))
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.used = kept
	return err
}

// former lists the workspaces that used a path of the release before.
func (o *Owners) former(path string) []id.Workspace {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.used[filepath.Clean(path)]
}

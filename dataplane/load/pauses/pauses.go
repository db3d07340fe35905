// Package pauses keeps which warehouses' loads are paused, for all processes of a plane: also
// for those that begin later. Each has it on its own disk too, where its loads look.
//
// It guarantees that a pause or its end is in the event store when it was taken, and that every
// process comes to know of it, however long it was away.
package pauses

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weir/dataplane/load/disk"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

const (
	watchAgain = time.Second
	putTries   = 10 // while others replace the same document
)

// Table keeps the documents; *table.Table is one.
type Table interface {
	Get(ctx context.Context, key string) (table.Document, error)
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Watch(ctx context.Context, changed func(table.Document), known func()) error
}

// Engine is the loads of this process; *load.Engine is one.
type Engine interface {
	Pause(d id.Destination, paused bool) error
	Hasten(d id.Destination) error
}

// Keeper is the pauses of a plane. It is safe for concurrent use.
type Keeper struct {
	Dir    string // of the folders of destinations
	Engine Engine
	Table  Table // nil: this process is all of the plane, and its disk is enough
	Log    *slog.Logger

	writing sync.Mutex // held while a folder is brought to what a document says
	newest  map[id.Destination]uint64
}

// document is whether the loads of a destination are paused.
type document struct {
	Version int         `json:"version"` // 1
	Paused  bool        `json:"paused"`
	At      disk.Paused `json:"since"`
}

// Pause lets no load of a destination begin until it is called without paused; see Pause of
// load.Engine for its errors. fault.Unavailable: it is unknown whether it was taken.
func (k *Keeper) Pause(ctx context.Context, ws id.Workspace, d id.Destination, paused bool) error {
	if k.Table == nil {
		return k.Engine.Pause(d, paused)
	}
	doc := document{Version: 1, Paused: paused, At: disk.Paused{At: time.Now().UTC(), Workspace: ws}}
	for range putTries {
		was, err := k.Table.Get(ctx, string(d))
		if err != nil && fault.KindOf(err) != fault.Missing {
			return fmt.Errorf("read whether loads of %s are paused: %w", d, err)
		}
		if err == nil && doc.same(was.Value) {
			return k.Engine.Pause(d, paused)
		}
		value, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("encode a pause: %w", err)
		}
		at, err := k.Table.Put(ctx, string(d), value, was.Revision)
		if err == nil {
			k.apply(table.Document{Key: string(d), Value: value, Revision: at})
			return k.Engine.Pause(d, paused)
		}
		if fault.KindOf(err) != fault.Conflict {
			return fmt.Errorf("keep whether loads of %s are paused: %w", d, err)
		}
	}
	return fault.New(fault.Unavailable, "Somebody else pauses and resumes these loads at the same time; ask again.")
}

// same reports whether a value says what the document says.
func (d *document) same(value []byte) bool {
	var was document
	return json.Unmarshal(value, &was) == nil && was.Version == 1 && was.Paused == d.Paused
}

// Run brings this process to what the plane has paused, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for k.Table != nil && ctx.Err() == nil {
		there := map[string]bool{}
		err := k.Table.Watch(ctx, func(d table.Document) {
			there[d.Key] = true
			k.apply(d)
		}, func() { k.tell(ctx, there) })
		if ctx.Err() == nil {
			k.Log.WarnContext(ctx, "which loads are paused is not followed", "kind", fault.KindOf(err).String())
		}
		delay.For(ctx, watchAgain)
	}
}

// apply brings a folder to what a document says, unless a newer one was here.
func (k *Keeper) apply(t table.Document) {
	d := id.Destination(t.Key)
	var doc document
	if err := json.Unmarshal(t.Value, &doc); err != nil || doc.Version != 1 {
		k.Log.Error("whether loads are paused is unreadable", "destination", t.Key, "version", doc.Version)
		return
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	if k.newest == nil {
		k.newest = map[id.Destination]uint64{}
	}
	if k.newest[d] >= t.Revision {
		return
	}
	folder := disk.FolderOf(k.Dir, d)
	err := error(nil)
	if doc.Paused {
		err = folder.Pause(doc.At)
	} else {
		err = folder.Remove(disk.PausedFile)
		_ = k.Engine.Hasten(d) // it may have no job here yet
	}
	if err != nil {
		k.Log.Error("whether loads are paused could not be kept", "destination", t.Key, "error", err)
		return
	}
	k.newest[d] = t.Revision
}

// tell writes documents of what was paused here before the plane kept any.
func (k *Keeper) tell(ctx context.Context, there map[string]bool) {
	folders, err := disk.Folders(k.Dir)
	if err != nil {
		k.Log.Error("which loads are paused is unreadable", "error", err)
	}
	for _, d := range folders {
		p, err := disk.FolderOf(k.Dir, d).Paused()
		if there[string(d)] || err != nil || p.At.IsZero() {
			continue
		}
		value, err := json.Marshal(document{Version: 1, Paused: true, At: p})
		if err == nil {
			_, err = k.Table.Put(ctx, string(d), value, 0)
		}
		if err != nil && fault.KindOf(err) != fault.Conflict {
			k.Log.WarnContext(ctx, "other processes were not told that loads are paused", "destination", string(d), "kind", fault.KindOf(err).String())
		}
	}
}

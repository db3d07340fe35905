// Package disk has what the loads of a destination keep in their folder: the manifest of
// the load under way, and how far closed ones came.
package disk

import (
	"time"

	"weir/dataplane/load/stage"
	"weir/shared/id"
)

// Manifest is one load as it lies on disk until it is closed.
type Manifest struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"` // uuid_ts of its rows
	From []uint64  `json:"from"`
	To   []uint64  `json:"to"` // by partition, the first record that is not part of it
	// First is, by partition, the first record that STAGE had of it, 0 for none. Once STAGE
	// has it no more, another process has loaded it.
	First  []uint64      `json:"first,omitempty"`
	Staged bool          `json:"staged"`
	Full   bool          `json:"full"` // there was more than one load takes
	Tables []stage.Table `json:"tables,omitempty"`
	Events int64         `json:"events,omitempty"`
	// Refused has, by code, how many events have no row.
	Refused map[string]int `json:"refused,omitempty"`
	// Format is ManifestFormat when it was staged by this version or a newer one. What
	// an older one staged is staged again: its rows do not tell their events, or number
	// them otherwise.
	Format int `json:"format,omitempty"`
	// Merged has, for tables that refused rows or stood beside one that did, the number
	// before which every row is merged or refused.
	Merged map[string]int64 `json:"merged,omitempty"`
	// Part has, for tables that refused rows, the number before which rows may be merged
	// in one part from Merged on.
	Part map[string]int64 `json:"part,omitempty"`
}

// ManifestFormat is Manifest.Format of what this version stages.
const ManifestFormat = 3

// Progress notes that rows of a table are merged or refused.
func (m *Manifest) Progress(table string, next int64) {
	if m.Merged == nil {
		m.Merged = map[string]int64{}
	}
	m.Merged[table] = next
}

// Cursor is the first record of each partition that is in no closed manifest.
type Cursor struct {
	Next []uint64 `json:"next"`
	Last string   `json:"last"` // the closed manifest's ID
	// Workspace is the destination's, by which its removal is known.
	Workspace id.Workspace `json:"workspace,omitempty"`
}

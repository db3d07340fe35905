package pull

import (
	"encoding/json"
	"strings"
	"time"

	"weir/dataplane/jobs"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/id"
)

// Key names a stream of a source.
type Key struct {
	Workspace id.Workspace
	Source    id.Source
	Stream    string
}

func (k Key) String() string {
	return string(k.Workspace) + "." + string(k.Source) + "." + k.Stream
}

// Job is the key of the stream's job.
func (k Key) Job() jobs.Key {
	return jobs.Key("pull/" + string(k.Workspace) + "/" + string(k.Source) + "/" + k.Stream)
}

// keyOfJob reads the key of a job; laneOf is its source, whose streams are pulled one after
// the other.
func keyOfJob(k jobs.Key) (Key, bool) {
	parts := strings.Split(string(k), "/")
	if len(parts) != 4 || parts[0] != "pull" {
		return Key{}, false
	}
	return Key{id.Workspace(parts[1]), id.Source(parts[2]), parts[3]}, true
}

func laneOf(k jobs.Key) string {
	key, _ := keyOfJob(k)
	return string(key.Source)
}

func parseKey(text string) (Key, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Key{}, false
	}
	return Key{id.Workspace(parts[0]), id.Source(parts[1]), parts[2]}, true
}

// State is how far a stream is, as the table keeps it.
type State struct {
	Version int    `json:"version"`
	Epoch   int    `json:"epoch"` // rises when a person changes the state: a step that began before it ends
	Cursor  Cursor `json:"cursor,omitempty"`
	From    string `json:"from,omitempty"` // of a backfill: takes the place of the configuration's
	Paused  bool   `json:"paused,omitempty"`
	Running bool   `json:"running,omitempty"` // a run began and has not ended

	Rows    int64     `json:"rows"`    // read since the last reset, also those that had not changed
	Deleted int64     `json:"deleted"` // of them
	Began   time.Time `json:"began,omitzero"`
	Ended   time.Time `json:"ended,omitzero"` // of the last run that came to its end
	Due     time.Time `json:"due,omitzero"`

	Code     string    `json:"code,omitempty"` // of the failure that holds the stream up
	Detail   string    `json:"detail,omitempty"`
	Failed   time.Time `json:"failed,omitzero"`
	Failures int       `json:"failures,omitempty"`   // in a row
	Revision uint64    `json:"revision,omitempty"`   // of the configuration that failed
	Limited  time.Time `json:"limited,omitzero"`     // until then the account's limit is reached
	Fields   []string  `json:"fields,omitempty"`     // seen at the top of rows
	More     bool      `json:"moreFields,omitempty"` // than Fields holds
}

// stateVersion is that of what this build writes.
const stateVersion = 1

// kept is a State at a revision of the table.
type kept struct {
	State
	revision uint64
}

// read reads a document; one of a newer build, or a damaged one, is not ok.
func read(d table.Document) (kept, bool) {
	k := kept{revision: d.Revision}
	err := json.Unmarshal(d.Value, &k.State)
	return k, err == nil && k.Version == stateVersion
}

// maxFields is how many names of fields a state keeps.
const maxFields = 300

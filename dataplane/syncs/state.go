package syncs

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"weir/dataplane/queue/natsstore/table"
	"weir/dataplane/syncs/books"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/id"
)

// States of runs.
const (
	Querying    = "querying" // what is to be sent is looked for
	Writing     = "writing"
	Completed   = "completed"
	Held        = "held"        // a person has to agree
	Interrupted = "interrupted" // the next run does the rest
	Failed      = "failed"
)

func running(state string) bool { return state == Querying || state == Writing }

// State is what is remembered of a sync beside its warehouse.
type State struct {
	Paused bool         `json:"paused,omitempty"`
	Asked  time.Time    `json:"asked,omitzero"` // when somebody asked for a run
	Began  time.Time    `json:"began,omitzero"` // when the last run began
	Agreed books.Agreed `json:"agreed,omitzero"`
	Run    books.Run    `json:"run,omitzero"` // the last one
}

// document is the states of a workspace.
type document struct {
	Version int               `json:"version"`
	Syncs   map[id.Sync]State `json:"syncs"`
}

// states are the documents, as they are known here.
type states struct {
	table   Table
	log     *slog.Logger
	changed func(id.Workspace, id.Sync)

	writing sync.Mutex

	mu    sync.Mutex
	known bool
	docs  map[id.Workspace]stored
}

type stored struct {
	document
	revision uint64
}

func newStates(t Table, log *slog.Logger, changed func(id.Workspace, id.Sync)) *states {
	return &states{table: t, log: log, changed: changed, docs: map[id.Workspace]stored{}}
}

// follow takes the documents of all processes until ctx ends.
func (s *states) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.table.Watch(ctx, func(d table.Document) { s.take(d) }, func() {
			s.mu.Lock()
			s.known = true
			s.mu.Unlock()
		})
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "states of syncs are not followed", "kind", fault.KindOf(err).String())
		}
		delay.For(ctx, time.Second)
	}
}

// take keeps a document that is newer, and says which syncs look at it.
func (s *states) take(d table.Document) {
	var doc document
	if err := json.Unmarshal(d.Value, &doc); err != nil || doc.Version != 1 {
		s.log.Error("states of syncs are unreadable", "workspace", d.Key, "version", doc.Version)
		return
	}
	ws := id.Workspace(d.Key)
	s.mu.Lock()
	former := s.docs[ws]
	newer := former.revision < d.Revision
	if newer {
		s.docs[ws] = stored{doc, d.Revision}
	}
	s.mu.Unlock()
	for of, now := range doc.Syncs {
		if was := former.Syncs[of]; newer && (was.Paused != now.Paused || was.Asked != now.Asked || was.Agreed != now.Agreed) {
			s.changed(ws, of)
		}
	}
}

// of returns the state of a sync; known is false before the documents are here.
func (s *states) of(ws id.Workspace, of id.Sync) (st State, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.docs[ws].Syncs[of], s.known
}

// putTries is how often a document is replaced while others replace it too.
const putTries = 10

// change replaces the state of a sync. fault.Unavailable: it is unknown whether it was
// replaced, or the states are not known yet.
func (s *states) change(ctx context.Context, ws id.Workspace, of id.Sync, do func(*State)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for range putTries {
		s.mu.Lock()
		have, known := s.docs[ws], s.known
		s.mu.Unlock()
		if !known {
			return fault.New(fault.Unavailable, "The plane has not read the states of its syncs yet.")
		}
		next := document{Version: 1, Syncs: maps.Clone(have.Syncs)}
		if next.Syncs == nil {
			next.Syncs = map[id.Sync]State{}
		}
		state := next.Syncs[of]
		do(&state)
		next.Syncs[of] = state
		value, err := json.Marshal(next)
		if err != nil {
			return err
		}
		now := table.Document{Key: string(ws), Value: value}
		now.Revision, err = s.table.Put(ctx, string(ws), value, have.revision)
		if err == nil {
			s.take(now)
			return nil
		}
		if fault.KindOf(err) != fault.Conflict {
			return err
		}
		if now, err = s.table.Get(ctx, string(ws)); err != nil {
			return err
		}
		s.take(now)
		if bytes.Equal(now.Value, value) {
			return nil
		}
	}
	return fault.New(fault.Unavailable, "The states of the workspace's syncs change while they are written.")
}

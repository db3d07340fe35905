package lookup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/dataplane/profile"
	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
	"weir/shared/workspace/profiles"
)

// Job is a profile as it is configured now.
type Job struct {
	Workspace id.Workspace
	workspace.Profile
}

// Config is what a Store needs.
type Config struct {
	Dir   string       // of the copies; it is made
	Jobs  func() []Job // all that are configured
	Owner func() bool  // whether this process of the plane runs them
	Bytes int64        // of one copy at most; 0: 16 GiB
	Log   *slog.Logger
}

// mostBytes of a copy.
const mostBytes = 16 << 30

// State is how a copy stands.
type State struct {
	Persons int64     `json:"persons"`
	Bytes   int64     `json:"bytes"`
	Run     int64     `json:"run"`            // that it is of; 0: it is not made yet
	AsOf    time.Time `json:"asOf"`           // of that run
	Code    string    `json:"code,omitempty"` // why it was not brought up to date last: too_large or failed
}

// Store is the copies of a process.
type Store struct {
	c Config

	table atomic.Pointer[table] // what is answered

	mu     sync.Mutex // of what changes copies
	opened map[string]*file
	codes  map[string]string
}

// table is the copies by profile and by key. It is immutable.
type table struct {
	copies map[key]*file
	plans  map[key]profiles.Plan
	keys   map[[sha256.Size]byte]key
}

type key struct {
	ws   id.Workspace
	name string
}

// New makes the folder of the copies.
func New(c Config) (*Store, error) {
	if c.Bytes == 0 {
		c.Bytes = mostBytes
	}
	if err := durable.MakeFolder(c.Dir); err != nil {
		return nil, fmt.Errorf("make the folder of copies: %w", err)
	}
	s := &Store{c: c, opened: map[string]*file{}, codes: map[string]string{}}
	s.table.Store(&table{})
	return s, nil
}

// look is how often the store looks what is configured.
const look = time.Second

// Run opens the copies of what is configured, and removes those of what is not any more,
// until ctx ends; then it closes all.
func (s *Store) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for ctx.Err() == nil {
		s.Refresh()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.Store(&table{})
	for name, f := range s.opened {
		f.close()
		delete(s.opened, name)
	}
}

// Refresh looks at once what is configured.
func (s *Store) Refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &table{copies: map[key]*file{}, plans: map[key]profiles.Plan{}, keys: map[[sha256.Size]byte]key{}}
	wanted := map[string]bool{}
	owner := s.c.Owner()
	for _, j := range s.c.Jobs() {
		if j.Lookup == nil {
			continue
		}
		k, name := key{j.Workspace, j.Name}, fileName(j)
		for _, one := range j.Lookup.Keys { // every process knows who may ask
			if sum, err := hex.DecodeString(strings.TrimPrefix(one.Hash, "sha256:")); err == nil && len(sum) == sha256.Size {
				next.keys[[sha256.Size]byte(sum)] = k
			}
		}
		if !owner {
			continue
		}
		wanted[name] = true
		f, err := s.open(name)
		if err != nil {
			s.c.Log.Error("copy of profiles not opened", "workspace", j.Workspace, "profiles", j.Name, "error", err)
			continue
		}
		next.copies[k], next.plans[k] = f, j.Plan
	}
	s.table.Store(next)
	for name, f := range s.opened {
		if !wanted[name] {
			f.close()
			delete(s.opened, name)
		}
	}
	s.sweep(wanted)
}

// sweep removes the files of copies that nobody wants, and those that were being made when
// the process ended.
func (s *Store) sweep(wanted map[string]bool) {
	entries, err := os.ReadDir(s.c.Dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if name, half := strings.CutSuffix(e.Name(), making); !wanted[name] || half && s.opened[name] != nil && !s.opened[name].feeding {
			if err := os.Remove(filepath.Join(s.c.Dir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				s.c.Log.Error("copy of profiles not removed", "error", err)
			}
		}
	}
}

// fileName is the file of a job's copy.
func fileName(j Job) string { return string(j.Workspace) + "." + string(j.Warehouse) + ".copy" }

// open opens a copy once.
func (s *Store) open(name string) (*file, error) {
	if f := s.opened[name]; f != nil {
		return f, nil
	}
	f, err := openFile(filepath.Join(s.c.Dir, name))
	if err == nil {
		s.opened[name] = f
	}
	return f, err
}

// prefix begins each key.
const prefix = "weirlookup_"

// Key returns whose key a token is.
func (s *Store) Key(token string) (ws id.Workspace, name string, ok bool) {
	if !strings.HasPrefix(token, prefix) || len(token) > 200 {
		return "", "", false
	}
	k, ok := s.table.Load().keys[sha256.Sum256([]byte(token))]
	return k.ws, k.name, ok
}

// Find returns the record of the person who has an identifier, type:value, in one of the
// parts of records; and when the run was that it is of. name and entity are empty for the
// only profile and the first entity.
//
// fault.Missing: nobody has the identifier, or there is no such profile, entity or part.
// fault.Invalid: that is no identifier. fault.Unavailable: the copy is not made yet.
func (s *Store) Find(ws id.Workspace, name, entity, identifier, part string) (person string, record []byte, asOf time.Time, err error) {
	if !s.c.Owner() {
		return "", nil, asOf, fault.New(fault.Unavailable, "Another process of this plane runs the profiles; ask again.")
	}
	t := s.table.Load()
	k := key{ws, name}
	if name == "" {
		found := slices.Collect(func(yield func(key) bool) {
			for one := range t.copies {
				if one.ws == ws && !yield(one) {
					return
				}
			}
		})
		if len(found) > 1 {
			return "", nil, asOf, fault.New(fault.Invalid, "The workspace has several profiles; name one with ?profiles=.")
		}
		if len(found) == 1 {
			k = found[0]
		}
	}
	f, plan := t.copies[k], t.plans[k]
	if f == nil {
		return "", nil, asOf, fault.New(fault.Missing, "The workspace has no profiles of this name whose copy this plane keeps: declare a lookup in them, lookup: {} for all features.")
	}
	e := slices.IndexFunc(plan.Entities, func(e profiles.Entity) bool { return e.Name == entity || entity == "" })
	if e < 0 {
		return "", nil, asOf, fault.New(fault.Missing, "There is no entity %s.", entity)
	}
	if !slices.Contains(parts, part) {
		return "", nil, asOf, fault.New(fault.Missing, "There are %s of a person.", strings.Join(parts, ", "))
	}
	typ, value, ok := strings.Cut(identifier, ":")
	if !ok || value == "" {
		return "", nil, asOf, fault.New(fault.Invalid, "Give an identifier as type:value, such as email:ann@example.org.")
	}
	tried := []string{value}
	if typ != own {
		i := slices.IndexFunc(plan.Entities[e].IDs, func(t profiles.Identifier) bool { return t.Name == typ })
		if i < 0 {
			return "", nil, asOf, fault.New(fault.Missing, "The entity %s has no identifiers of the type %s.", plan.Entities[e].Name, typ)
		}
		tried = []string{clean(plan.Entities[e].IDs[i], value), value}
	}
	return f.find(plan.Entities[e].Name, typ, tried, part)
}

// own is the type of the identifiers that profiles give to persons.
const own = "weir_id"

// parts are the parts of records.
var parts = []string{profile.Traits, profile.Identifiers, profile.Events, profile.Audiences}

// Lacks reports whether a profile's copy has to be made and nothing has failed in that: the process has just come to run the
// profiles, also after another one did for a moment, when it removed its own copy.
func (s *Store) Lacks(ws id.Workspace, name string) bool {
	state := s.State(ws, name)
	return state != nil && state.Run == 0 && state.Code == ""
}

// State says how the copy of a profile stands; nil: it has none.
func (s *Store) State(ws id.Workspace, name string) *State {
	f := s.table.Load().copies[key{ws, name}]
	if f == nil {
		return nil
	}
	state := f.state()
	s.mu.Lock()
	state.Code = s.codes[f.path]
	s.mu.Unlock()
	return &state
}

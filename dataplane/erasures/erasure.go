// Package erasures removes persons from everywhere a plane keeps them: what is parked, dead
// or quarantined of theirs, what is staged for warehouses, rows of all tables, what profiles
// know. An erasure is kept in the event store from before it begins until it has ended, so
// that it goes on after a restart without whoever asked for it; each partition's owner does
// its part, and the plane's owner the rest.
//
// It goes in passes. A pass waits until the events that were accepted before it have left the
// event log, so that they are parked, staged or delivered; then come parked deliveries, dead
// letters and quarantined events by partition, then each warehouse, which loads what is staged
// first. An erasure ends after a pass that found nothing, the second one at the earliest: a
// load gives back to the quarantine what a table refuses. Profiles come last, because a
// repetition needs what they know.
//
// It guarantees that each step can be done again, and that a person's identifiers are kept
// only sealed, only in the plane and only until the erasure has ended. It refuses to end while
// something cannot be reached; what never can be, such as rows of a kind of warehouse that
// removes none, is named and left out.
package erasures

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/dataplane/erase"
	"weir/shared/fault"
	"weir/shared/id"
)

// Limits of erasures.
const (
	MostIDs    = 100 // that one call names
	maxRunning = 32  // of a workspace, at a time
	maxEnded   = 100 // of a workspace, that are remembered
	mostPasses = 10
)

// State is how an erasure is.
type State string

// The states. All but Running are final.
const (
	Running State = "running"
	Done    State = "done"
	Stopped State = "stopped" // by somebody: it is not whole
)

// Stage is what an erasure does now.
type Stage string

// The stages, in order; from rows it goes back to events with each pass.
const (
	People   Stage = "people"   // profiles are asked who the person is
	Events   Stage = "events"   // partitions: the event log, parked, dead and quarantined
	Rows     Stage = "rows"     // warehouses
	Profiles Stage = "profiles" // what they know
	Bytes    Stage = "bytes"    // files of warehouses are written anew
)

// Place is where something of the person was, and how much went.
type Place struct {
	Place string `json:"place"`           // quarantine, dead, parked, warehouse or profiles
	Name  string `json:"name,omitempty"`  // of the destination or the profile
	Table string `json:"table,omitempty"` // of a warehouse, or the entity of a profile
	Count int64  `json:"count"`
}

// Lack is a place that is left out.
type Lack struct {
	Place string `json:"place"`
	Name  string `json:"name,omitempty"`
	Code  string `json:"code"`            // of warehouse failures, unavailable, busy, nobody: no profile knows the identifiers, or of bytes no_room or not_rewritten
	Never bool   `json:"never,omitempty"` // it is not tried again
}

// Erasure is one person who is erased. It holds no identifier of theirs in clear.
type Erasure struct {
	ID      string    `json:"id"`
	State   State     `json:"state"`
	Stage   Stage     `json:"stage,omitempty"` // while it runs
	Pass    int       `json:"pass"`
	Created time.Time `json:"created"`
	Ended   time.Time `json:"ended,omitzero"`
	IDs     int       `json:"ids"` // identifiers of the person
	Found   []Place   `json:"found,omitempty"`
	Lacks   []Lack    `json:"lacks,omitempty"`

	// While it runs.
	Sealed string           `json:"sealed,omitempty"`
	Until  [][]uint64       `json:"until,omitempty"` // by partition and log, the last record that has to have left
	Parts  []bool           `json:"parts,omitempty"` // partitions that are done in this pass
	Loaded []id.Destination `json:"loaded,omitempty"`
	Moved  int64            `json:"moved,omitempty"` // in this pass
}

// whom is what is sealed of an erasure.
type whom struct {
	IDs    []string     `json:"ids"`
	Person erase.Person `json:"person"`
	Known  []Known      `json:"known,omitempty"`
}

// Known is a person of a profile, by one of the identifiers.
type Known struct{ Profile, Entity, ID string }

// newErasure begins one.
func newErasure(now time.Time) Erasure {
	return Erasure{ID: "erasure_" + strings.ToLower(rand.Text()[:16]), State: Running, Stage: People, Pass: 1, Created: now.UTC()}
}

// found adds what went from a place.
func (e *Erasure) found(p Place) {
	if p.Count == 0 {
		return
	}
	e.Moved += p.Count
	for i := range e.Found {
		if f := &e.Found[i]; f.Place == p.Place && f.Name == p.Name && f.Table == p.Table {
			f.Count += p.Count
			return
		}
	}
	e.Found = append(e.Found, p)
}

// lacks notes that a place is left out for now, or with an empty code that it is not. It
// reports whether that is new.
func (e *Erasure) lacks(l Lack) bool {
	at := slices.IndexFunc(e.Lacks, func(o Lack) bool { return o.Place == l.Place && o.Name == l.Name })
	switch {
	case at < 0 && l.Code == "", at >= 0 && e.Lacks[at] == l:
		return false
	case at < 0:
		e.Lacks = append(e.Lacks, l)
	case l.Code == "":
		e.Lacks = slices.Delete(e.Lacks, at, at+1)
	default:
		e.Lacks[at] = l
	}
	return true
}

// pass begins a pass.
func (e *Erasure) pass(until [][]uint64, partitions int) {
	e.Stage, e.Until, e.Parts, e.Loaded, e.Moved = Events, until, make([]bool, partitions), nil, 0
}

// end gives an erasure its last state, and forgets whom it was about.
func (e *Erasure) end(s State, now time.Time) {
	e.State, e.Stage, e.Ended = s, "", now.UTC()
	e.Sealed, e.Until, e.Parts, e.Loaded, e.Moved = "", nil, nil, nil, 0
}

// copy returns an erasure that shares nothing with e.
func (e *Erasure) copy() Erasure {
	c := *e
	c.Found, c.Lacks, c.Parts, c.Loaded = slices.Clone(e.Found), slices.Clone(e.Lacks), slices.Clone(e.Parts), slices.Clone(e.Loaded)
	return c
}

// document is the erasures of a workspace as they are stored, oldest first.
type document struct {
	Version  int       `json:"version"` // 1
	Erasures []Erasure `json:"erasures"`
}

// find returns an erasure, nil for none.
func (d *document) find(name string) *Erasure {
	if i := slices.IndexFunc(d.Erasures, func(e Erasure) bool { return e.ID == name }); i >= 0 {
		return &d.Erasures[i]
	}
	return nil
}

// running is how many run.
func (d *document) running() (n int) {
	for i := range d.Erasures {
		if d.Erasures[i].State == Running {
			n++
		}
	}
	return n
}

// forget drops the oldest of more ended erasures than are remembered.
func (d *document) forget() {
	more := len(d.Erasures) - d.running() - maxEnded
	d.Erasures = slices.DeleteFunc(d.Erasures, func(e Erasure) bool {
		if more <= 0 || e.State == Running {
			return false
		}
		more--
		return true
	})
}

// seal keeps whom an erasure is about from everybody who has not the plane's key:
// AES-256-GCM, a nonce of 12 bytes before it, base64.
type seal struct{ aead cipher.AEAD }

func newSeal(key []byte) (seal, error) {
	if len(key) != 32 {
		return seal{}, fault.New(fault.Internal, "The key of erasures has %d bytes, not 32.", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, fmt.Errorf("key of erasures: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return seal{aead}, err
}

func (s seal) close(name string, w whom) (string, error) {
	clear, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("encode whom an erasure is about: %w", err)
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // it does not fail
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, clear, []byte(name))), nil
}

// open reverses close. fault.Invalid: it is sealed by another key.
func (s seal) open(name, sealed string) (w whom, err error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if n := s.aead.NonceSize(); err == nil && len(b) > n {
		var clear []byte
		if clear, err = s.aead.Open(nil, b[:n], b[n:], []byte(name)); err == nil {
			err = json.Unmarshal(clear, &w)
			return w, err
		}
	}
	return w, fault.New(fault.Invalid, "Whom the erasure %s is about cannot be read with this plane's key.", name)
}

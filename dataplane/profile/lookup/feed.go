package lookup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"weir/dataplane/profile"
	"weir/dataplane/tables"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace/profiles"
)

// step is how many persons one transaction holds.
const step = 5_000

// mostID is how long an identifier is that can be asked for, in bytes.
const mostID = 1 << 10

// errTooLarge ends a feed.
var errTooLarge = errors.New("the copy is larger than allowed")

// shape is what a copy is made of: with another one it is made anew.
func shape(p profiles.Plan) string {
	l := *p.Lookup
	l.Keys = nil
	ids := map[string][]string{}
	for _, e := range p.Entities {
		ids[e.Name] = []string{}
	}
	var features []string
	for _, f := range p.Features {
		features = append(features, f.Name)
	}
	b, _ := json.Marshal([]any{1, l, ids, features}) // plain values always encode
	return string(b)
}

// Feed brings a profile's copy up to the last run in the warehouse, when it has one. Where
// it fails the copy stays as it was, and is answered with its age.
func (s *Store) Feed(ctx context.Context, ws id.Workspace, session tables.Session, c profile.Config) error {
	if c.Plan.Lookup == nil {
		return nil
	}
	s.Refresh()
	f := s.table.Load().copies[key{ws, c.Name}]
	if f == nil {
		return fault.New(fault.Unavailable, "The copy of the records cannot be opened.")
	}
	s.busy(f, true)
	defer s.busy(f, false)
	code := ""
	err := s.feed(ctx, f, session, c)
	if errors.Is(err, errTooLarge) {
		code = "too_large"
	} else if err != nil {
		code = "failed"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[f.path] = code
	return err
}

// busy notes whether a copy has a file that is not whole.
func (s *Store) busy(f *file, feeding bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.feeding = feeding
}

func (s *Store) feed(ctx context.Context, f *file, session tables.Session, c profile.Config) error {
	f.mu.RLock()
	known, db := f.kept, f.db
	f.mu.RUnlock()
	if db == nil {
		return errClosed
	}
	anew := known.Shape != shape(c.Plan) || known.Mark.Run == 0
	if n, err := tables.Int(ctx, session, "select coalesce(max(run), 0) from runs"); err != nil || n < known.Mark.Run {
		anew = anew || err == nil // another warehouse
		if err != nil {
			return err
		}
	}
	w := &writer{most: s.c.Bytes, db: db, kept: known}
	if anew {
		if err := os.Remove(f.path + making); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		made, err := openDB(f.path + making)
		if err != nil {
			return err
		}
		made.NoSync = true // it is synced before it gets its name
		known, w.db, w.kept = kept{}, made, kept{}
	}
	now, erased, err := c.Changes(ctx, session, known.Mark, c.Plan.Lookup.Features, c.Plan.Lookup.Events, w.row)
	if err == nil {
		w.kept.Shape, w.kept.Mark = shape(c.Plan), now // what is read from here on says so
		err = w.flush()
	}
	if anew {
		if err = errors.Join(err, w.db.Close()); err != nil {
			return errors.Join(err, os.Remove(f.path+making))
		}
		return f.replace()
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.kept = readKept(db)
	f.mu.Unlock()
	if erased > 0 {
		return f.compact()
	}
	return nil
}

// Forget removes a person from a profile's copy, with every trace in its file.
func (s *Store) Forget(ws id.Workspace, name, entity, person string) error {
	f := s.table.Load().copies[key{ws, name}]
	if f == nil {
		return nil
	}
	f.mu.RLock()
	db := f.db
	f.mu.RUnlock()
	if db == nil {
		return errClosed
	}
	s.busy(f, true)
	defer s.busy(f, false)
	w := &writer{most: math.MaxInt64, db: db, kept: readKept(db)}
	err := w.row(profile.Row{Part: profile.Traits, Entity: entity, Person: person})
	if err == nil {
		err = w.flush()
	}
	if err != nil {
		return fmt.Errorf("remove a person from the copy: %w", err)
	}
	f.mu.Lock()
	f.kept = readKept(db)
	f.mu.Unlock()
	return f.compact()
}

// person is the rows of one person and part.
type person struct {
	part, entity, id string
	gone             bool
	ids              []string
	json             []byte
}

// writer gathers rows into records, and writes records.
type writer struct {
	db   *bbolt.DB
	most int64
	kept kept // as it is after the next batch

	now   *person
	batch []person
}

// row takes a row. It keeps nothing of it.
func (w *writer) row(r profile.Row) error {
	if w.now == nil || w.now.part != r.Part || w.now.entity != r.Entity || w.now.id != r.Person {
		if err := w.next(); err != nil {
			return err
		}
		w.now = &person{part: r.Part, entity: r.Entity, id: r.Person, gone: r.Part == profile.Traits && r.Values == nil}
	}
	if r.Values == nil {
		return nil
	}
	if r.Part != profile.Traits {
		if len(w.now.json) > 0 {
			w.now.json = append(w.now.json, ',')
		}
		if r.Part == profile.Identifiers {
			w.now.ids = append(w.now.ids, fmt.Sprint(r.Values[0], ":", r.Values[1]))
		}
	}
	w.now.json = append(w.now.json, object(r.Columns, r.Values)...)
	return nil
}

// object is a row as a JSON object.
func object(columns []string, values []any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		_ = enc.Encode(c) // a text always can
		b.Truncate(b.Len() - 1)
		b.WriteByte(':')
		v := values[i]
		switch x := v.(type) {
		case time.Time:
			v = x.UTC().Format("2006-01-02T15:04:05.000Z")
		case float64:
			if math.IsNaN(x) || math.IsInf(x, 0) {
				v = nil
			}
		}
		if err := enc.Encode(v); err != nil {
			_ = enc.Encode(fmt.Sprint(v)) // a text always can
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// next takes the person whose rows were gathered into the batch.
func (w *writer) next() error {
	if w.now == nil {
		return nil
	}
	w.batch = append(w.batch, *w.now)
	if w.now = nil; len(w.batch) < step {
		return nil
	}
	return w.flush()
}

// flush writes the batch.
func (w *writer) flush() error {
	if w.now != nil {
		w.batch, w.now = append(w.batch, *w.now), nil
	}
	err := w.db.Update(func(tx *bbolt.Tx) error {
		if tx.Size() > w.most {
			return errTooLarge
		}
		for _, p := range w.batch {
			if p.part == profile.Traits {
				there := tx.Bucket([]byte(p.part)).Get(name(p.entity, p.id)) != nil
				if there && p.gone {
					w.kept.Persons--
				} else if !there && !p.gone {
					w.kept.Persons++
				}
			}
			if err := write(tx, p); err != nil {
				return err
			}
		}
		b, err := json.Marshal(w.kept)
		if err != nil {
			return err
		}
		return tx.Bucket(metaBucket).Put(stateKey, b)
	})
	w.batch = w.batch[:0]
	return err
}

// write writes one record. An identifier that another person has by now stays theirs.
func write(tx *bbolt.Tx, p person) error {
	key := name(p.entity, p.id)
	if p.gone {
		for _, part := range parts {
			if part != profile.Identifiers {
				if err := tx.Bucket([]byte(part)).Delete(key); err != nil {
					return err
				}
			}
		}
		p.part, p.ids, p.json = profile.Identifiers, nil, nil
	}
	if p.part == profile.Identifiers {
		ids := tx.Bucket(idsBucket)
		var former []struct{ Type, Value string }
		if b := tx.Bucket([]byte(p.part)).Get(key); len(b) > 0 {
			if err := json.Unmarshal(b, &former); err != nil {
				return err
			}
		}
		for _, one := range former {
			k := name(p.entity, one.Type+":"+one.Value)
			if string(ids.Get(k)) == p.id {
				if err := ids.Delete(k); err != nil {
					return err
				}
			}
		}
		for _, one := range p.ids {
			if len(one) > mostID {
				continue
			}
			if err := ids.Put(name(p.entity, one), []byte(p.id)); err != nil {
				return err
			}
		}
		if p.gone {
			return tx.Bucket([]byte(p.part)).Delete(key)
		}
	}
	if p.part == profile.Traits {
		return tx.Bucket([]byte(p.part)).Put(key, p.json)
	}
	return tx.Bucket([]byte(p.part)).Put(key, append(append([]byte{'['}, p.json...), ']'))
}

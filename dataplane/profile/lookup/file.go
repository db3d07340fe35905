package lookup

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"weir/dataplane/profile"
	"weir/shared/durable"
	"weir/shared/fault"
)

// Buckets of a file, beside one for each part of records. Keys of records are
// entity, NUL, person; those of ids entity, NUL, type:value, and their values persons.
var (
	metaBucket = []byte("meta")
	idsBucket  = []byte("ids")
	stateKey   = []byte("state")
)

// making ends the names of files that are not whole yet.
const making = ".making"

// kept is what a file says of itself.
type kept struct {
	Shape   string       `json:"shape"` // what it is made of
	Mark    profile.Mark `json:"mark"`
	Persons int64        `json:"persons"`
}

// file is one copy.
type file struct {
	path    string
	feeding bool // under Store.mu

	mu   sync.RWMutex // of db, which is replaced as a whole
	db   *bbolt.DB    // nil: closed
	kept kept
}

// openTimeout is how long another process that has a copy is waited for.
const openTimeout = time.Second

func openEmpty(path string) (*bbolt.DB, error) {
	return bbolt.Open(path, 0o600, &bbolt.Options{Timeout: openTimeout, FreelistType: bbolt.FreelistMapType, NoFreelistSync: true})
}

func openDB(path string) (*bbolt.DB, error) {
	db, err := openEmpty(path)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func buckets() [][]byte {
	all := [][]byte{metaBucket, idsBucket}
	for _, p := range parts {
		all = append(all, []byte(p))
	}
	return all
}

// openFile opens a copy, anew when it is damaged.
func openFile(path string) (*file, error) {
	db, err := openDB(path)
	if err != nil && !errors.Is(err, bbolterrors.ErrTimeout) && !errors.Is(err, os.ErrPermission) {
		if os.Remove(path) == nil { // the warehouse has what was in it
			db, err = openDB(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	f := &file{path: path, db: db}
	f.kept = readKept(db)
	return f, nil
}

func readKept(db *bbolt.DB) (k kept) {
	_ = db.View(func(tx *bbolt.Tx) error { // what cannot be read is made anew
		return json.Unmarshal(tx.Bucket(metaBucket).Get(stateKey), &k)
	})
	return k
}

func (f *file) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db != nil {
		_ = f.db.Close() // what counts is committed
		f.db = nil
	}
}

// errClosed says that the copy goes away.
var errClosed = fault.New(fault.Unavailable, "The plane is stopping; ask again.")

func (f *file) state() State {
	f.mu.RLock()
	defer f.mu.RUnlock()
	s := State{Persons: f.kept.Persons, Run: f.kept.Mark.Run, AsOf: f.kept.Mark.AsOf}
	if f.db != nil {
		_ = f.db.View(func(tx *bbolt.Tx) error { s.Bytes = tx.Size(); return nil }) // it cannot fail while open
	}
	return s
}

// find returns a person's record of a part.
func (f *file) find(entity, typ string, values []string, part string) (person string, record []byte, asOf time.Time, err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.db == nil {
		return "", nil, asOf, errClosed
	}
	if f.kept.Mark.Run == 0 {
		return "", nil, asOf, fault.New(fault.Unavailable, "The copy of the records is not made yet; it follows the next run of the profiles.")
	}
	asOf = f.kept.Mark.AsOf
	err = f.db.View(func(tx *bbolt.Tx) error {
		for _, v := range values {
			if typ == own {
				person = v
			} else if p := tx.Bucket(idsBucket).Get(name(entity, typ+":"+v)); p != nil {
				person = string(p)
			}
			if person != "" {
				break
			}
		}
		whole := tx.Bucket([]byte(profile.Traits)).Get(name(entity, person))
		if person == "" || whole == nil {
			return fault.New(fault.Missing, "Nobody has this identifier of the type %s.", typ)
		}
		record = append([]byte{}, tx.Bucket([]byte(part)).Get(name(entity, person))...)
		return nil
	})
	return person, record, asOf, err
}

// name is a key of records.
func name(entity, rest string) []byte { return []byte(entity + "\x00" + rest) }

// replace puts the file at path.making, which is closed and whole, in this one's place.
func (f *file) replace() error {
	if err := syncFile(f.path + making); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db == nil {
		return errClosed
	}
	if err := durable.Rename(f.path+making, f.path); err != nil {
		return err
	}
	_ = f.db.Close() // its file has no name any more
	db, err := openDB(f.path)
	if err != nil {
		f.db = nil
		return err
	}
	f.db, f.kept = db, readKept(db)
	return nil
}

func syncFile(path string) error {
	h, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(h.Sync(), h.Close())
}

// compact writes the file anew, without what was in its free pages.
func (f *file) compact() error {
	if err := os.Remove(f.path + making); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	to, err := openEmpty(f.path + making)
	if err != nil {
		return err
	}
	f.mu.RLock()
	err = errClosed
	if f.db != nil {
		err = bbolt.Compact(to, f.db, compactStep)
	}
	f.mu.RUnlock()
	if err := errors.Join(err, to.Close()); err != nil {
		return errors.Join(err, os.Remove(f.path+making))
	}
	return f.replace()
}

// compactStep is how many bytes are copied in one transaction.
const compactStep = 16 << 20

package controlplane

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"weir/controlplane/store"
	"weir/shared/fault"
)

// lock takes the data directory for this process, until it ends or closes the
// file. fault.Conflict: another process has it.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "cannot make the data directory: %v", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "controlplane.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot lock the data directory: %v", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fault.New(fault.Conflict, "another control plane runs on %s", dir)
	}
	return f, nil
}

// loadKey reads the Ed25519 key of that name from the data directory, and makes
// it at the first start. It is on disk before it is used.
func loadKey(dir, name string) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, "keys", name+".key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot read the key %s: %v", name, err)
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fault.New(fault.Invalid, "the key file %s is damaged; restore it from a backup", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func makeKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := writeDurably(path, []byte(base64.StdEncoding.EncodeToString(key.Seed())+"\n")); err != nil {
		return nil, fault.New(fault.Unavailable, "cannot write the key %s: %v", path, err)
	}
	return key, nil
}

// writeDurably puts a file in place whole or not at all, readable to its owner
// alone, and returns when it outlives a loss of power.
func writeDurably(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone after the rename
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	for _, d := range []string{dir, filepath.Dir(dir)} { // the file's entry, and the folder's own
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// bind ties the database to the key that signs for it. A database that knows
// another key belongs to another data directory: planes would refuse whatever
// is signed with this one.
func bind(ctx context.Context, s *store.Store, name string, key ed25519.PublicKey) error {
	known, err := s.EnsureSetting(ctx, store.Actor{Kind: store.BySystem, Name: "controlplane"}, "key."+name, key)
	if err != nil {
		return fmt.Errorf("read the key that the database knows: %w", err)
	}
	if subtle.ConstantTimeCompare(known, key) != 1 {
		return fault.New(fault.Conflict, "the %s key in the data directory is not the one of this database; start with the data directory that belongs to it, or restore its keys", name)
	}
	return nil
}

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

	"weir/controlplane/store"
	"weir/shared/durable"
	"weir/shared/fault"
)

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
	err = durable.MakeFolder(filepath.Dir(path))
	if err == nil {
		err = durable.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key.Seed())+"\n"), 0o600)
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot write the key %s: %v", path, err)
	}
	return key, nil
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

// Package atrest encrypts secrets that the control plane's database keeps and that the
// control plane itself has to read again, with AES-256-GCM under a key derived from one in
// its data directory. Who has the database alone reads none of them, and cannot put one in
// the place of another.
package atrest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"weir/shared/fault"
)

// version begins what Encrypt returns.
const version = 1

// Key encrypts and decrypts. It is safe for concurrent use.
type Key struct{ aead cipher.AEAD }

// New derives a key from a seed of the control plane's own.
func New(seed []byte) (Key, error) {
	derived, err := hkdf.Key(sha256.New, seed, nil, "weir at rest 1", 32)
	if err != nil {
		return Key{}, fmt.Errorf("derive the key of what the database keeps: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return Key{}, fmt.Errorf("derive the key of what the database keeps: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, fmt.Errorf("derive the key of what the database keeps: %w", err)
	}
	return Key{aead}, nil
}

// Encrypt returns clear so that Decrypt of the same what alone reads it: "authenticator usr_1".
func (k Key) Encrypt(what string, clear []byte) []byte {
	return k.aead.Seal([]byte{version}, nil, clear, []byte(what))
}

// Decrypt reverses Encrypt. fault.Internal: it is damaged, or of another key or what.
func (k Key) Decrypt(what string, kept []byte) ([]byte, error) {
	if len(kept) < 1 || kept[0] != version {
		return nil, fault.New(fault.Internal, "what the database keeps of %s is of another version", what)
	}
	clear, err := k.aead.Open(nil, nil, kept[1:], []byte(what))
	if err != nil {
		return nil, fault.New(fault.Internal, "what the database keeps of %s cannot be decrypted with this control plane's key", what)
	}
	return clear, nil
}

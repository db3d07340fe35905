package dedupe

import (
	"crypto/sha256"

	"weir/dataplane/frames"
	"weir/shared/id"
)

// Key is a keyed hash of source, user and messageId. 128 bits: with 10^11 keys
// in a window the chance that any two differ and collide is below 10^-16.
type Key [16]byte

// Hasher makes keys. Its secret is the plane's, so that a sender cannot prepare
// identifiers that collide with someone else's. It is safe for concurrent use.
type Hasher struct {
	secret [32]byte
	bufs   frames.Buffers
}

// NewHasher returns a Hasher with the plane's secret.
func NewHasher(secret [32]byte) *Hasher {
	return &Hasher{secret: secret, bufs: frames.Buffers{Most: 64 << 10}}
}

// Key hashes one event's identity: the first 128 bits of SHA-256 over secret
// and the three parts, each with its length.
func (h *Hasher) Key(source id.Source, user string, message id.Event) Key {
	buf := h.bufs.Get()
	b := append(*buf, h.secret[:]...)
	b = frames.AppendBytes(b, source)
	b = frames.AppendBytes(b, user)
	b = append(b, message...)
	sum := sha256.Sum256(b)
	h.bufs.Put(buf, b)
	return Key(sum[:16])
}

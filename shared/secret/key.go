package secret

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/base64"

	"weir/shared/fault"
)

// keySize is the length of both keys in bytes, and of HPKE's enc.
// Source: RFC 9180, section 7.1, DHKEM(X25519, HKDF-SHA256).
const keySize = 32

// Overhead is how many bytes an envelope is longer than what it holds: enc and
// the tag of AES-GCM.
const Overhead = keySize + 16

// PublicKey closes values for one plane: 32 bytes, X25519. Its text form, also
// in JSON, is standard base64 (as every []byte).
type PublicKey []byte

// PrivateKey opens what was sealed to its public key. It prints as ***.
type PrivateKey struct{ key hpke.PrivateKey }

// NewKey returns a new private key.
func NewKey() (PrivateKey, error) {
	k, err := kem().GenerateKey()
	if err != nil {
		return PrivateKey{}, fault.New(fault.Internal, "No key could be made: %v.", err)
	}
	return PrivateKey{key: k}, nil
}

// ParsePrivate reads what Bytes wrote.
func ParsePrivate(b []byte) (PrivateKey, error) {
	k, err := kem().NewPrivateKey(b)
	if err != nil {
		return PrivateKey{}, fault.New(fault.Invalid, "This is not a private X25519 key of %d bytes.", keySize)
	}
	return PrivateKey{key: k}, nil
}

// ParsePublic reads a public key in standard base64.
func ParsePublic(text string) (PublicKey, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != keySize {
		return nil, fault.New(fault.Invalid, "This is not a public X25519 key of %d bytes in base64.", keySize)
	}
	return b, nil
}

func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k) }

// Public returns the key to seal with.
func (k PrivateKey) Public() PublicKey { return k.key.PublicKey().Bytes() }

// Bytes returns the key itself, 32 bytes, to be kept in a file of mode 0600.
func (k PrivateKey) Bytes() ([]byte, error) {
	b, err := k.key.Bytes()
	if err != nil {
		return nil, fault.New(fault.Internal, "The key cannot be written: %v.", err)
	}
	return b, nil
}

// SealTo closes clear for the owner of to, bound to info and aad. It is the
// envelope of everything that is sealed to a plane; infos keep the uses apart
// (a workspace's identifier for secrets, "weir body" for configurations).
func SealTo(to PublicKey, info, aad, clear []byte) ([]byte, error) {
	pub, err := kem().NewPublicKey(to)
	if err != nil {
		return nil, fault.New(fault.Invalid, "This is not a public X25519 key of %d bytes.", keySize)
	}
	enc, sender, err := hpke.NewSender(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), info)
	if err != nil {
		return nil, fault.New(fault.Invalid, "Nothing can be sealed to this key: %v.", err)
	}
	sealed, err := sender.Seal(aad, clear)
	if err != nil {
		return nil, fault.New(fault.Internal, "The value could not be sealed: %v.", err)
	}
	return append(enc, sealed...), nil
}

// OpenWith opens what SealTo closed with the same info and aad. fault.Invalid:
// any of the three differs, or the envelope was changed.
func OpenWith(with PrivateKey, info, aad, sealed []byte) ([]byte, error) {
	if with.key == nil {
		return nil, fault.New(fault.Internal, "There is no key to open envelopes with.")
	}
	if len(sealed) < Overhead {
		return nil, fault.New(fault.Invalid, "The sealed value is cut short.")
	}
	r, err := hpke.NewRecipient(sealed[:keySize], with.key, hpke.HKDFSHA256(), hpke.AES256GCM(), info)
	if err != nil {
		return nil, fault.New(fault.Invalid, "The sealed value does not begin with a key.")
	}
	clear, err := r.Open(aad, sealed[keySize:])
	if err != nil {
		return nil, fault.New(fault.Invalid, "The sealed value was not made for this plane and this place, or was changed.")
	}
	return clear, nil
}

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

// Package secret keeps credentials closed between the person who typed them
// and the one data plane that uses them.
//
// A value is sealed with HPKE (RFC 9180: DHKEM X25519 HKDF-SHA256, HKDF-SHA256,
// AES-256-GCM) to the plane's public key, bound to its workspace, source or
// destination, field and version, and to where it is sent: whoever carries it can
// neither read it nor use it in another place. An opened one is a String, which prints as *** everywhere.
package secret

import (
	"fmt"
	"strconv"

	"weir/shared/fault"
	"weir/shared/id"
)

// Ref is what a configuration holds of a secret: which version of which field,
// never the value. A Ref changes when the secret does, so the revision does too.
type Ref struct {
	Version     uint64 `json:"version"`
	Fingerprint string `json:"fingerprint"` // Argon2id, made by the client; tells "unchanged", nothing else
}

// Family is the kind of configuration object that a secret belongs to.
type Family string

// The families. A warehouse is a destination of its workspace.
const (
	Source      Family = "source"
	Destination Family = "destination"
)

// Name says which secret a sealed value is. Workspace is the HPKE info; the other
// fields and the Binding are the aad, so a value cannot be moved to another place.
type Name struct {
	Workspace id.Workspace `json:"workspace"`
	Family    Family       `json:"family"`
	Object    string       `json:"object"`  // the identifier of the source or destination
	Field     string       `json:"field"`   // a secret field of the object's Spec
	Version   uint64       `json:"version"` // from 1
}

// OfSource names a secret of a source.
func OfSource(ws id.Workspace, s id.Source, field string, version uint64) Name {
	return Name{Workspace: ws, Family: Source, Object: string(s), Field: field, Version: version}
}

// OfDestination names a secret of a destination.
func OfDestination(ws id.Workspace, d id.Destination, field string, version uint64) Name {
	return Name{Workspace: ws, Family: Destination, Object: string(d), Field: field, Version: version}
}

// MaxClear is the longest secret, in bytes; a service account's JSON key has
// some 2 KiB.
const MaxClear = 64 << 10

// Sealed is an HPKE envelope, enc || ciphertext, that only one plane opens.
type Sealed []byte

// Binding says where a secret is sent: the kind of its object and the settings that
// name the place, as catalog.SentTo writes them. A value is sealed for one Binding
// and opens for no other, so who may edit the settings, and may not know the
// secret, cannot have it sent to a place of his.
type Binding string

// aad is the canonical encoding of what a sealed value is bound to beside its
// workspace: "weir secret 3", family, object, field, version in decimal and the
// binding, with a NUL between. Only the last could hold a NUL, so no two are encoded
// alike.
func (n Name) aad(to Binding) []byte {
	return []byte("weir secret 3\x00" + string(n.Family) + "\x00" + n.Object + "\x00" + n.Field + "\x00" + strconv.FormatUint(n.Version, 10) + "\x00" + string(to))
}

// aads before bindings, and of secrets of destinations before families.
func (n Name) aad2() []byte {
	return []byte("weir secret 2\x00" + string(n.Family) + "\x00" + n.Object + "\x00" + n.Field + "\x00" + strconv.FormatUint(n.Version, 10))
}

func (n Name) aad1() []byte {
	return []byte("weir secret 1\x00" + n.Object + "\x00" + n.Field + "\x00" + strconv.FormatUint(n.Version, 10))
}

// Valid reports whether the name is whole and cannot be mistaken for another one.
func (n Name) Valid() bool {
	known := n.Family == Source && id.Valid(id.Source(n.Object)) || n.Family == Destination && id.Valid(id.Destination(n.Object))
	return known && id.Valid(n.Workspace) && validField(n.Field) && n.Version > 0
}

func (n Name) check() error {
	if !n.Valid() {
		return fault.New(fault.Invalid, "A secret is named by workspace, source or destination, field and a version from 1; this name lacks one.")
	}
	return nil
}

// validField reports whether s may name a secret field: 1 to 64 ASCII letters
// and digits.
func validField(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// Seal closes clear for the owner of key, to be sent where to says. fault.Invalid:
// the name is not whole, or clear is longer than MaxClear.
func Seal(key PublicKey, n Name, to Binding, clear []byte) (Sealed, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	if len(clear) > MaxClear {
		return nil, fault.New(fault.Invalid, "The secret %s is longer than %d bytes.", n.Field, MaxClear)
	}
	s, err := SealTo(key, []byte(n.Workspace), n.aad(to), clear)
	if err != nil {
		return nil, fmt.Errorf("seal %s of %s: %w", n.Field, n.Object, err)
	}
	return s, nil
}

// Open opens what Seal closed under the same name and binding. fault.Invalid: it was
// closed for another plane, name or binding, or was changed on the way.
func Open(with PrivateKey, n Name, to Binding, s Sealed) (String, error) {
	return open(with, n, s, n.aad(to))
}

// OpenUnbound opens what a release before bindings closed. The caller has to see to
// it that such a value is sent nowhere but where it always was.
func OpenUnbound(with PrivateKey, n Name, s Sealed) (String, error) {
	clear, err := open(with, n, s, n.aad2())
	if err != nil && n.Family == Destination {
		clear, err = open(with, n, s, n.aad1())
	}
	return clear, err
}

func open(with PrivateKey, n Name, s Sealed, aad []byte) (String, error) {
	if err := n.check(); err != nil {
		return String{}, err
	}
	clear, err := OpenWith(with, []byte(n.Workspace), aad, s)
	if err != nil {
		return String{}, fmt.Errorf("open %s version %d of %s: %w", n.Field, n.Version, n.Object, err)
	}
	return NewString(string(clear)), nil
}

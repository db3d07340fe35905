// Package secret keeps credentials closed between the person who typed them
// and the one data plane that uses them.
package secret

import "weir/shared/id"

// Ref is what a configuration holds of a secret: which version of which field,
// never the value. A Ref changes when the secret does, so the revision does too.
type Ref struct {
	Version     uint64 `json:"version"`
	Fingerprint string `json:"fingerprint"` // Argon2id, made by the client; tells "unchanged", nothing else
}

// Name says which secret a sealed value is. Workspace is the HPKE info; the
// other fields are the aad, so a value cannot be moved to another place.
type Name struct {
	Workspace   id.Workspace
	Destination id.Destination
	Field       string // a secret field of the destination's Spec
	Version     uint64 // from 1
}

// Sealed is an HPKE envelope, enc || ciphertext, that only one plane opens.
type Sealed []byte

// String is a secret in clear. It prints as *** in every format and refuses to
// be written as JSON or text; Reveal gives the value.
type String struct{ value string }

// Package envelope keeps what crosses an untrusted transport: messages signed by
// the control plane or by a plane, bodies sealed to a plane, and the word of a plane's
// identity key for its sealing key.
package envelope

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// Domain keeps signatures of one kind from being taken for another: it is signed
// in front of the payload. Its number is the format of the payload.
type Domain string

// The domains.
const (
	Pointer    Domain = "weir pointer 1\x00"
	Ack        Domain = "weir ack 1\x00"
	Beat       Domain = "weir beat 1\x00"
	Secret     Domain = "weir sealed secret 2\x00"
	sealingKey Domain = "weir sealing key 1\x00"
)

// Signed is the form of everything signed in a bucket: the payload as it was
// signed, to the byte, and an Ed25519 signature of domain and payload.
type Signed struct {
	Payload   []byte `json:"payload"`
	Signature []byte `json:"signature"`
}

// Sign writes v as a Signed of a domain.
func Sign(key ed25519.PrivateKey, domain Domain, v any) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fault.New(fault.Internal, "There is no key to sign with.")
	}
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fault.New(fault.Internal, "The message cannot be written: %v.", err)
	}
	out, err := json.Marshal(Signed{Payload: payload, Signature: ed25519.Sign(key, append([]byte(domain), payload...))})
	if err != nil {
		return nil, fault.New(fault.Internal, "The message cannot be written: %v.", err)
	}
	return out, nil
}

// Finding is what opening a Signed found.
type Finding uint8

// The findings.
const (
	Genuine  Finding = iota
	Unsigned         // not the form of Signed
	Foreign          // a signature, but not of this key over this payload
	Garbled          // genuine, but the payload is not what was expected
)

// Open verifies data and reads its payload into v. Members that this build does
// not know are ignored: whoever reads v checks its format.
func Open(key ed25519.PublicKey, domain Domain, data []byte, v any) Finding {
	var s Signed
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || len(s.Signature) != ed25519.SignatureSize || len(key) != ed25519.PublicKeySize {
		return Unsigned
	}
	if !ed25519.Verify(key, append([]byte(domain), s.Payload...), s.Signature) {
		return Foreign
	}
	if err := json.Unmarshal(s.Payload, v); err != nil {
		return Garbled
	}
	return Genuine
}

// SignSealingKey returns the signature by which a plane's identity key vouches
// for its sealing key.
func SignSealingKey(identity ed25519.PrivateKey, sealing secret.PublicKey) []byte {
	return ed25519.Sign(identity, append([]byte(sealingKey), sealing...))
}

// VerifySealingKey reports whether the owner of identity vouches for sealing.
// Whoever seals a secret asks this of the pinned identity key first: the
// control plane only carries the sealing key.
func VerifySealingKey(identity ed25519.PublicKey, sealing secret.PublicKey, signature []byte) bool {
	return len(identity) == ed25519.PublicKeySize &&
		ed25519.Verify(identity, append([]byte(sealingKey), sealing...), signature)
}

// bodyInfo is the HPKE info of sealed configurations. It has a space, so it is
// no workspace's identifier, which is the info of secrets.
const bodyInfo = "weir body"

// SealBody seals the encoded configuration of ws with digest d to a plane.
func SealBody(to secret.PublicKey, ws id.Workspace, d workspace.Digest, body []byte) ([]byte, error) {
	return secret.SealTo(to, []byte(bodyInfo), []byte(string(ws)+"|"+string(d)), body)
}

// OpenBody opens what SealBody sealed. fault.Invalid: it is something else.
func OpenBody(with secret.PrivateKey, ws id.Workspace, d workspace.Digest, sealed []byte) ([]byte, error) {
	return secret.OpenWith(with, []byte(bodyInfo), []byte(string(ws)+"|"+string(d)), sealed)
}

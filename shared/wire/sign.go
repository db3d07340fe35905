package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"

	"weir/shared/fault"
	"weir/shared/secret"
)

// Domains keep signatures of one kind from being taken for another: each is
// signed in front of its payload. The number is the format of the payload.
const (
	domainPointer = "weir pointer 1\x00"
	domainAck     = "weir ack 1\x00"
	domainBeat    = "weir beat 1\x00"
	domainSecret  = "weir sealed secret 2\x00"
	domainSealing = "weir sealing key 1\x00"
)

// Signed is the form of everything signed in a bucket: the payload as it was
// signed, to the byte, and an Ed25519 signature of domain and payload.
type Signed struct {
	Payload   []byte `json:"payload"`
	Signature []byte `json:"signature"`
}

// sign writes v as a Signed of a domain.
func sign(key ed25519.PrivateKey, domain string, v any) ([]byte, error) {
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

// What opening a Signed can find.
type finding uint8

const (
	genuine  finding = iota
	unsigned         // not the form of Signed
	foreign          // a signature, but not of this key over this payload
	garbled          // genuine, but the payload is not what was expected
)

// open verifies data and reads its payload into v. Members that this build does
// not know are ignored: whoever reads v checks its format.
func open(key ed25519.PublicKey, domain string, data []byte, v any) finding {
	var s Signed
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || len(s.Signature) != ed25519.SignatureSize || len(key) != ed25519.PublicKeySize {
		return unsigned
	}
	if !ed25519.Verify(key, append([]byte(domain), s.Payload...), s.Signature) {
		return foreign
	}
	if err := json.Unmarshal(s.Payload, v); err != nil {
		return garbled
	}
	return genuine
}

// SignPointer returns p as it lies in POINTERS.
func SignPointer(key ed25519.PrivateKey, p Pointer) ([]byte, error) {
	return sign(key, domainPointer, p)
}

// SignSealingKey returns the signature by which a plane's identity key vouches
// for its sealing key.
func SignSealingKey(identity ed25519.PrivateKey, sealing secret.PublicKey) []byte {
	return ed25519.Sign(identity, append([]byte(domainSealing), sealing...))
}

// VerifySealingKey reports whether the owner of identity vouches for sealing.
// Whoever seals a secret asks this of the pinned identity key first: the
// control plane only carries the sealing key.
func VerifySealingKey(identity ed25519.PublicKey, sealing secret.PublicKey, signature []byte) bool {
	return len(identity) == ed25519.PublicKeySize &&
		ed25519.Verify(identity, append([]byte(domainSealing), sealing...), signature)
}

// signedSecret is the payload of an entry of SECRETS. The name stands in it so
// that a hub cannot put one value in another's place; HPKE alone does not say
// who sealed.
type signedSecret struct {
	secret.Name
	Sealed secret.Sealed `json:"sealed"`
}

func secretPayload(n secret.Name, s secret.Sealed) signedSecret {
	return signedSecret{n, s}
}

// names reports whether s was signed as the secret n.
func (s signedSecret) names(n secret.Name) bool {
	return s.Name == n
}

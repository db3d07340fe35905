package draft

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"weir/controlplane/store"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace/document"
)

// Bounds of one envelope, in bytes.
const (
	shortestEnvelope = 32 + 16 // an HPKE key and a tag around nothing
	longestEnvelope  = 128 << 10
)

// secretsOf returns the secrets of a document's object; ok is false for a kind without.
func secretsOf(item reflect.Value) (sent map[string]document.Secret, ok bool) {
	if f := item.FieldByName("Secrets"); f.IsValid() {
		sent, ok = f.Interface().(map[string]document.Secret)
	}
	return sent, ok
}

// refs decides, field by field, whether a secret is the former one or a new
// version, and keeps the new ones' envelopes for the store; of is their
// name, all but field and version.
func (r *resolved) refs(path string, of secret.Name, sent map[string]document.Secret, former map[string]secret.Ref) map[string]secret.Ref {
	if len(sent) == 0 {
		return nil
	}
	refs := map[string]secret.Ref{}
	for _, field := range slices.Sorted(maps.Keys(sent)) {
		s, at := sent[field], path+"."+field
		ref := secret.Ref{Version: s.Version, Fingerprint: s.Fingerprint}
		was, there := former[field]
		refs[field] = ref
		switch {
		case s.Fingerprint == "" || s.Version == 0: // the whole-config check says so
		case there && ref == was: // unchanged; an envelope that came with it is a repetition of the same one
		case there && s.Version == was.Version && len(s.Sealed) == 0:
			r.problem(at+".fingerprint", "secret_mismatch", "Version %d of this secret has another fingerprint; export again, or give the value to seal.", s.Version)
		case there && s.Version <= was.Version:
			r.problem(at+".version", "secret_version", "Version %d is stored already; a changed secret is version %d.", was.Version, was.Version+1)
		case len(s.Sealed) == 0:
			r.problem(at, "secret_missing", "This version of the secret is not known here; give the value, from: env or from: file, to seal it.")
		default:
			of.Field, of.Version = field, s.Version
			r.keep(at, store.Secret{Name: of, Fingerprint: s.Fingerprint, Sealed: envelopes(s.Sealed)})
		}
	}
	return refs
}

// keep takes a new secret along when its envelopes can be some.
func (r *resolved) keep(at string, s store.Secret) {
	for _, plane := range slices.Sorted(maps.Keys(s.Sealed)) {
		if n := len(s.Sealed[plane]); n < shortestEnvelope || n > longestEnvelope {
			r.problem(fmt.Sprintf("%s.sealed.%s", at, plane), "bad_envelope", "An envelope has %d to %d bytes.", shortestEnvelope, longestEnvelope)
			return
		}
	}
	r.secrets = append(r.secrets, s)
}

func envelopes(sent map[id.Plane][]byte) map[id.Plane]secret.Sealed {
	sealed := make(map[id.Plane]secret.Sealed, len(sent))
	for plane, envelope := range sent {
		sealed[plane] = envelope
	}
	return sealed
}

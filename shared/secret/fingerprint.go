package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Parameters of Argon2id. Source: RFC 9106, section 4, second recommended
// option (for memory-constrained environments): 3 passes, 64 MiB, 4 lanes,
// 128-bit salt.
const (
	fingerprintPasses    = 3
	fingerprintMemory    = 64 << 10 // KiB
	fingerprintLanes     = 4
	fingerprintSaltBytes = 16
	fingerprintBytes     = 16
)

// bound begins the fingerprints of secrets that have a Binding: "2-", the Argon2id in
// hex, "-", and the first 16 bytes of the binding's SHA-256 in hex. Those of releases
// before are the Argon2id alone.
const bound = "2-"

// Fingerprint tells a client whether a secret is still the one that was sealed:
// equal for equal values of the same field of the same object with the same
// binding, different elsewhere, so equal credentials in two places do not show. The
// version does not count. It takes 64 MiB and tens of milliseconds, by intent: the
// control plane stores it, and guessing from it has to cost something. It does not
// protect a secret that can be guessed in few attempts.
func Fingerprint(n Name, to Binding, clear []byte) string {
	salt := sha256.Sum256([]byte("weir fingerprint 2\x00" + string(n.Workspace) + "\x00" + n.Object + "\x00" + n.Field + "\x00" + string(to)))
	sum := argon2.IDKey(clear, salt[:fingerprintSaltBytes], fingerprintPasses, fingerprintMemory, fingerprintLanes, fingerprintBytes)
	return bound + hex.EncodeToString(sum) + "-" + digest(to)
}

// digest tells bindings apart; it hides nothing.
func digest(to Binding) string {
	sum := sha256.Sum256([]byte(to))
	return hex.EncodeToString(sum[:16])
}

// BoundTo says what a fingerprint shows of a secret's binding: whether there is one,
// and whether it is to. Whoever made the fingerprint may have lied; only Open is a proof.
func BoundTo(fingerprint string, to Binding) (is, same bool) {
	rest, is := strings.CutPrefix(fingerprint, bound)
	_, of, _ := strings.Cut(rest, "-")
	return is, is && of == digest(to)
}

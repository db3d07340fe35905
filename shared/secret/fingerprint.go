package secret

import (
	"crypto/sha256"
	"encoding/hex"

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

// Fingerprint tells a client whether a secret is still the one that was sealed:
// equal for equal values of the same field of the same object, different
// elsewhere, so equal credentials in two places do not show. The version does
// not count. It takes 64 MiB and tens of milliseconds, by intent: the control
// plane stores it, and guessing from it has to cost something. It does not
// protect a secret that can be guessed in few attempts.
func Fingerprint(n Name, clear []byte) string {
	salt := sha256.Sum256([]byte("weir fingerprint 1\x00" + string(n.Workspace) + "\x00" + n.Object + "\x00" + n.Field))
	sum := argon2.IDKey(clear, salt[:fingerprintSaltBytes], fingerprintPasses, fingerprintMemory, fingerprintLanes, fingerprintBytes)
	return hex.EncodeToString(sum)
}
